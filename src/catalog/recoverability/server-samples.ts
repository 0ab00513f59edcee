import type { Lsn } from '../../postgres/lsn.ts';

/** A place in the WAL of a cluster. */
export interface WalPosition {
  readonly timeline: number;
  readonly lsn: Lsn;
}

/**
 * A moment of a primary, by its own clock, by which commits are stamped and recovery targets are meant; by ours where it does not tell. All that had been committed
 * by then stands before this position.
 */
export interface ServerSample extends WalPosition {
  readonly time: Date;
  /** Where its WAL ended then: further, where what was written since commits nothing, or less far, where not all was flushed. */
  readonly flushed: Lsn;
}

/** The clock of the primary was set back: times from then on that were told before it had come to this position are told a second time. */
export interface ClockSetBack extends WalPosition {
  readonly to: Date;
}

/** What a clock may lose from one sample to the next without having been set: we do not look at the very moment, and clocks are slewed. */
export const clockMsMax = 2_000;
/** A tenth of the age is how far apart they are then, over a month. */
export const samplesMax = 160;

/**
 * Adds a sample, and drops what it contradicts and what is too much, so that later ones are never earlier, nor, on one timeline, further back. Dropping makes
 * what is claimed older, never wrong. `elapsedMs`: since the last one was taken, by a clock that is never set; undefined where nobody knows.
 */
export function withSample(samples: readonly ServerSample[], next: ServerSample, elapsedMs: number | undefined): readonly ServerSample[] {
  const setBackTo = clockSetBackTo(samples.at(-1), next, elapsedMs);
  const believed = samples.filter((sample) => isBefore(sample, next) && (setBackTo === undefined || sample.time < setBackTo));
  return thinned([...believed, next]);
}

/** Where it stands still only the newest moment counts; a server that is further back than it was has another past now. */
function isBefore({ timeline, flushed }: ServerSample, next: ServerSample): boolean {
  return timeline < next.timeline || (timeline === next.timeline && flushed < next.flushed);
}

/** Undefined where it was not. From then on commits were stamped with times that earlier samples took for past. */
export function clockSetBackTo(last: ServerSample | undefined, next: ServerSample, elapsedMs: number | undefined): Date | undefined {
  if (last === undefined) return undefined;
  if (elapsedMs === undefined) return next.time < last.time ? new Date(0) : undefined;
  // Had it gone on, it would have been this when the last one was taken.
  const then = next.time.getTime() - elapsedMs;
  return then < last.time.getTime() - clockMsMax ? new Date(then - clockMsMax) : undefined;
}

/** Of those that are too many goes the one whose neighbours are closest in relation to its age: what is old need not be told so finely. */
function thinned(samples: readonly ServerSample[]): readonly ServerSample[] {
  if (samples.length <= samplesMax) return samples;
  const times = samples.map(({ time }) => time.getTime());
  const newest = times.at(-1) ?? 0;
  const weights = times.slice(1, -1).map((at, index) => ((times[index + 2] ?? at) - (times[index] ?? at)) / (newest - at + 1));
  const dullest = 1 + weights.indexOf(Math.min(...weights));
  return thinned(samples.toSpliced(dullest, 1));
}
