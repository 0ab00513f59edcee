import type { Lsn } from '../../postgres/lsn.ts';
import type { TimelineSwitch } from '../../postgres/timeline-history.ts';
import { TimelineLine } from '../../postgres/timeline-line.ts';
import { runsOn, type StoredRanges } from '../line-runs.ts';
import { leadsTo, type NeedyBackup } from '../needy-backups.ts';
import type { ServerSample, WalPosition } from './server-samples.ts';

/** WAL of one line of timelines that is stored without a gap; numbers of segments. */
export interface Stretch {
  readonly first: bigint;
  /** The first segment that is not stored whole. */
  readonly end: bigint;
  /** Of its last segment. */
  readonly timeline: number;
  /** Everything before it is stored. */
  readonly endLsn: Lsn;
}

/** What a line has of a timeline: from `begin` up to, not including, `end`. */
export interface LinePart {
  readonly timeline: number;
  readonly begin: Lsn;
  readonly end: Lsn;
}

export interface LineDescription {
  /** The last one of the line, to which recovery is told to go. */
  readonly timeline: number;
  /** Its ancestors, oldest first. */
  readonly switches: readonly TimelineSwitch[];
  readonly segmentBytes: number;
  readonly ranges: StoredRanges;
  /** See `RecoverabilityFacts`. */
  readonly beginning: WalPosition | undefined;
  /** Whether recovery does not find the way from one timeline of the line to another. */
  readonly isCut: (from: number, to: number) => boolean;
}

const lsnMax = 2n ** 64n - 1n;

/** The timelines that lead to one of them, and what is stored of the WAL that recovery reads to follow them. */
export class StoredLine {
  readonly timeline: number;
  readonly segmentBytes: number;
  readonly parts: readonly LinePart[];
  /** Oldest first. Between any two of them something is missing. */
  readonly stretches: readonly Stretch[];
  /** As far as a server can ever come on it. */
  readonly #endless: TimelineLine;

  constructor(description: LineDescription) {
    const { timeline, switches, segmentBytes, ranges } = description;
    this.timeline = timeline;
    this.segmentBytes = segmentBytes;
    const ends = [...switches.map((left) => ({ timeline: left.timeline, end: left.switchLsn })), { timeline, end: lsnMax }];
    this.parts = ends.map((each, index) => ({ ...each, begin: ends[index - 1]?.end ?? 0n }));
    this.#endless = new TimelineLine({ timeline, position: lsnMax, history: switches, segmentBytes });
    const whole = this.#stretchesOf(ranges, description.isCut).map((stretch) => this.#withOldName(stretch, ranges));
    this.stretches = this.#withBeginning(whole, description);
  }

  /** Whether recovery from the base backup can follow the line. */
  isFor(backup: NeedyBackup): boolean {
    return leadsTo(this.#endless, backup);
  }

  /** Where recovery of the base backup would begin; undefined where that is not stored, or beside the line. */
  stretchOf(backup: NeedyBackup): Stretch | undefined {
    return this.isFor(backup) ? this.#stretchAt(backup.start.number) : undefined;
  }

  partOf(timeline: number): LinePart | undefined {
    return this.parts.find((part) => part.timeline === timeline);
  }

  /** Whether the position belongs to the line: what an old primary wrote after its timeline was left does not. */
  includes({ timeline, lsn }: WalPosition): boolean {
    const part = this.partOf(timeline);
    return part !== undefined && part.begin <= lsn && lsn <= part.end;
  }

  /** Whether all that had been committed by then is stored, or in a base backup whose WAL the stretch is. */
  covers({ endLsn }: Stretch, sample: ServerSample): boolean {
    return this.includes(sample) && sample.lsn <= endLsn;
  }

  /** Whether all WAL is stored that had been written by then, from the beginning of the stretch on. */
  coversWhole({ first, endLsn }: Stretch, sample: ServerSample): boolean {
    const { timeline, flushed } = sample;
    return this.includes({ timeline, lsn: flushed }) && this.startOf(first) <= flushed && flushed <= endLsn;
  }

  startOf(number: bigint): Lsn {
    return number * BigInt(this.segmentBytes);
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

  #stretchesOf(ranges: StoredRanges, isCut: LineDescription['isCut']): Stretch[] {
    const stretches: Stretch[] = [];
    for (const { first, last, timeline } of runsOn(this.#endless, ranges)) {
      const before = stretches.at(-1);
      const goesOn = before?.end === first && !isCut(before.timeline, timeline);
      const end = last + 1n;
      const stretch = { first: goesOn ? before.first : first, end, timeline, endLsn: this.startOf(end) };
      if (goesOn) stretches.pop();
      stretches.push(stretch);
    }
    return stretches;
  }

  /**
   * Where the segment in which a timeline was left is not stored under the name of the new one, PostgreSQL takes it under that of the old one, which is right up to the
   * switch (XLogFileReadAnyTLI).
   */
  #withOldName(stretch: Stretch, ranges: StoredRanges): Stretch {
    const { end: number, endLsn } = stretch;
    const old = this.parts.findLast(({ timeline, end }) => end / BigInt(this.segmentBytes) === number && has(ranges, timeline, number));
    return old !== undefined && old.end > endLsn ? { ...stretch, timeline: old.timeline, endLsn: old.end } : stretch;
  }

  /** The beginning of a segment follows what is stored before it, if its timeline is the one to which recovery leads. */
  #withBeginning(stretches: readonly Stretch[], { beginning, isCut }: LineDescription): readonly Stretch[] {
    const last = stretches.at(-1);
    if (last === undefined || beginning === undefined || beginning.timeline !== this.timeline) return stretches;
    const follows = this.startOf(last.end) < beginning.lsn && beginning.lsn < this.startOf(last.end + 1n);
    if (!follows || isCut(last.timeline, this.timeline)) return stretches;
    return [...stretches.slice(0, -1), { ...last, timeline: this.timeline, endLsn: beginning.lsn }];
  }
}

function has(ranges: StoredRanges, timeline: number, number: bigint): boolean {
  return ranges.of(timeline).some(({ first, last }) => first <= number && number <= last);
}
