import type { WalArchiveView } from '../wal-archive-view.ts';
import type { Cause } from './cause.ts';
import type { RecoverabilityFacts } from './facts.ts';
import type { HoleFacts } from './hole-cause.ts';
import type { Reaches } from './reaches.ts';
import type { RecoverableTimeline, RestorePoint, Span } from './recoverability.ts';
import { domainsOf } from './timeline-domains.ts';
import { spansOf } from './timeline-spans.ts';
import type { KnownTimeline } from './timelines.ts';
import type { WalBackup } from './wal-backup.ts';

export interface SpanSources extends HoleFacts {
  readonly facts: RecoverabilityFacts;
  readonly archive: WalArchiveView;
  readonly timelines: readonly KnownTimeline[];
  readonly backups: readonly WalBackup[];
  readonly reaches: Reaches;
  readonly doubts: Reaches;
  readonly proven: Reaches;
  /** Timelines that a restore follows which names none. */
  readonly current: ReadonlySet<number>;
}

/** Those of which there is anything to tell, ascending. */
export function timelinesWithSpans(sources: SpanSources): readonly RecoverableTimeline[] {
  const { facts, archive, timelines, reaches, doubts, proven } = sources;
  const { ranges: stored, reached } = archive;
  const domains = domainsOf({ ...sources, stored, reached, reaches: [reaches, doubts] });
  const found = new Map<number, readonly Span[]>();
  return timelines.flatMap((at) => {
    const { timeline, parent } = at;
    const domain = domains.get(timeline);
    if (domain === undefined) return [];
    const covered = reaches.get(timeline) ?? [];
    const spans = spansOf({
      ...sources,
      servers: facts.servers,
      times: facts.times,
      at,
      domain,
      covered,
      proven: proven.get(timeline) ?? [],
      doubtful: doubts.get(timeline) ?? [],
      line: lineTo(timeline, timelines),
      ofParent: parent && causeAt(parent.switchLsn, found.get(parent.timeline) ?? []),
    });
    found.set(timeline, spans);
    const isReachable = (lsn: bigint) => covered.some(({ from, to }) => from.lsn <= lsn && lsn <= to.lsn);
    const restorePoints = facts.restorePoints
      .filter((point) => point.timeline === timeline)
      .map(({ name, lsn, time }): RestorePoint => ({ name, lsn, time, isReachable: isReachable(lsn) }));
    const begun = facts.times.beginOf(timeline);
    return [
      { timeline, ...(parent && { parent: { ...parent, time: begun } }), isCurrent: sources.current.has(timeline), spans, restorePoints },
    ];
  });
}

/** A timeline and those that lead to it. */
function lineTo(timeline: number, timelines: readonly KnownTimeline[]): ReadonlySet<number> {
  const parents = new Map(timelines.map(({ timeline: child, parent }) => [child, parent?.timeline]));
  const line = new Set<number>();
  for (let at: number | undefined = timeline; at !== undefined && !line.has(at); at = parents.get(at)) line.add(at);
  return line;
}

/** Why a position cannot be restored. */
function causeAt(lsn: bigint, spans: readonly Span[]): Cause | undefined {
  return spans.find(({ cause, to }) => cause !== undefined && to.lsn !== undefined && to.lsn >= lsn)?.cause;
}
