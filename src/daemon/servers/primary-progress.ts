import type { Lsn } from '../../postgres/lsn.ts';
import type { UsableNode } from './troubles.ts';

interface Point {
  readonly lsn: Lsn;
  /** Of `Clock.monotonicMs`: the last moment at which the primary was known to be there. */
  readonly ms: number;
}

const pointsMax = 256;

/** How far the primary was when: what a standby has not replayed yet is as old as the last moment at which the primary had not written it. */
export class PrimaryProgress {
  #timeline: number | undefined;
  #points: readonly Point[] = [];

  note({ sample: { timeline, lsn } }: UsableNode, ms: number): void {
    if (timeline !== this.#timeline) this.#points = [];
    this.#timeline = timeline;
    this.#points = thinned([...this.#points.filter((point) => point.lsn < lsn), { lsn, ms }]);
  }

  /** How many seconds a standby is behind; 0 where nothing tells that it is. */
  lagSeconds({ sample: { lsn, replay } }: UsableNode, nowMs: number): number {
    const newest = this.#points.at(-1);
    const isBehind = newest === undefined ? (replay?.receivedLsn ?? 0n) > lsn : newest.lsn > lsn;
    if (!isBehind) return 0;
    const reached = this.#points.findLast((point) => point.lsn <= lsn);
    if (reached !== undefined) return (nowMs - reached.ms) / 1000;
    const watchedMs = nowMs - (this.#points[0]?.ms ?? nowMs);
    return Math.max(watchedMs / 1000, replay?.lastCommitSeconds ?? 0);
  }
}

/** Of those that are too many goes the one whose neighbours are closest in relation to its age. */
function thinned(points: readonly Point[]): readonly Point[] {
  if (points.length <= pointsMax) return points;
  const newestMs = points.at(-1)?.ms ?? 0;
  const weights = points.slice(1, -1).map(({ ms }, at) => ((points[at + 2]?.ms ?? 0) - (points[at]?.ms ?? 0)) / (newestMs - ms + 1));
  return points.toSpliced(weights.indexOf(Math.min(...weights)) + 1, 1);
}
