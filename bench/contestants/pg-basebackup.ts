import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Arena, Contestant } from '../contestant.ts';
import { run } from '../run.ts';

/** PostgreSQL's own: one stream, one process, no encryption. */
export function openPgBasebackup({ postgres, directory }: Arena): Promise<Contestant> {
  const backup = join(directory, 'backup');
  const contestant: Contestant = {
    name: 'pg_basebackup',
    pids: [],
    mark: directory,
    archiveCommand: 'true',
    backup: async () => {
      await rm(backup, { recursive: true, force: true });
      const flags = ['--format=tar', '--compress=client-lz4:1', '--checkpoint=fast', '--wal-method=none', '--no-manifest'];
      await run(join(postgres.bin, 'pg_basebackup'), ['--pgdata', backup, '--dbname', postgres.dsn, ...flags]);
    },
    restore: async (target) => {
      await mkdir(target, { mode: 0o700 });
      await run('tar', ['--use-compress-program=lz4', '-xf', join(backup, 'base.tar.lz4'), '-C', target]);
      await run('sync', ['-f', target]); // the others make what they restored durable too
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return Promise.resolve(contestant);
}
