import { historyNameOf } from '../postgres/wal-name.ts';
import { deleteAll } from '../storage/delete-many.ts';
import type { RetentionPlan } from './plan.ts';
import { storedHistories } from './stored-histories.ts';
import type { SweepDeps } from './sweep-delta-files.ts';
import { idleTimelines, type KnownTimelines, unneededHistories, usedTimelines } from './unneeded-histories.ts';

/** Deletes the histories of timelines that nothing needs. They are tiny, so where anything is not known they stay. Resolves to their names. */
export async function pruneHistories(
  plan: Pick<RetentionPlan, 'decision' | 'backups' | 'needs' | 'survey'>,
  deps: SweepDeps,
): Promise<readonly string[]> {
  const { catalog, log, signal } = deps;
  if (plan.needs === undefined) return [];
  const known = await timelinesOf(plan, deps);
  if (idleTimelines(known).length === 0) return [];
  const ancestors = new Map<number, readonly number[] | undefined>();
  for (const timeline of usedTimelines(known)) ancestors.set(timeline, await ancestorsOf(timeline, deps));
  const names = unneededHistories(known, ancestors).map(historyNameOf);
  await deleteAll(
    catalog.store,
    names.map((name) => catalog.walKey(name)),
    { signal },
  );
  if (names.length > 0) log.info({ histories: names.length }, `deleted histories of timelines that nothing needs: ${names.join(', ')}`);
  return names;
}

async function timelinesOf(
  { decision, backups, survey }: Pick<RetentionPlan, 'decision' | 'backups' | 'survey'>,
  deps: SweepDeps,
): Promise<KnownTimelines> {
  const { catalog, signal } = deps;
  const histories: number[] = [];
  for await (const { name } of catalog.walFiles('history', { signal })) histories.push(timelineOf(name));
  const stays = new Set(decision.backups.filter((backup) => backup.stays).map(({ name }) => name));
  const kept = backups.filter(({ name }) => stays.has(name));
  return {
    histories,
    ofBackups: [...new Set(kept.map(({ startWalSegment }) => timelineOf(startWalSegment)))],
    // Also of what goes just now: some of it may be locked.
    ofWal: [...new Set(survey.map(({ from }) => timelineOf(from)))],
  };
}

async function ancestorsOf(timeline: number, deps: SweepDeps): Promise<readonly number[] | undefined> {
  const history = await storedHistories(deps)(timeline);
  if (history === undefined)
    deps.log.debug({ history: historyNameOf(timeline) }, 'no timeline history is deleted: this one cannot be read');
  return history?.map((left) => left.timeline);
}

function timelineOf(name: string): number {
  return Number.parseInt(name.slice(0, 8), 16);
}
