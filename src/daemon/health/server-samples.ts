import type { Lsn } from '../../postgres/lsn.ts';

/** A place in the WAL of a cluster. */
export interface WalPosition {
  readonly timeline: number;
  readonly lsn: Lsn;
}

/** How far a primary had flushed its WAL at a moment of its own clock, by which commits are stamped and recovery targets are meant; of our clock where it does not tell. */
export interface ServerSample extends WalPosition {
  readonly time: Date;
}

/** A tenth of the age is how far apart they are then, over a month. */
export const samplesMax = 160;

/**
 * Adds a sample, and drops what it contradicts and what is too much, so that later ones are never earlier, nor, on one timeline, further back. Dropping makes
 * what is claimed older, never wrong. `elapsedMs`: since the last one was taken, by a clock that is never set; undefined where nobody knows.
 */
export function withSample(samples: readonly ServerSample[], next: ServerSample, elapsedMs: number | undefined): readonly ServerSample[] {
  const last = samples.at(-1);
  const believed = samples.filter((sample) => isBefore(sample, next)).filter(notAfter(clockSetBackTo(last, next, elapsedMs)));
  return thinned([...believed, next]);
}

/** Where it stands still only the newest moment counts; a server that is further back than it was has another past now. */
function isBefore({ timeline, lsn }: ServerSample, next: ServerSample): boolean {
  return timeline < next.timeline || (timeline === next.timeline && lsn < next.lsn);
}

/** Undefined where it was not. From then on commits were stamped with times that earlier samples took for past. */
function clockSetBackTo(last: ServerSample | undefined, next: ServerSample, elapsedMs = Number.POSITIVE_INFINITY): number | undefined {
  if (last === undefined || next.time >= last.time) return undefined;
  return next.time.getTime() - elapsedMs;
}

function notAfter(ms: number | undefined): (sample: ServerSample) => boolean {
  return ({ time }) => ms === undefined || time.getTime() < ms;
}

/** Of those that are too many goes the one whose neighbours are closest in relation to its age: what is old need not be told so finely. */
function thinned(samples: readonly ServerSample[]): readonly ServerSample[] {
  if (samples.length <= samplesMax) return samples;
  const times = samples.map(({ time }) => time.getTime());
  const newest = times.at(-1) ?? 0;
  let dullest = 1;
  let least = Number.POSITIVE_INFINITY;
  for (let index = 1; index < times.length - 1; index++) {
    const [before = 0, at = 0, behind = 0] = times.slice(index - 1, index + 2);
    const weight = (behind - before) / (newest - at + 1);
    if (weight < least) [dullest, least] = [index, weight];
  }
  return thinned(samples.toSpliced(dullest, 1));
}
