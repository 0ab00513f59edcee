import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemUser } from '../../test/support/system-user.ts';
import type { Arena, Contestant } from '../contestant.ts';
import { bytesBelow, makeOwn } from '../files.ts';
import { run } from '../run.ts';

/** Another one than the installed one can be named. */
export const program = process.env['PGBACKREST'] ?? 'pgbackrest';

/** `2.60.0`; undefined where there is none. */
export async function pgbackrestVersion(): Promise<string | undefined> {
  const printed = await run(program, ['version']).catch(() => '');
  return /(\d[\d.]*)/.exec(printed)?.[1];
}

/**
 * pgBackRest with as many processes as we have threads, and with bundles of files where it knows them (since 2.39). Asynchronous: its commands push and
 * get ahead of being asked, in processes that go on in the background.
 */
export async function openPgbackrest(arena: Arena, isAsync = false): Promise<Contestant | undefined> {
  if ((await pgbackrestVersion()) === undefined) return undefined;
  const config = await writeConfig(arena, isAsync);
  const user = { ...systemUser(), cwd: arena.directory };
  const pgbackrest = async (...args: string[]) => void (await run(program, [`--config=${config}`, '--stanza=main', ...args], user));
  const command = `${program} --config=${config} --stanza=main`;
  await pgbackrest('stanza-create');
  return {
    name: isAsync ? 'pgbackrest async' : 'pgbackrest',
    flavour: arena.flavour,
    pids: [],
    mark: config,
    archiveCommand: `${command} archive-push %p`,
    backup: () => pgbackrest('--type=full', 'backup'),
    storedBytes: () => bytesBelow(join(arena.directory, 'repo/backup/main/latest/')),
    restore: async (target) => {
      await run('install', ['-d', '-m', '700', '-o', String(user.uid), '-g', String(user.gid), target]);
      await pgbackrest(`--pg1-path=${target}`, 'restore');
    },
    commands: [
      {
        name: 'pgbackrest',
        archive: (name) => `${command} archive-push pg_wal/${name}`,
        restore: (name, output, dataDirectory = arena.postgres.dataDirectory) =>
          `${command} --pg1-path=${dataDirectory} archive-get ${name} ${output}`,
      },
    ],
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function writeConfig({ postgres, directory, threads, flavour }: Arena, isAsync: boolean): Promise<string> {
  for (const name of ['repo', 'log', 'lock', 'spool']) await makeOwn(join(directory, name));
  const config = join(directory, 'pgbackrest.conf');
  const cipher = `repo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=${'secret of the benchmark '.repeat(2)}`;
  await writeFile(
    config,
    `[global]
repo1-path=${directory}/repo
repo1-retention-full=2
repo1-bundle=y
${flavour.isEncrypted ? cipher : ''}
compress-type=${flavour.compression === 'zstd' ? 'zst' : 'lz4'}
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
