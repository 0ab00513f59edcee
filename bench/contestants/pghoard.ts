import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Processes } from '../../scripts/demo/processes.ts';
import { freePort } from '../../test/support/free-port.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import type { Arena, Contestant } from '../contestant.ts';
import { run } from '../run.ts';

const site = 'bench';
const bin = join(dirname(fileURLToPath(import.meta.url)), '../../../bin');
const readyMsMax = 60_000;
const backupMsMax = 3_600_000;

/** Ours: the daemon and its commands, as an operator runs them: local-tar, snappy, encrypted. */
export async function openPghoard(arena: Arena): Promise<Contestant> {
  const port = await freePort();
  const config = await writeConfig(arena, port);
  await run(join(bin, 'pghoard_create_keys'), ['--site', site, '--key-id', 'bench', '--config', config]);
  const processes = new Processes();
  const pid = processes.start({
    name: 'the pghoard daemon',
    command: [join(bin, 'pghoard'), '--config', config],
    logFile: join(arena.directory, 'pghoard.log'),
    cwd: arena.directory,
    stopSignal: 'SIGTERM',
  });
  const request = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${port}${path}`, { method });
  const listed = async () => {
    const { basebackups } = (await (await request(`/${site}/basebackup`)).json()) as { basebackups: { name: string }[] };
    return basebackups.map(({ name }) => name);
  };
  const archiveFlags = ['--mode', 'archive', '--site', site, '--port', String(port), '--xlog'];
  await waitFor(async () => (await request('/status')).ok, { withinMs: readyMsMax, what: 'the daemon answers' });
  return {
    name: 'pghoard',
    pids: [pid],
    archiveCommand: [`"${join(bin, 'pghoard_postgres_command')}"`, ...archiveFlags, '%f'].join(' '),
    backup: async () => {
      const before = await listed();
      await request(`/${site}/archive/basebackup`, 'PUT');
      const done = async () => (await listed()).some((name) => !before.includes(name));
      await Promise.race([waitFor(done, { withinMs: backupMsMax, everyMs: 20, what: 'the backup is stored' }), processes.lost]);
    },
    restore: async (target) => {
      const flags = ['get-basebackup', '--config', config, '--site', site, '--target-dir', target, '--restore-to-primary'];
      await run(join(bin, 'pghoard_restore'), flags);
    },
    archive: async (path) =>
      void (await run(join(bin, 'pghoard_postgres_command'), [...archiveFlags, path.slice(dirname(path).length + 1)])),
    [Symbol.asyncDispose]: () => processes[Symbol.asyncDispose](),
  };
}

async function writeConfig({ postgres, directory, threads }: Arena, port: number): Promise<string> {
  for (const name of ['spool', 'store']) await mkdir(join(directory, name));
  const config = join(directory, 'pghoard.json');
  const content = {
    backup_location: join(directory, 'spool'),
    json_state_file_path: join(directory, 'state.json'),
    http_port: port,
    log_level: 'WARNING',
    compression: { algorithm: 'snappy', thread_count: threads },
    backup_sites: {
      [site]: {
        nodes: [{ host: postgres.socketDirectory, port: postgres.port, user: 'postgres', dbname: 'postgres' }],
        pg_data_directory: postgres.dataDirectory,
        active_backup_mode: 'archive_command',
        basebackup_mode: 'local-tar',
        basebackup_interval_hours: null, // only when asked
        object_storage: { storage_type: 'local', directory: join(directory, 'store') },
      },
    },
  };
  await writeFile(config, JSON.stringify(content), { mode: 0o600 });
  return config;
}
