import type { SiteConfig } from '../config/config.ts';
import { loadConfig, selectSite } from '../config/load.ts';
import { explain, OperatorError } from '../lib/errors.ts';
import { findMissingWal, type SyncDeps, type SyncFailure, syncWal } from '../wal/sync.ts';
import { lookAtCluster, type SyncCluster } from '../wal/sync-cluster.ts';
import { requiredBackup } from '../wal/sync-plan.ts';
import { describeArchiveSync, type SyncFlags } from './archive-sync-flags.ts';
import { DaemonArchive } from './daemon-archive.ts';
import { DaemonClient, daemonAddressOf } from './daemon-client.ts';
import { basebackupsOverHttp } from './http-basebackups.ts';
import { interruptible, runCommand } from './main.ts';
import { configFileOf, parseFlags } from './parse-flags.ts';

const namesShownMax = 20;

/** Has archived what the WAL directory has and the archive lacks, and verifies that nothing is missing since the newest base backup. */
async function main(argv: string[]): Promise<number> {
  const command = describeArchiveSync();
  const exitCode = parseFlags(command, argv);
  if (exitCode !== undefined) return exitCode;
  const flags = command.opts<SyncFlags>();
  try {
    await interruptible((signal) => synchronise(flags, signal));
    return 0;
  } catch (error) {
    if (flags.debug) console.error(error);
    throw error;
  }
}

async function synchronise(flags: SyncFlags, signal: AbortSignal): Promise<void> {
  const config = await loadConfig(configFileOf(flags));
  const site = selectSite(config, flags.site);
  const daemon = new DaemonClient(daemonAddressOf(config), signal);
  const archive = new DaemonArchive(daemon, site.name, signal);
  const deps: SyncDeps = { archive, signal, say: console.log };
  const cluster = await lookAtCluster(...whereItIs(site), signal);
  const required = requiredBackup(await basebackupsOverHttp(daemon, site.name, warn), cluster.line);

  const { archived, failures } = await syncWal(cluster, required?.start.number, { hashChecksMax: flags.maxHashChecks }, deps);
  for (const { error } of failures) console.error(`ERROR: ${explain(error)}`);
  console.log(`Archived ${archived.length} files that were missing or different`);

  const problem = flags.verify ? await verify(cluster, required, failures, deps) : failed(failures);
  if (problem === undefined) return;
  if (!flags.verify || !flags.createNewBackupOnFailure) throw problem;
  console.error(`ERROR: ${explain(problem)}`);
  await archive.requestBasebackup();
  console.log('Requested a new base backup');
}

/** What keeps the newest base backup from being restored to the present; undefined if nothing does. */
async function verify(
  cluster: SyncCluster,
  required: ReturnType<typeof requiredBackup>,
  failures: readonly SyncFailure[],
  deps: SyncDeps,
): Promise<OperatorError | undefined> {
  if (required === undefined) {
    return new OperatorError('basebackup-missing', 'there is no base backup that leads to where the server is now', {
      hint: 'Have one taken: --create-new-backup-on-failure asks for it.',
    });
  }
  const missing = await findMissingWal(cluster, required.start, deps);
  if (missing.length > 0) return incomplete(missing, required.backup.name);
  const problem = failed(failures);
  if (problem === undefined) {
    const { name, startWalSegment } = required.backup;
    console.log(`Verified that all WAL since the base backup ${name}, which starts in ${startWalSegment}, is archived`);
  }
  return problem;
}

function incomplete(missing: readonly string[], backup: string): OperatorError {
  return new OperatorError('archive-incomplete', `${missing.length} WAL files are missing in the archive: ${listOf(missing)}`, {
    hint: `The base backup ${backup} can only be restored up to the first of them. Have a new one taken: --create-new-backup-on-failure asks for it.`,
  });
}

function failed(failures: readonly SyncFailure[]): OperatorError | undefined {
  if (failures.length === 0) return undefined;
  return new OperatorError(
    'archive-incomplete',
    `${failures.length} WAL files could not be archived: ${listOf(failures.map(({ name }) => name))}`,
  );
}

function listOf(names: readonly string[]): string {
  const shown = names.slice(0, namesShownMax).join(', ');
  return names.length > namesShownMax ? `${shown} and ${names.length - namesShownMax} more up to ${names.at(-1)}` : shown;
}

function whereItIs({ name, nodes, pg_data_directory: dataDirectory }: SiteConfig) {
  const missing = nodes.length === 0 ? 'nodes' : 'pg_data_directory';
  if (nodes.length > 0 && dataDirectory !== null) return [nodes.map((node) => node.conninfo), dataDirectory] as const;
  throw new OperatorError('config-invalid', `backup_sites.${name}.${missing} is missing: without it there is no WAL to look at`);
}

function warn(message: string): void {
  console.error(`WARNING: ${message}`);
}

runCommand('pghoard_archive_sync', main);
