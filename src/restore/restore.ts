import { isAbsolute, join } from 'node:path';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { segmentBytesIn } from '../catalog/wal-entry.ts';
import { type JobRunner, thisThread } from '../codec/pool.ts';
import type { Clock } from '../lib/clock.ts';
import { explain, isOperatorError } from '../lib/errors.ts';
import { syncFileSystem } from '../lib/sync-file-system.ts';
import type { Progress } from '../transfer/progress.ts';
import { adviceFor, sourceTimeZone } from './advice.ts';
import { checkCluster } from './check-cluster.ts';
import type { TargetDirectory } from './check-directories.ts';
import { checkReused } from './check-reused.ts';
import { checkTargets } from './check-targets.ts';
import { type Choice, chooseBasebackup } from './choose.ts';
import { checkFreeSpace } from './free-space.ts';
import { RestoreJournal } from './journal.ts';
import { coveredWishes, type SiteBackup } from './kept-alone.ts';
import { isWorthThreads } from './lanes.ts';
import type { Layout } from './layout.ts';
import { placeLinks, placeTablespaceLinks } from './place-links.ts';
import { planRestore, type RestorePlan, type RestoreSource } from './plan.ts';
import { markerIn, markerText, prepareDirectory, unmarkDirectory } from './prepare-directories.ts';
import { type Preservation, preserve, RestorePin, unpreserve } from './preserve.ts';
import { type ExistingSettings, type RecoveryWishes, recoveryFiles } from './recovery-settings.ts';
import { restoreCommand, type WalSource } from './restore-command.ts';
import { RestoredDirectory } from './restored-directory.ts';
import { moveAside, removeSetAside } from './set-aside.ts';
import { type Owner, type SettleInput, settleTree } from './settle-tree.job.ts';
import type { TablespaceWishes } from './tablespaces.ts';
import { type Unpacked, unpack } from './unpack.ts';
import type { PendingLink } from './unpacker.ts';

export type { SiteBackup } from './kept-alone.ts';
export type { RestoreSource } from './plan.ts';

export interface RestoreRequest {
  /** `latest`, or a name or key. */
  readonly basebackup: string;
  /** Absolute. */
  readonly dataDirectory: string;
  /** Empty the data directory first, unless it holds this very restore, unfinished. */
  readonly overwrite: boolean;
  /** Keep what is in the directories already, as far as it is the same. */
  readonly reuse: boolean;
  readonly tablespaces: TablespaceWishes;
  readonly recovery: RecoveryWishes;
  /** Keep daemons from deleting the backup, and the WAL it needs, until then. */
  readonly preserveUntil?: Date | undefined;
  /** Take that back once the restore has succeeded. */
  readonly cancelPreserveOnSuccess: boolean;
  /** The caller keeps daemons from deleting the backup; otherwise that is done here, and for a while after, in which somebody starts the server. */
  readonly isKept?: boolean;
}

export interface RestoreDeps {
  readonly sources: readonly RestoreSource[];
  /** For base backups that are worth the start of threads. */
  readonly pool: JobRunner;
  readonly clock: Clock;
  readonly progress: Progress;
  /** Where the restored server gets its WAL; the site is the one that has the backup. */
  readonly wal: Omit<WalSource, 'site' | 'credentials'> & {
    readonly credentials?: { readonly username: string; readonly password: string } | undefined;
  };
  readonly onChosen: (choice: Choice<SiteBackup>) => void;
  readonly say: (message: string) => void;
  readonly warn: (message: string) => void;
}

export interface RestoreResult {
  readonly backup: BasebackupEntry;
  readonly site: string;
  readonly dataDirectory: string;
  readonly files: number;
  readonly plainBytes: number;
  /** What to look at before the first start. */
  readonly advice: readonly string[];
  /** As the source's settings name it, where they do. */
  readonly sourceTimeZone: string | undefined;
  /** Whose the files are; undefined: this process's. */
  readonly owner: Owner | undefined;
}

/** In the data directory. */
export const passwordFile = 'pghoard_restore_password';

/**
 * Restores a base backup so that PostgreSQL recovers to the wished target when it is started. Until the last step the directory cannot be
 * started on and says so in a marker file. What has been done by then stands in a journal, and the same request goes on from there.
 */
export async function restoreBasebackup(request: RestoreRequest, given: RestoreDeps, signal: AbortSignal): Promise<RestoreResult> {
  const all = await backupsOf(given, signal);
  const { target } = request.recovery;
  const segmentBytes = target.kind === 'lsn' ? await segmentBytesOf(all, signal) : undefined;
  const choice = chooseBasebackup(all, { basebackup: request.basebackup, target, segmentBytes }, given.clock.now());
  given.onChosen(choice);
  const { source, ...entry } = choice.backup;
  const deps = isWorthThreads(entry) ? given : { ...given, pool: thisThread };
  const recovery = await coveredWishes(request.recovery, { backup: choice.backup, all }, deps.say, signal);
  const preservation = preservationOf(request, source, entry.key);
  await preserve(preservation, deps.warn, signal);
  await using pin = request.isKept ? undefined : await RestorePin.set({ catalog: source.catalog, backupKey: entry.key }, deps, signal);
  const plan = await planRestore(source, entry, request, { pool: deps.pool, signal });
  const found = await checkTargets(plan.layout, request);
  await checkReused(found, source, signal);
  const settled = settledPlan(plan, found);
  const { directories, ...unfinished } = await resumeIfUnfinished(found, settled, request);
  await using resumed = unfinished.resumed;
  await checkFreeSpace(directories, plan);
  await using journal = await prepare({ directories, resumed }, settled, deps, signal);
  const unpacked = await fetchFiles(settled, journal, { ...deps, isResumed: resumed !== undefined }, signal);
  const restored = RestoredDirectory.inspect(settled.layout.dataDirectory);
  await checkCluster(restored.cluster, { source, entry }, { warn: deps.warn, signal });
  const links = finishTree(restored, settled.layout, unpacked);
  await tidy(settled.layout, journal, deps);
  const existing = await settingsOf(restored, journal);
  await writeSettings(restored, source, { recovery, existing }, deps);
  await makeDurable(restored, settled.layout, deps, signal);
  await commit(restored, directories, journal);
  await pin?.leaveForRecovery();
  if (request.cancelPreserveOnSuccess) await unpreserve(preservation, deps.warn);
  const { files, plainBytes } = unpacked;
  const advice = adviceFor({
    dataDirectory: restored.path,
    site: source.site,
    settings: existing,
    hasPostgresqlConf: restored.hasPostgresqlConf,
    outsideLinks: outsideLinksOf(links),
    unknownOwner: restored.unknownOwner(),
  });
  return {
    backup: entry,
    site: source.site,
    dataDirectory: restored.path,
    files,
    plainBytes,
    advice,
    sourceTimeZone: sourceTimeZone(existing),
    owner: ownerOf(restored),
  };
}

function preservationOf({ preserveUntil }: RestoreRequest, { catalog }: RestoreSource, backupKey: string): Preservation | undefined {
  return preserveUntil && { catalog, backupKey, until: preserveUntil };
}

/** The base backups of all sources; what cannot be read is named and left out. */
export async function backupsOf({ sources, warn }: Pick<RestoreDeps, 'sources' | 'warn'>, signal?: AbortSignal): Promise<SiteBackup[]> {
  const all: SiteBackup[] = [];
  for (const source of sources) {
    const { entries, unreadable } = await source.catalog.basebackups(signal);
    for (const { key, why } of unreadable) warn(`${key} is left out: ${why}`);
    all.push(...entries.map((entry) => ({ ...entry, source })));
  }
  return all;
}

/** Of the WAL that is stored; undefined where none tells. */
export async function segmentBytesOf(backups: readonly SiteBackup[], signal: AbortSignal): Promise<number | undefined> {
  for (const { source, startWalSegment } of backups.toReversed()) {
    const stored = await source.catalog.findWal(startWalSegment, signal);
    const segmentBytes = stored && segmentBytesIn(stored);
    if (segmentBytes !== undefined) return segmentBytes;
  }
  return undefined;
}

/** The same plan with the directories as they really are, links resolved. */
function settledPlan(plan: RestorePlan, [data, ...rest]: readonly TargetDirectory[]): RestorePlan {
  const dataDirectory = data?.path ?? plan.layout.dataDirectory;
  const tablespaces = plan.layout.tablespaces.map((tablespace, index) => ({
    ...tablespace,
    directory: rest[index]?.path ?? tablespace.directory,
  }));
  return { ...plan, layout: { ...plan.layout, dataDirectory, tablespaces } };
}

interface Targets {
  readonly directories: readonly TargetDirectory[];
  /** That of a restore which was stopped there and is now gone on with. */
  readonly resumed: RestoreJournal | undefined;
}

/** A restore that was stopped goes on, whatever the wishes. One that cannot is emptied, if that is wished for. */
async function resumeIfUnfinished(directories: readonly TargetDirectory[], plan: RestorePlan, request: RestoreRequest): Promise<Targets> {
  if (directories[0]?.state !== 'unfinished') return { directories, resumed: undefined };
  const untouched = directories.find(({ state }) => state === 'to-be-reused')?.path;
  try {
    return { directories, resumed: await RestoreJournal.resume(plan, { reuse: request.reuse, untouched }) };
  } catch (error) {
    if (!request.overwrite || !isOperatorError(error, 'restore-journal-invalid', 'restore-journal-foreign')) throw error;
    const emptied = directories.map((found) => (found.state === 'unfinished' ? { ...found, state: 'to-be-emptied' as const } : found));
    return { directories: emptied, resumed: undefined };
  }
}

async function prepare(
  { directories, resumed }: Targets,
  plan: RestorePlan,
  { clock, say }: RestoreDeps,
  signal: AbortSignal,
): Promise<RestoreJournal> {
  signal.throwIfAborted();
  const { dataDirectory } = plan.layout;
  if (resumed) say(`Going on with the restore that was stopped: ${resumed.finishedCount} of ${plan.parts.length} objects are in place`);
  const marker = (resumed && (await markerIn(dataDirectory))) ?? markerText(plan.entry.key, clock.now());
  for (const directory of directories) {
    if (directory.state === 'to-be-emptied') say(`Emptying ${directory.path}`);
    await prepareDirectory(directory, marker);
  }
  const reuse = directories.some(({ state }) => state === 'to-be-reused');
  const journal = resumed ?? (await RestoreJournal.create(plan, reuse));
  if (!journal.reuse || journal.isSetAside) return journal;
  for (const { path } of directories) await moveAside(path);
  await journal.noteSetAside();
  return journal;
}

async function fetchFiles(
  plan: RestorePlan,
  journal: RestoreJournal,
  deps: RestoreDeps & { readonly isResumed: boolean },
  signal: AbortSignal,
): Promise<Unpacked> {
  deps.progress.totalBytes = plan.storedBytes;
  return unpack(plan, {
    pool: deps.pool,
    clock: deps.clock,
    signal,
    journal,
    isResumed: deps.isResumed,
    sync: async () => (await syncFileSystems(rootsOf(plan.layout), signal)).length === 0,
    keepOwners: process.getuid?.() === 0,
    onStoredBytes: (bytes) => deps.progress.add(bytes),
    onRetry: (key, error) => deps.warn(`fetching ${key} again: ${explain(error)}`),
  });
}

/** Returns the links made. */
function finishTree(restored: RestoredDirectory, layout: Layout, { links }: Unpacked): PendingLink[] {
  const made = placeLinks(links);
  placeTablespaceLinks(layout);
  restored.removeStrayDirectories();
  restored.adoptGroupAccess();
  return made;
}

function outsideLinksOf(links: readonly PendingLink[]): { path: string; target: string }[] {
  return links.filter(({ target }) => isAbsolute(target)).map(({ root, relative, target }) => ({ path: join(root, relative), target }));
}

/** Removes what was there before and is not in the backup. */
async function tidy(layout: Layout, { reuse }: RestoreJournal, { say }: RestoreDeps): Promise<void> {
  if (!reuse) return;
  say('Removing what is not in the base backup');
  for (const root of rootsOf(layout)) await removeSetAside(root);
}

/** As the backup has them: a restore that was stopped may have written its own. */
async function settingsOf(restored: RestoredDirectory, journal: RestoreJournal): Promise<ExistingSettings> {
  const settings = restored.settings();
  if (journal.autoConf === undefined) await journal.noteAutoConf(settings.autoConf);
  return { ...settings, autoConf: journal.autoConf ?? settings.autoConf };
}

async function writeSettings(
  restored: RestoredDirectory,
  { site }: RestoreSource,
  { recovery, existing }: { readonly recovery: RecoveryWishes; readonly existing: ExistingSettings },
  { wal }: RestoreDeps,
): Promise<void> {
  const { credentials, ...server } = wal;
  if (credentials) await restored.writeSecret(passwordFile, `${credentials.password}\n`);
  const command = restoreCommand({
    ...server,
    site,
    ...(credentials && { credentials: { username: credentials.username, passwordFile } }),
  });
  await restored.writeRecoveryFiles(recoveryFiles(restored.version, recovery, command, existing));
}

async function makeDurable(restored: RestoredDirectory, layout: Layout, { pool, say }: RestoreDeps, signal: AbortSignal): Promise<void> {
  say('Making everything durable');
  const owner = ownerOf(restored);
  const roots = rootsOf(layout);
  if (owner) await settle(roots, { owner, sync: false }, pool, signal);
  await settle(await syncFileSystems(roots, signal), { owner: undefined, sync: true }, pool, signal);
}

function ownerOf(restored: RestoredDirectory): Owner | undefined {
  return process.getuid?.() === 0 ? restored.owner() : undefined;
}

function rootsOf({ dataDirectory, tablespaces }: Layout): string[] {
  return [dataDirectory, ...tablespaces.map(({ directory }) => directory)];
}

/** Returns the roots whose file systems could not be made durable as a whole. */
async function syncFileSystems(roots: readonly string[], signal: AbortSignal): Promise<string[]> {
  const synced = await Promise.all(roots.map((root) => syncFileSystem(root, signal)));
  return roots.filter((_, index) => !synced[index]);
}

async function settle(
  roots: readonly string[],
  how: Pick<SettleInput, 'owner' | 'sync'>,
  pool: JobRunner,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(roots.map((root) => pool.run(settleTree, { root, ...how }, { signal })));
}

/** Cannot be interrupted: a signal that comes now comes too late. */
async function commit(restored: RestoredDirectory, directories: readonly TargetDirectory[], journal: RestoreJournal): Promise<void> {
  await journal.remove();
  await restored.putControlFileInPlace();
  for (const { path } of directories) await unmarkDirectory(path);
}
