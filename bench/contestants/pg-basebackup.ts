import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Arena, Contestant } from '../contestant.ts';
import { bytesBelow } from '../files.ts';
import { run } from '../run.ts';
import { baseBackup, streamedBackup } from '../works/base-backups.ts';

/** PostgreSQL's own: one stream, one process here and one in the server, no encryption; zstd on more threads if it is told so. */
export function openPgBasebackup({ postgres, directory, flavour, threads }: Arena): Promise<Contestant | undefined> {
  if (flavour.isEncrypted) return Promise.resolve(undefined);
  const backup = join(directory, 'backup');
  const isZstd = flavour.compression === 'zstd';
  const compression = isZstd ? `client-zstd:level=3,workers=${threads}` : 'client-lz4:1';
  const contestant: Contestant = {
    name: 'pg_basebackup',
    flavour,
    pids: [],
    hasServerProcess: true,
    comparedAs: [baseBackup, streamedBackup],
    mark: directory,
    archiveCommand: 'true',
    backup: async () => {
      await rm(backup, { recursive: true, force: true });
      const flags = ['--format=tar', `--compress=${compression}`, '--checkpoint=fast', '--wal-method=none', '--no-manifest'];
      await run(join(postgres.bin, 'pg_basebackup'), ['--pgdata', backup, '--dbname', postgres.dsn, ...flags]);
    },
    storedBytes: () => bytesBelow(backup),
    restore: async (target) => {
      await mkdir(target, { mode: 0o700 });
      const [program, name] = isZstd ? [`zstd -T${threads}`, 'base.tar.zst'] : ['lz4', 'base.tar.lz4'];
      await run('tar', [`--use-compress-program=${program}`, '-xf', join(backup, name), '-C', target]);
      await run('sync', ['-f', target]); // the others make what they restored durable too
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return Promise.resolve(contestant);
}
