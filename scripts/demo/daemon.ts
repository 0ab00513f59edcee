import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecoverabilityDocument } from '../../src/daemon/http/api.ts';
import { OperatorError } from '../../src/lib/errors.ts';
import { freePort } from '../../test/support/free-port.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import type { Database } from './database.ts';
import type { Place } from './place.ts';
import { type Processes, type Program, tailOfLog } from './processes.ts';
import { megabytes, type ShowProgress } from './screen.ts';

export const site = 'demo';

/** The pghoard daemon as an operator would run it. */
export interface Daemon {
  readonly port: number;
  readonly configFile: string;
  readonly storeDirectory: string;
  readonly stateFile: string;
  readonly logFile: string;
}

const readyMsMax = 60_000;
const backupMsMax = 600_000;
const archivedMsMax = 120_000;

/** Writes the configuration, with a new key pair made by our own tool. */
export async function configure(place: Place, database: Database): Promise<Daemon> {
  const at = (name: string) => join(place.directory, name);
  const daemon: Daemon = {
    port: await freePort(),
    configFile: at('pghoard.json'),
    storeDirectory: at('store'),
    stateFile: at('pghoard_state.json'),
    logFile: at('pghoard.log'),
  };
  for (const directory of [daemon.storeDirectory, at('spool'), at('alerts')]) await mkdir(directory, { mode: 0o700 });
  const config = {
    backup_location: at('spool'),
    alert_file_dir: at('alerts'),
    json_state_file_path: daemon.stateFile,
    maintenance_mode_file: at('maintenance_mode_file'),
    http_address: '127.0.0.1',
    http_port: daemon.port,
    compression: { algorithm: 'snappy' },
    backup_sites: {
      [site]: {
        nodes: [database.node],
        pg_data_directory: database.dataDirectory,
        active_backup_mode: 'archive_command',
        basebackup_mode: 'local-tar',
        basebackup_count: 2,
        basebackup_interval_hours: 24,
        object_storage: { storage_type: 'local', directory: daemon.storeDirectory },
        restore_drill: { workdir: at('drills'), pg_bin_directory: database.bin, user: await superuser(database), low_priority: false },
      },
    },
  };
  await writeFile(daemon.configFile, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 });
  return daemon;
}

export async function createKeys(place: Place, daemon: Daemon, processes: Processes): Promise<void> {
  const flags = ['--site', site, '--key-id', 'demo-key', '--config', daemon.configFile];
  await processes.run({ ...tool(place, 'pghoard_create_keys', flags), logFile: join(place.directory, 'create-keys.log') });
}

/** Starts it and waits until it answers. */
export async function startDaemon(place: Place, daemon: Daemon, processes: Processes): Promise<void> {
  processes.start({ ...tool(place, 'pghoard', ['--config', daemon.configFile]), logFile: daemon.logFile });
  await untilTrue(processes, daemon, readyMsMax, 'the daemon answers', async () => (await get(daemon, '/status')).ok);
}

/** How a command of the package is run. */
export function tool(place: Place, name: string, flags: readonly string[]): Omit<Program, 'logFile'> {
  const command: Program['command'] = [join(place.packageRoot, 'bin', name), ...flags];
  return { name, command, cwd: place.directory, stopSignal: 'SIGTERM' };
}

export function archiveCommand(place: Place, daemon: Daemon): string {
  return `"${join(place.packageRoot, 'bin/pghoard_postgres_command')}" --mode archive --site ${site} --port ${daemon.port} --xlog %f`;
}

/** Waits for the first base backup, which the daemon takes by itself; returns its name. */
export async function firstBackup(daemon: Daemon, processes: Processes, show: ShowProgress): Promise<string> {
  return untilTrue(processes, daemon, backupMsMax, 'there is a base backup', async () => {
    show(`${megabytes(await bytesBelow(daemon.storeDirectory))} stored`);
    const { basebackups } = (await (await get(daemon, `/${site}/basebackup`)).json()) as { basebackups: { name: string }[] };
    return basebackups[0]?.name;
  });
}

/** Closes the current WAL segment and waits until PostgreSQL was told that it is stored; returns its name. */
export async function archiveWal(database: Database, daemon: Daemon, processes: Processes): Promise<string> {
  const [row] = await database.query('SELECT pg_walfile_name(pg_switch_wal()) AS segment');
  const segment = String(row?.['segment']);
  await untilTrue(processes, daemon, archivedMsMax, `WAL segment ${segment} is archived`, async () => {
    const [archiver] = await database.query('SELECT last_archived_wal >= $1 AS archived FROM pg_stat_archiver', [segment]);
    return archiver?.['archived'] === true;
  });
  return segment;
}

/** Waits until the daemon has restored a base backup by itself and found it good; returns up to when that proves it: if it replayed no commit, that is the end of the base backup. */
export async function firstDrill(daemon: Daemon, processes: Processes): Promise<string> {
  return untilTrue(processes, daemon, backupMsMax, 'a restore drill has passed', async () => {
    const { basebackups, timelines } = (await (await get(daemon, `/${site}/recoverability`)).json()) as RecoverabilityDocument;
    const drilled = basebackups.find(({ drilled_at }) => drilled_at !== null);
    if (drilled === undefined) return undefined;
    const proven = timelines.flatMap(({ spans }) => spans).find(({ state }) => state === 'proven');
    return proven?.to.time ?? proven?.from.time ?? drilled.end ?? 'the end of the base backup';
  });
}

export async function bytesBelow(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory, { recursive: true })) {
    const found = await stat(join(directory, name)).catch(() => undefined); // it may be gone again
    if (found?.isFile()) bytes += found.size;
  }
  return bytes;
}

async function superuser({ query }: Database): Promise<string> {
  const [row] = await query('SELECT current_user AS name');
  return String(row?.['name']);
}

async function untilTrue<T>(
  processes: Processes,
  daemon: Daemon,
  withinMs: number,
  what: string,
  fact: () => Promise<T | false | undefined>,
): Promise<T> {
  const fulfilled = waitFor(fact, { withinMs, everyMs: 100, what }).catch((error: unknown) => {
    throw new OperatorError('demo-failed', `gave up waiting until ${what}`, {
      cause: error,
      hint: `The end of ${daemon.logFile}:\n${tailOfLog(daemon.logFile)}`,
    });
  });
  return Promise.race([fulfilled, processes.lost]);
}

function get(daemon: Daemon, path: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${daemon.port}${path}`);
}
