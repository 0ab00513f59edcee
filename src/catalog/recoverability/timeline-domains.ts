import type { Lsn } from '../../postgres/lsn.ts';
import type { StoredRanges } from '../line-runs.ts';
import type { NeedyBackup } from '../needy-backups.ts';
import type { Reached } from '../wal-archive-view.ts';
import type { LostBackup } from './hole-cause.ts';
import { greater, lesser, type Reaches } from './reaches.ts';
import type { KnownTimeline } from './timelines.ts';

/** Which part of a timeline somebody may want to restore: from where any base backup leads to it, up to the last of its WAL. */
export interface Domain {
  readonly from: Lsn;
  readonly to: Lsn;
}

export interface DomainFacts {
  readonly timelines: readonly KnownTimeline[];
  /** All complete ones. */
  readonly backups: readonly NeedyBackup[];
  /** Those of them that cannot be restored. */
  readonly lost: readonly LostBackup[];
  readonly stored: StoredRanges;
  readonly reached: ReadonlyMap<number, Reached>;
  readonly segmentBytes: number;
  /** What can be restored, or may be. */
  readonly reaches: readonly Reaches[];
}

/** By timeline. WAL from before every base backup is not missed, and has none. */
export function domainsOf(facts: DomainFacts): ReadonlyMap<number, Domain> {
  const { timelines, segmentBytes } = facts;
  const domains = new Map<number, Domain>();
  const startOf = (number: bigint) => number * BigInt(segmentBytes);
  const oldest = facts.backups
    .map(({ start }) => start.number)
    .reduce<bigint | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined);
  for (const { timeline, parent } of timelines) {
    const from = beginOf(timeline, parent, { facts, domains, oldest, startOf });
    if (from === undefined) continue;
    const left = timelines.flatMap((child) => (child.parent?.timeline === timeline ? [child.parent.switchLsn] : []));
    const last = facts.stored.of(timeline).at(-1);
    const known = facts.reached.get(timeline);
    const ends = facts.lost.flatMap(({ backup: { start, end = start } }) => (end.timeline === timeline ? [startOf(end.number + 1n)] : []));
    const reachEnds = facts.reaches.flatMap((reaches) => (reaches.get(timeline) ?? []).map(({ to }) => to.lsn));
    const all = [...left, ...ends, ...reachEnds, ...(last ? [startOf(last.last + 1n)] : []), ...(known ? [startOf(known.end)] : [])];
    const to = all.reduce(greater, from);
    domains.set(timeline, { from, to });
  }
  return domains;
}

interface BeginFacts {
  readonly facts: DomainFacts;
  /** Those of older timelines. */
  readonly domains: ReadonlyMap<number, Domain>;
  readonly oldest: bigint | undefined;
  readonly startOf: (number: bigint) => Lsn;
}

function beginOf(timeline: number, parent: KnownTimeline['parent'], { facts, domains, oldest, startOf }: BeginFacts): Lsn | undefined {
  const begin = parent?.switchLsn ?? 0n;
  const before = parent && domains.get(parent.timeline);
  if (before !== undefined && before.from <= begin) return begin;
  const starts = facts.lost.flatMap(({ backup: { start } }) => (start.timeline === timeline ? [startOf(start.number)] : []));
  const reached = facts.reaches.flatMap((reaches) => (reaches.get(timeline) ?? []).map(({ from }) => from.lsn));
  const first = [...starts, ...reached].reduce<Lsn | undefined>((a, b) => (a === undefined ? b : lesser(a, b)), undefined);
  if (first !== undefined) return greater(first, begin);
  // Nothing leads there. What is older than every base backup is on its way out.
  const stored = facts.stored.of(timeline).find(({ last }) => oldest === undefined || last >= oldest);
  const number = stored && (oldest !== undefined && stored.first < oldest ? oldest : stored.first);
  return number === undefined ? undefined : greater(startOf(number), begin);
}
