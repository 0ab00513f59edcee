import { leadsTo, type NeedyBackup } from '../../catalog/needy-backups.ts';
import type { ServerSample, WalPosition } from '../../catalog/recoverability/server-samples.ts';
import { historiesBetween, type WalArchiveView } from '../../catalog/wal-archive-view.ts';
import type { TimelineSwitch } from '../../postgres/timeline-history.ts';
import { TimelineLine } from '../../postgres/timeline-line.ts';
import { type Gaps } from '../../wal/gaps/gaps.ts';

export interface StoredWal {
  readonly archive: WalArchiveView;
  readonly gaps: Gaps;
  /** Up to where the beginning of the segment is stored that a server is writing, where beginnings are stored. */
  readonly beginning: WalPosition | undefined;
}

/** WAL of one line of timelines that is stored without a gap; numbers of segments. */
export interface Stretch {
  readonly first: bigint;
  /** The first segment that is not stored whole. */
  readonly end: bigint;
  /** Of its last segment. */
  readonly timeline: number;
  /** Everything before it is stored. */
  readonly endLsn: bigint;
}

const lsnMax = 2n ** 64n - 1n;

/** The line of timelines that leads to where the site's server is, and what is stored of it. */
export class StoredLine {
  readonly timeline: number;
  /** Oldest first. Between any two of them something is missing. */
  readonly stretches: readonly Stretch[];
  readonly #wal: StoredWal;
  readonly #switches: readonly TimelineSwitch[];
  /** As far as a server can ever come on it. */
  readonly #endless: TimelineLine;

  /** Undefined where nothing is stored, so that there is none. */
  static of(wal: StoredWal): StoredLine | undefined {
    return wal.gaps.timeline === undefined ? undefined : new StoredLine(wal, wal.gaps.timeline);
  }

  private constructor(wal: StoredWal, timeline: number) {
    this.timeline = timeline;
    this.#wal = wal;
    this.#switches = wal.archive.histories.get(timeline)?.switches ?? [];
    const { segmentBytes } = wal.archive;
    this.#endless = new TimelineLine({ timeline, position: lsnMax, history: this.#switches, segmentBytes });
    this.stretches = this.#withBeginning(stretchesOf(wal));
  }

  /** Where recovery of the base backup would begin; undefined where that is not stored, or beside the line. */
  stretchOf(backup: NeedyBackup): Stretch | undefined {
    return leadsTo(this.#endless, backup) ? this.#stretchAt(backup.start.number) : undefined;
  }

  /** Whether the position belongs to the line: what an old primary wrote after its timeline was left does not. */
  includes({ timeline, lsn }: WalPosition): boolean {
    const index = this.#switches.findIndex((left) => left.timeline === timeline);
    if (index === -1) return timeline === this.timeline && lsn >= (this.#switches.at(-1)?.switchLsn ?? 0n);
    const begin = this.#switches[index - 1]?.switchLsn ?? 0n;
    const end = this.#switches[index]?.switchLsn ?? begin;
    return begin <= lsn && lsn <= end;
  }

  /** Whether all that had been committed by then is stored, or in a base backup whose WAL the stretch is. */
  covers({ endLsn }: Stretch, sample: ServerSample): boolean {
    return this.includes(sample) && sample.lsn <= endLsn;
  }

  /** Whether all WAL is stored that had been written by then, from the beginning of the stretch on. */
  coversWhole({ first, endLsn }: Stretch, sample: ServerSample): boolean {
    const { timeline, flushed } = sample;
    return this.includes({ timeline, lsn: flushed }) && this.#startOf(first) <= flushed && flushed <= endLsn;
  }

  /** By halves: a damaged archive has very many. */
  #stretchAt(number: bigint): Stretch | undefined {
    let [low, high] = [0, this.stretches.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.stretches[middle]?.first ?? 0n) <= number) low = middle + 1;
      else high = middle;
    }
    const stretch = this.stretches[low - 1];
    return stretch !== undefined && number < stretch.end ? stretch : undefined;
  }

  /** The beginning of a segment follows what is stored before it, if its timeline is the one to which recovery leads. */
  #withBeginning(stretches: readonly Stretch[]): readonly Stretch[] {
    const last = stretches.at(-1);
    const { beginning, gaps } = this.#wal;
    if (last === undefined || beginning === undefined || beginning.timeline !== this.timeline) return stretches;
    const follows = this.#startOf(last.end) < beginning.lsn && beginning.lsn < this.#startOf(last.end + 1n);
    if (!follows || isCut(last.timeline, this.timeline, gaps)) return stretches;
    return [...stretches.slice(0, -1), { ...last, endLsn: beginning.lsn }];
  }

  #startOf(number: bigint): bigint {
    return number * BigInt(this.#wal.archive.segmentBytes);
  }
}

function stretchesOf({ archive, gaps }: StoredWal): Stretch[] {
  const stretches: Stretch[] = [];
  for (const { first, last, timeline } of gaps.runs) {
    const before = stretches.at(-1);
    const goesOn = before?.end === first && !isCut(before.timeline, timeline, gaps);
    const end = last + 1n;
    const stretch = { first: goesOn ? before.first : first, end, timeline, endLsn: end * BigInt(archive.segmentBytes) };
    if (goesOn) stretches.pop();
    stretches.push(stretch);
  }
  return stretches;
}

/** Recovery does not find the way from one timeline to another where a history between them is missing. */
function isCut(from: number, to: number, { missingHistories }: Gaps): boolean {
  const needed = new Set(historiesBetween(from, to));
  return missingHistories.some(({ timeline }) => needed.has(timeline));
}
