import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chown, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Processes } from '../../scripts/demo/processes.ts';
import { mainObjectSuffix } from '../../src/catalog/keys.ts';
import { freePort } from '../../test/support/free-port.ts';
import { systemUser } from '../../test/support/system-user.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import type { Arena, Contestant, WalCommand } from '../contestant.ts';
import { bytesBelow, makeOwn } from '../files.ts';
import { run } from '../run.ts';
import { streamedBackup } from '../works/base-backups.ts';

const site = 'bench';
const bin = join(dirname(fileURLToPath(import.meta.url)), '../../../bin');
/** The least effort with which ours stores no more than pgBackRest with its own default (3): small files share a stream here. */
const smallEnough = { algorithm: 'zstd', level: 1 };
const readyMsMax = 60_000;
const backupMsMax = 3_600_000;

/** A daemon of ours at work. */
export interface BenchDaemon extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  readonly config: string;
  /** Rejects as soon as it ends by itself. */
  readonly lost: Promise<never>;
  /** Where its site keeps segments. */
  readonly storedWal: string;
}

/** Starts it as an operator does, as the user of PostgreSQL. Resolves once it answers. */
export async function startDaemon(arena: Arena, siteSettings: object, settings: object = {}): Promise<BenchDaemon> {
  const port = await freePort();
  const user = { ...systemUser(), cwd: arena.directory };
  const config = await writeConfig(arena, port, siteSettings, settings);
  if (arena.flavour.isEncrypted)
    await run(join(bin, 'pghoard_create_keys'), ['--site', site, '--key-id', 'bench', '--config', config], user);
  const processes = new Processes();
  const pid = processes.start({
    name: 'the pghoard daemon',
    command: [join(bin, 'pghoard'), '--config', config],
    logFile: join(arena.directory, 'pghoard.log'),
    cwd: arena.directory,
    stopSignal: 'SIGTERM',
    user,
  });
  const isUp = async () => (await fetch(`http://127.0.0.1:${port}/status`)).ok;
  await Promise.race([waitFor(isUp, { withinMs: readyMsMax, what: 'the daemon answers' }), processes.lost]);
  const storedWal = join(arena.directory, 'store', site, 'xlog');
  return { port, pid, config, lost: processes.lost, storedWal, [Symbol.asyncDispose]: () => processes[Symbol.asyncDispose]() };
}

/** Ours, with base backups that the server sends (`stream`). */
export async function openStreaming(arena: Arena): Promise<Contestant> {
  const { commands: _commands, bare: _bare, ...contestant } = await openPghoard(arena, { mode: 'stream' });
  return { ...contestant, hasServerProcess: true, comparedAs: [streamedBackup] };
}

/** Ours: the daemon and its commands, with base backups by local-tar. */
export async function openPghoard(arena: Arena, { isMeasured = false, mode = 'local-tar' } = {}): Promise<Contestant> {
  const measured = isMeasured ? { measure_steps: true, prometheus: {} } : {};
  const daemon = await startDaemon(arena, { active_backup_mode: 'archive_command', basebackup_mode: mode }, measured);
  const { port, pid, config } = daemon;
  const user = { ...systemUser(), cwd: arena.directory };
  const url = `http://127.0.0.1:${port}`;
  const request = (path: string, method = 'GET', headers = {}) => fetch(`${url}${path}`, { method, headers });
  const done = async (answer: Promise<Response>) => assert.equal((await answer).status, 201);
  const store = join(arena.directory, 'store', site);
  const archiveFlags = ['--mode', 'archive', '--site', site, '--port', String(port), '--xlog'];
  return {
    name: 'pghoard',
    flavour: arena.flavour,
    pids: [pid],
    mark: arena.directory,
    archiveCommand: [`"${join(bin, 'pghoard_postgres_command')}"`, ...archiveFlags, '%f'].join(' '),
    backup: async () => {
      const before = await backupsIn(store);
      await request(`/${site}/archive/basebackup`, 'PUT');
      const isStored = async () => (await backupsIn(store)).some((name) => !before.includes(name));
      await Promise.race([waitFor(isStored, { withinMs: backupMsMax, everyMs: 10, what: 'the backup is stored' }), daemon.lost]);
    },
    storedBytes: async () => {
      const name = (await backupsIn(store)).at(-1) ?? '';
      const main = await stat(join(store, 'basebackup', name + mainObjectSuffix));
      return main.size + (await bytesBelow(join(store, 'basebackup_chunk', name)));
    },
    restore: async (target) => {
      await run('install', ['-d', '-m', '700', '-o', String(user.uid), '-g', String(user.gid), target]);
      const flags = ['get-basebackup', '--config', config, '--site', site, '--target-dir', target, '--restore-to-primary'];
      await run(join(bin, 'pghoard_restore'), flags, user);
    },
    commands: [
      commandOf('pghoard', `"${join(bin, 'pghoard_postgres_command')}"`, port),
      commandOf('pghoard, Node', `"${process.execPath}" "${join(bin, '../dist/programs/postgres-command.js')}"`, port),
      {
        name: 'curl',
        archive: (name) => `curl -sSf -o /dev/null -X PUT ${url}/${site}/archive/${name}`,
        restore: (name, output) => `curl -sSf -o /dev/null -H "x-pghoard-target-path: $PWD/${output}" ${url}/${site}/archive/${name}`,
      },
    ],
    bare: {
      archive: (name) => done(request(`/${site}/archive/${name}`, 'PUT')),
      restore: (name, output) =>
        done(request(`/${site}/archive/${name}`, 'GET', { 'x-pghoard-target-path': join(arena.postgres.dataDirectory, output) })),
    },
    ...(isMeasured && { steps: async () => stepsIn(await (await request('/metrics')).text()) }),
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

function stepsIn(metrics: string): Record<string, number> {
  const seconds: Record<string, number> = {};
  for (const [, step = '', value] of metrics.matchAll(/^pghoard_job_step_seconds_total\{[^}]*step="(\w+)"[^}]*\} (\S+)/gm))
    seconds[step] = (seconds[step] ?? 0) + Number(value);
  return seconds;
}

/** Base backups that are whole in the store, seen without troubling the daemon. */
async function backupsIn(store: string): Promise<string[]> {
  const directory = join(store, 'basebackup');
  const names = existsSync(directory) ? await readdir(directory) : [];
  const whole = names.filter((name) => name.endsWith(mainObjectSuffix) && names.includes(`${name}.metadata`));
  return whole.map((name) => name.slice(0, -mainObjectSuffix.length)).toSorted();
}

function commandOf(name: string, program: string, port: number): WalCommand {
  const start = (mode: string, xlog: string) => `${program} --mode ${mode} --site ${site} --port ${port} --xlog ${xlog}`;
  return {
    name,
    archive: (xlog) => start('archive', xlog),
    restore: (xlog, output) => `${start('restore', xlog)} --output ${output}`,
  };
}

async function writeConfig(
  { postgres, directory, threads, flavour }: Arena,
  port: number,
  siteSettings: object,
  settings: object,
): Promise<string> {
  const { uid, gid } = systemUser();
  for (const name of ['spool', 'store']) await makeOwn(join(directory, name));
  const config = join(directory, 'pghoard.json');
  const content = {
    backup_location: join(directory, 'spool'),
    json_state_file_path: join(directory, 'state.json'),
    http_port: port,
    log_level: 'WARNING',
    ...settings,
    compression: { ...(flavour.compression === 'fast' ? { algorithm: 'snappy' } : smallEnough), thread_count: threads },
    backup_sites: {
      [site]: {
        nodes: [{ host: postgres.socketDirectory, port: postgres.port, user: 'postgres', dbname: 'postgres' }],
        pg_data_directory: postgres.dataDirectory,
        basebackup_interval_hours: null, // only when asked
        object_storage: { storage_type: 'local', directory: join(directory, 'store') },
        ...siteSettings,
      },
    },
  };
  await writeFile(config, JSON.stringify(content), { mode: 0o600 });
  await chown(config, uid, gid);
  return config;
}
