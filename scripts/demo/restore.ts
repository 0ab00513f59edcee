import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Daemon, site, tool } from './daemon.ts';
import { connect, type Database } from './database.ts';
import { makePrivate, type Place } from './place.ts';
import type { Processes } from './processes.ts';
import { type Fingerprint, fingerprint } from './purchases.ts';
import { megabytes, type ShowProgress } from './screen.ts';
import { socketPort, startServer } from './server.ts';

/** A second cluster, made from the backup. */
export interface Restored {
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly logFile: string;
}

interface RestoreStatus {
  readonly downloaded_bytes: number;
  readonly total_bytes: number;
  readonly progress_percent: number;
}

/** Runs `pghoard_restore` into a second directory, up to `second`. */
export async function restore(
  { place, database, daemon, processes }: { place: Place; database: Database; daemon: Daemon; processes: Processes },
  second: string,
  show: ShowProgress,
): Promise<Restored> {
  const socketDirectory = await makePrivate(place, 'restored');
  const dataDirectory = join(socketDirectory, 'data');
  await mkdir(dataDirectory, { mode: 0o700 });
  await chown(dataDirectory, place.user.uid, place.user.gid);
  const statusFile = join(place.directory, 'restore-status.json');
  const flags = ['--status-output-file', statusFile, 'get-basebackup', '--config', daemon.configFile, '--site', site];
  flags.push('--target-dir', dataDirectory, '--restore-to-primary');
  flags.push('--recovery-target-time', second, '--recovery-target-action', 'promote');
  flags.push('--pghoard-postgres-command-bin', join(place.packageRoot, 'bin/pghoard_postgres_command'));
  for (const name of await tablespaces(database)) {
    flags.push('--tablespace-dir', `${name}=${await makeTablespace(place, socketDirectory, name)}`);
  }
  const watcher = setInterval(() => void showStatus(statusFile, show), 200);
  try {
    await processes.run({ ...tool(place, 'pghoard_restore', flags), logFile: join(place.directory, 'restore.log') });
  } finally {
    clearInterval(watcher);
  }
  return { dataDirectory, socketDirectory, logFile: join(place.directory, 'restored-postgres.log') };
}

/** Starts the restored cluster and waits until it has replayed its WAL. Its own settings stay aside: it runs beside the one it came from. */
export async function startRestored(place: Place, database: Database, restored: Restored, processes: Processes): Promise<void> {
  const settingsFile = join(place.directory, 'restored.conf');
  const hbaFile = join(place.directory, 'restored-hba.conf');
  await writeFile(settingsFile, '# Everything is on the command line.\n', { mode: 0o644 });
  await writeFile(hbaFile, 'local all all trust\n', { mode: 0o644 }); // the socket's directory is closed to others
  await startServer(
    {
      name: 'the restored PostgreSQL',
      bin: database.bin,
      ...restored,
      settings: { config_file: settingsFile, hba_file: hbaFile, archive_mode: 'off', hot_standby: 'off' },
    },
    place,
    processes,
  );
}

export async function fingerprintOfRestored(database: Database, restored: Restored): Promise<Fingerprint> {
  const client = await connect({ ...database.login, host: restored.socketDirectory, port: socketPort });
  try {
    return await fingerprint(async (sql) => (await client.query(sql)).rows);
  } finally {
    await client.end();
  }
}

async function tablespaces({ query }: Database): Promise<string[]> {
  const rows = await query(`SELECT spcname AS name FROM pg_tablespace WHERE pg_tablespace_location(oid) <> ''`);
  return rows.map(({ name }) => String(name));
}

async function makeTablespace({ user }: Place, home: string, name: string): Promise<string> {
  const directory = join(home, `tablespace-${encodeURIComponent(name)}`);
  await mkdir(directory, { mode: 0o700 });
  await chown(directory, user.uid, user.gid);
  return directory;
}

async function showStatus(file: string, show: ShowProgress): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => undefined); // not written yet
  const status = text === undefined ? undefined : (JSON.parse(text) as RestoreStatus);
  if (!status || status.total_bytes === 0) return;
  show(`${megabytes(status.downloaded_bytes)} of ${megabytes(status.total_bytes)}`, status.progress_percent);
}
