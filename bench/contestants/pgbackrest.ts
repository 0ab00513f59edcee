import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemUser } from '../../test/support/system-user.ts';
import type { Arena, Contestant } from '../contestant.ts';
import { run } from '../run.ts';

/**
 * pgBackRest as Debian ships it: lz4, AES-256, as many processes as we have threads. Asynchronous: its commands push and get ahead of being asked,
 * in processes that go on in the background.
 */
export async function openPgbackrest(arena: Arena, isAsync = false): Promise<Contestant> {
  const config = await writeConfig(arena, isAsync);
  const user = { ...systemUser(), cwd: arena.directory };
  const pgbackrest = async (...args: string[]) => void (await run('pgbackrest', [`--config=${config}`, '--stanza=main', ...args], user));
  await pgbackrest('stanza-create');
  return {
    name: isAsync ? 'pgbackrest async' : 'pgbackrest',
    pids: [],
    mark: config,
    archiveCommand: `pgbackrest --config=${config} --stanza=main archive-push %p`,
    backup: () => pgbackrest('--type=full', 'backup'),
    restore: async (target) => {
      await run('install', ['-d', '-m', '700', '-o', String(user.uid), '-g', String(user.gid), target]);
      await pgbackrest(`--pg1-path=${target}`, 'restore');
    },
    archive: (path) => pgbackrest('archive-push', path),
    commands: [
      {
        name: 'pgbackrest',
        archive: (name) => `pgbackrest --config=${config} --stanza=main archive-push pg_wal/${name}`,
        restore: (name, output) => `pgbackrest --config=${config} --stanza=main archive-get ${name} ${output}`,
      },
    ],
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function writeConfig({ postgres, directory, threads }: Arena, isAsync: boolean): Promise<string> {
  const { uid, gid } = systemUser();
  for (const name of ['repo', 'log', 'lock', 'spool']) {
    await mkdir(join(directory, name));
    await run('chown', [`${uid}:${gid}`, join(directory, name)]);
  }
  const config = join(directory, 'pgbackrest.conf');
  await writeFile(
    config,
    `[global]
repo1-path=${directory}/repo
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=${'secret of the benchmark '.repeat(2)}
repo1-retention-full=2
compress-type=lz4
process-max=${threads}
start-fast=y
log-path=${directory}/log
lock-path=${directory}/lock
log-level-console=error
log-level-file=off
${isAsync ? `archive-async=y\nspool-path=${directory}/spool\narchive-get-queue-max=1GiB\n` : ''}
[main]
pg1-path=${postgres.dataDirectory}
pg1-port=${postgres.port}
pg1-socket-path=${postgres.socketDirectory}
pg1-user=postgres
`,
  );
  return config;
}
