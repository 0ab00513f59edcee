import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { CodecPool } from '../codec/pool.ts';
import type { Clock } from '../lib/clock.ts';
import { explain } from '../lib/errors.ts';
import { syncFileSystem } from '../lib/sync-file-system.ts';
import type { Progress } from '../transfer/progress.ts';
import { adviceFor, sourceTimeZone } from './advice.ts';
import { checkCluster } from './check-cluster.ts';
import { checkDirectory, checkDisjoint, type TargetDirectory } from './check-directories.ts';
import { type Choice, chooseBasebackup } from './choose.ts';
import { checkFreeSpace } from './free-space.ts';
import { coveredWishes, type SiteBackup } from './kept-alone.ts';
import type { Layout } from './layout.ts';
import { placeLinks, placeTablespaceLinks } from './place-links.ts';
import { planRestore, type RestorePlan, type RestoreSource } from './plan.ts';
import { markerText, prepareDirectory, unmarkDirectory } from './prepare-directories.ts';
import { type Preservation, preserve, RestorePin, unpreserve } from './preserve.ts';
import { type RecoveryWishes, recoveryFiles } from './recovery-settings.ts';
import { restoreCommand, type WalSource } from './restore-command.ts';
import { RestoredDirectory } from './restored-directory.ts';
import { type SettleInput, settleTree } from './settle-tree.job.ts';
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
  /** Empty the data directory first. */
  readonly overwrite: boolean;
  readonly tablespaces: TablespaceWishes;
  readonly recovery: RecoveryWishes;
  /** Keep daemons from deleting the backup, and the WAL it needs, until then. */
  readonly preserveUntil?: Date | undefined;
  /** Take that back once the restore has succeeded. */
  readonly cancelPreserveOnSuccess: boolean;
}

export interface RestoreDeps {
  readonly sources: readonly RestoreSource[];
  readonly pool: CodecPool;
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
}

const passwordFile = 'pghoard_restore_password';

/**
 * Restores a base backup so that PostgreSQL recovers to the wished target when it is started. Until the last step the directory cannot be
 * started on and says so in a marker file; what a failure leaves behind is emptied by the next restore with `overwrite`.
 */
export async function restoreBasebackup(request: RestoreRequest, deps: RestoreDeps, signal: AbortSignal): Promise<RestoreResult> {
  const all = await backupsOf(deps, signal);
  const choice = chooseBasebackup(all, { basebackup: request.basebackup, target: request.recovery.target }, deps.clock.now());
  deps.onChosen(choice);
  const { source, ...entry } = choice.backup;
  const recovery = await coveredWishes(request.recovery, { backup: choice.backup, all }, deps.say, signal);
  const preservation = preservationOf(request, source, entry.key);
  await preserve(preservation, deps.warn, signal);
  await using pin = await RestorePin.set({ catalog: source.catalog, backupKey: entry.key }, deps, signal);
  const plan = await planRestore(source, entry, request, { pool: deps.pool, signal });
  const directories = await checkDirectories(plan.layout, request);
  await checkFreeSpace(directories, plan);
  const settled = settledPlan(plan, directories);
  await prepare(directories, entry, deps, signal);
  const unpacked = await fetchFiles(settled, deps, signal);
  const restored = RestoredDirectory.inspect(settled.layout.dataDirectory);
  await checkCluster(restored.cluster, { source, entry }, { warn: deps.warn, signal });
  const links = finishTree(restored, settled.layout, unpacked);
  const existing = restored.settings();
  await writeSettings(restored, source, recovery, deps);
  await makeDurable(restored, settled.layout, deps, signal);
  await commit(restored, directories);
  await pin.leaveForRecovery();
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

async function checkDirectories({ dataDirectory, tablespaces }: Layout, request: RestoreRequest): Promise<TargetDirectory[]> {
  const uid = process.getuid?.();
  const { overwrite } = request;
  const directories = [await checkDirectory(dataDirectory, 'data directory', { overwrite, mayBeAbsent: true, uid })];
  const { baseDirectory } = request.tablespaces;
  // A base directory with a slip of the pen is not made.
  const mayBeMade = baseDirectory !== undefined && (overwrite || existsSync(baseDirectory));
  for (const { name, oid, directory } of tablespaces) {
    const mayBeAbsent = mayBeMade && directory === join(baseDirectory, String(oid));
    directories.push(await checkDirectory(directory, `tablespace '${name}'`, { overwrite, mayBeAbsent, uid }));
  }
  checkDisjoint(directories);
  return directories;
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

async function prepare(
  directories: readonly TargetDirectory[],
  { key }: BasebackupEntry,
  deps: RestoreDeps,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const marker = markerText(key, deps.clock.now());
  for (const directory of directories) {
    if (directory.state === 'to-be-emptied') deps.say(`Emptying ${directory.path}`);
    await prepareDirectory(directory, marker);
  }
}

async function fetchFiles(plan: RestorePlan, deps: RestoreDeps, signal: AbortSignal): Promise<Unpacked> {
  deps.progress.totalBytes = plan.storedBytes;
  return unpack(plan, {
    pool: deps.pool,
    signal,
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

async function writeSettings(
  restored: RestoredDirectory,
  { site }: RestoreSource,
  recovery: RecoveryWishes,
  { wal }: RestoreDeps,
): Promise<void> {
  const { credentials, ...server } = wal;
  if (credentials) await restored.writeSecret(passwordFile, `${credentials.password}\n`);
  const command = restoreCommand({
    ...server,
    site,
    ...(credentials && { credentials: { username: credentials.username, passwordFile } }),
  });
  await restored.writeRecoveryFiles(recoveryFiles(restored.version, recovery, command, restored.settings()));
}

async function makeDurable(restored: RestoredDirectory, layout: Layout, { pool, say }: RestoreDeps, signal: AbortSignal): Promise<void> {
  say('Making everything durable');
  const owner = process.getuid?.() === 0 ? restored.owner() : undefined;
  const roots = [layout.dataDirectory, ...layout.tablespaces.map(({ directory }) => directory)];
  if (owner) await settle(roots, { owner, sync: false }, pool, signal);
  const synced = await Promise.all(roots.map((root) => syncFileSystem(root, signal)));
  const unsynced = roots.filter((_, index) => !synced[index]);
  await settle(unsynced, { owner: undefined, sync: true }, pool, signal);
}

async function settle(
  roots: readonly string[],
  how: Pick<SettleInput, 'owner' | 'sync'>,
  pool: CodecPool,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(roots.map((root) => pool.run(settleTree, { root, ...how }, { signal })));
}

/** Cannot be interrupted: a signal that comes now comes too late. */
async function commit(restored: RestoredDirectory, directories: readonly TargetDirectory[]): Promise<void> {
  await restored.putControlFileInPlace();
  for (const { path } of directories) await unmarkDirectory(path);
}
