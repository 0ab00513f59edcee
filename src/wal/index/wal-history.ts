import type { Catalog } from '../../catalog/catalog.ts';
import type { WalArchiveView } from '../../catalog/wal-archive-view.ts';
import type { WalActivity } from '../../catalog/wal-index/wal-activity.ts';
import type { RollupName } from '../../catalog/wal-index/wal-rollup.ts';
import type { Clock } from '../../lib/clock.ts';
import { type Buckets, bucketsOf, type MinuteSpan, type PlacedRestorePoint } from './activity-buckets.ts';
import { ActivityCache } from './activity-cache.ts';
import type { ReadWalActivity } from './read-wal-activity.job.ts';
import { aloneSegments, sortRollups } from './rollup-blocks.ts';

type View = Pick<WalArchiveView, 'ranges' | 'segmentBytes'>;

export interface WalHistoryDeps {
  readonly catalog: Catalog;
  /** Which segments are stored, or why that is not known. */
  readonly archive: () => View | string;
  /** See `readWalActivity`. */
  readonly read: (
    wanted: { readonly rollups: readonly string[]; readonly segments: readonly string[]; readonly segmentBytes: number },
    signal: AbortSignal,
  ) => Promise<ReadWalActivity>;
  readonly clock: Clock;
}

export interface WalHistoryFound extends Buckets {
  /** Why not all is counted that is stored of the span. */
  readonly because: string | undefined;
}

/** What is known of the WAL now. */
interface Known {
  readonly rollups: readonly RollupName[];
  /** Segments that are told of one by one, newest first. */
  readonly alone: readonly string[];
  readonly segmentBytes: number;
  readonly because: string | undefined;
}

const listMs = 60_000;
/** Objects at once: what was read stays when the rest fails. */
const readMax = 256;
/** Blocks that one question reads, of 512 segments each. */
const rollupsMax = 4096;
/** Segments of which nothing is told together yet: two blocks of them. */
const aloneMax = 1024;
/** What was not there is looked for again: the index of a new segment follows it in moments, others are made in the background. */
const newestSegments = 16;
const soonMs = 2_000;
const laterMs = 600_000;

/**
 * What happened when in the WAL, from what is told of many segments together, and for the newest ones from the index of each. What was read is kept, in bounded memory:
 * neither ever changes. Questions are answered one after the other, so that nothing is read twice.
 */
export class WalHistory {
  readonly #deps: WalHistoryDeps;
  readonly #cache: ActivityCache;
  #listed: { readonly atMs: number; readonly names: readonly string[] } | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: WalHistoryDeps) {
    this.#deps = deps;
    this.#cache = new ActivityCache(deps.clock);
  }

  /** Rejects with the store's errors, `key-missing` and `key-wrong`. */
  between(span: MinuteSpan, bucketMinutes: number, signal: AbortSignal): Promise<WalHistoryFound> {
    return this.#next(async () => {
      const known = await this.#know(signal);
      if (typeof known === 'string') return { ...bucketsOf([], span, bucketMinutes), because: known };
      const inSpan = known.rollups.filter(({ minutes }) => minutes !== undefined && minutes.from < span.to && minutes.to >= span.from);
      const rollups = inSpan.slice(-rollupsMax);
      const activities = await this.#read(known, rollups, signal);
      const because = whyIncomplete(known, inSpan.length - rollups.length, rollups.length + known.alone.length - activities.length);
      return { ...bucketsOf(activities, span, bucketMinutes), because };
    }, signal);
  }

  /** All of them, in the order of time; the newest where there are very many. Rejects as `between`. */
  restorePoints(signal: AbortSignal): Promise<readonly PlacedRestorePoint[]> {
    return this.#next(async () => {
      const known = await this.#know(signal);
      if (typeof known === 'string') return [];
      const rollups = known.rollups.filter(({ restorePoints }) => restorePoints > 0).slice(-rollupsMax);
      const span = { from: 0, to: Number.POSITIVE_INFINITY };
      return bucketsOf(await this.#read(known, rollups, signal), span, Number.POSITIVE_INFINITY).restorePoints;
    }, signal);
  }

  async #next<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const before = this.#last;
    const answer = before.then(() => {
      signal.throwIfAborted();
      return work();
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #know(signal: AbortSignal): Promise<Known | string> {
    const view = this.#deps.archive();
    if (typeof view === 'string') return `it is not known which WAL is stored: ${view}`;
    const { ranges, segmentBytes } = view;
    const { rollups } = sortRollups(await this.#names(signal), segmentBytes);
    const alone: string[] = [];
    let because: string | undefined;
    for (const name of aloneSegments(ranges, rollups, segmentBytes)) {
      if (alone.length === aloneMax) {
        because = `of WAL up to ${name} not everything is told together yet: the daemon that owns the site does that in the background`;
        break;
      }
      alone.push(name);
    }
    return { rollups: [...rollups.values()], alone, segmentBytes, because };
  }

  async #names(signal: AbortSignal): Promise<readonly string[]> {
    const { catalog, clock } = this.#deps;
    const { walRollupPrefix: prefix } = catalog.keys;
    if (this.#listed !== undefined && clock.monotonicMs() - this.#listed.atMs < listMs) return this.#listed.names;
    const names: string[] = [];
    for await (const { key } of catalog.store.list(prefix, { signal })) names.push(key.slice(prefix.length));
    this.#listed = { atMs: clock.monotonicMs(), names };
    return names;
  }

  async #read({ alone, segmentBytes }: Known, rollups: readonly RollupName[], signal: AbortSignal) {
    const wanted = [...rollups.map(({ name }) => name), ...alone];
    const found = new Map<string, WalActivity>();
    const missing: string[] = [];
    for (const [at, name] of wanted.entries()) {
      const known = this.#cache.get(name);
      const isNew = at >= rollups.length && at < rollups.length + newestSegments;
      if (known !== undefined) found.set(name, known);
      else if (this.#cache.mayRead(name, isNew ? soonMs : laterMs)) missing.push(name);
    }
    for (let at = 0; at < missing.length; at += readMax) {
      const some = missing.slice(at, at + readMax);
      const segments = some.filter((name) => !name.includes('.')).toSorted();
      const read = await this.#deps.read({ rollups: some.filter((name) => name.includes('.')), segments, segmentBytes }, signal);
      for (const [name, activity] of read) found.set(name, activity);
      this.#cache.add(some, new Map(read));
    }
    return [...found].map(([name, activity]) => ({ timeline: Number.parseInt(name.slice(0, 8), 16), activity }));
  }
}

function whyIncomplete({ because }: Known, leftOut: number, unread: number): string | undefined {
  if (leftOut > 0) return 'it is more WAL than is read for one question: ask for a shorter span';
  if (because !== undefined) return because;
  return unread === 0 ? undefined : `of ${unread} WAL segments, or blocks of them, nothing is noted yet, or it cannot be read`;
}
