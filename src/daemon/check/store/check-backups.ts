import type { BasebackupEntry } from '../../../catalog/basebackup-entry.ts';
import type { BasebackupListing, Catalog } from '../../../catalog/catalog.ts';
import { preservedUntil } from '../../../catalog/preservation.ts';
import type { SiteConfig } from '../../../config/load.ts';
import { ago } from '../../../lib/time-in-words.ts';
import { classifyWalFile } from '../../../postgres/wal-name.ts';
import { type WalDoubt, walDoubtOf } from '../../../retention/missing-wal.ts';
import { retainable } from '../../../retention/retainable.ts';
import { backupViews } from '../../backup-views.ts';
import { comingBasebackups } from '../../coming-basebackups.ts';
import { retentionRulesOf } from '../../retention-rules.ts';
import { scheduleOf } from '../../schedule.ts';
import { type CheckDeps, checkMsMax } from '../deps.ts';
import { about, type Finding, failed, failure, note, ok, warning } from '../finding.ts';
import { within } from '../within.ts';
import { checkHistories, historyReaderOf } from './check-histories.ts';
import { judgeRetention } from './judge-retention.ts';

/** A listing asks for each base backup. */
const listingMsMax = 60_000;
const shownMax = 3;
const hourMs = 3_600_000;
/** Who deletes chunks in use would do harm, so those of a backup that is being taken do not count. */
const orphanAgeMs = 24 * hourMs;

export interface BackupsOutcome {
  readonly findings: readonly Finding[];
  /** Undefined where they could not be listed. */
  readonly listing: BasebackupListing | undefined;
}

export interface ScheduleFacts {
  readonly isActive: boolean;
  readonly intervalHours: number | null;
  /** What asks the daemon for one. */
  readonly request: string;
}

/** What lies in the store, and whether it can be restored. `lastArchived`: what the servers believe to be stored. */
export async function checkBackups(
  site: SiteConfig,
  catalog: Catalog,
  lastArchived: readonly string[],
  deps: CheckDeps,
): Promise<BackupsOutcome> {
  const { clock, signal, config } = deps;
  const findings: Finding[] = [];
  let listing: BasebackupListing | undefined;
  const tell = async (id: string, ms: number, look: (limited: AbortSignal) => Promise<readonly Finding[]>) => {
    try {
      findings.push(...(await within(ms, signal, look)));
    } catch (error) {
      signal.throwIfAborted();
      findings.push(failed(id, error));
    }
  };
  const request = `curl -X PUT http://127.0.0.1:${config.http_port}/${encodeURIComponent(site.name)}/basebackup`;
  await tell('basebackup', listingMsMax, async (limited) => {
    listing = await catalog.basebackups(limited);
    const schedule = { isActive: site.active, intervalHours: site.basebackup_interval_hours, request };
    return [judgeBasebackups(listing.entries, schedule, clock.now()), ...judgeUnreadable(listing)];
  });
  const stored = listing?.entries ?? [];
  const newest = stored.at(-1);
  if (newest)
    await tell('basebackup-wal', listingMsMax, async (limited) => [
      judgeItsWal(newest, await walDoubtOf(newest, stored, catalog, { signal: limited }), request),
    ]);
  const sync = `pghoard_archive_sync --config ${config.file} --site ${site.name}`;
  if (stored.length > 0)
    await tell('history', listingMsMax, (limited) =>
      checkHistories(stored, catalog, { read: historyReaderOf(site, catalog), sync, signal: limited }),
    );
  if (listing !== undefined && listing.entries.length > 0) {
    const { entries } = listing;
    await tell('retention', checkMsMax, async (limited) => {
      const preserved = await preservedUntil(catalog, limited);
      const backups = entries.map((entry) => retainable(entry, { preserved }));
      const explain = `pghoard retention --config ${config.file} --site ${site.name} --explain`;
      const now = clock.now();
      const schedule = scheduleOf(site);
      const starts = comingBasebackups(backupViews(entries, schedule), schedule, now);
      return [judgeRetention({ backups, rules: retentionRulesOf(site), now, starts }, explain)];
    });
  }
  for (const name of new Set(lastArchived.filter(isStored))) {
    await tell('archived', checkMsMax, async (limited) => [
      judgeArchived(name, (await catalog.findWal(name, limited)) !== undefined, sync),
    ]);
  }
  await tell('leftovers', listingMsMax, async (limited) => {
    const untouchedSince = new Date(clock.now().getTime() - orphanAgeMs);
    const names: string[] = [];
    for await (const name of catalog.orphanChunks({ running: new Set(), untouchedSince, signal: limited })) names.push(name);
    return names.length === 0 ? [] : [judgeOrphans(names)];
  });
  return { findings, listing };
}

export function judgeBasebackups(
  entries: readonly Pick<BasebackupEntry, 'name' | 'startTime'>[],
  schedule: ScheduleFacts,
  now: Date,
): Finding {
  const { isActive, intervalHours, request } = schedule;
  const newest = entries.at(-1);
  if (newest === undefined) {
    const text = 'there is no base backup: nothing can be restored';
    return isActive ? warning('basebackup', text, request) : note('basebackup', text);
  }
  const count = entries.length === 1 ? 'one base backup' : `${entries.length} base backups`;
  const text = `${count}, the newest one, ${newest.name}, from ${ago(newest.startTime, now)}`;
  if (!isActive || intervalHours === null) return ok('basebackup', text);
  const ageHours = (now.getTime() - newest.startTime.getTime()) / hourMs;
  const late = `${text}: one is due every ${intervalHours} h`;
  if (ageHours > 3 * intervalHours)
    return failure('basebackup', late, request, `the log and /status of the daemon tell why none was taken`);
  if (ageHours > 1.5 * intervalHours + 1) return warning('basebackup', late, request);
  return ok('basebackup', text);
}

function judgeUnreadable({ unreadable }: BasebackupListing): Finding[] {
  const shown = unreadable
    .slice(0, shownMax)
    .map(({ key, why }) =>
      about(key, warning('unreadable', why, 'move it away if something else put it there; else bring it back from a copy')),
    );
  const rest = unreadable.length - shown.length;
  return rest > 0 ? [...shown, warning('unreadable', `${rest} more objects among the base backups cannot be used`)] : shown;
}

export function judgeItsWal({ name }: Pick<BasebackupEntry, 'name'>, doubt: WalDoubt | undefined, request: string): Finding {
  if (doubt === undefined) return ok('basebackup-wal', `the WAL that ${name} needs is all there`);
  if (doubt.kind === 'end-unknown')
    return note(
      'basebackup-wal',
      `${name} does not tell where its WAL ends, as old versions left it: the next base backup can prove that it is all there`,
    );
  const text = `${name} cannot be restored: the WAL segment ${doubt.segment} that it needs is not stored`;
  return failure('basebackup-wal', text, 'nothing, if it was taken a moment ago: its last segment is on its way', 'else:', request);
}

export function judgeArchived(name: string, isThere: boolean, sync: string): Finding {
  if (isThere) return about(name, ok('archived', 'the server believes it to be archived, and it is stored'));
  return about(
    name,
    failure(
      'archived',
      'the server believes it to be archived, but the store does not have it: archive_command goes elsewhere, or did',
      sync,
    ),
  );
}

function judgeOrphans(names: readonly string[]): Finding {
  const shown = names.slice(0, shownMax).join(', ');
  return note(
    'leftovers',
    `${names.length} base backups were not finished, and their chunks are still there (${shown}${names.length > shownMax ? ', …' : ''}); the daemon removes them`,
  );
}

/** The history file that ends a base backup is not kept. */
function isStored(name: string): boolean {
  const kind = classifyWalFile(name);
  return kind !== undefined && kind !== 'backup-label';
}
