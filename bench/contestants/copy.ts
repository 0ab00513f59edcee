import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Arena, Contestant } from '../contestant.ts';
import { bytesBelow } from '../files.ts';
import { flavours } from '../flavour.ts';
import { run } from '../run.ts';

/** The floor: the same files through the kernel, made durable, and nothing else. As a backup it would be worthless. */
export function openCopy({ postgres, directory, flavour }: Arena): Promise<Contestant | undefined> {
  if (flavour !== flavours.plain) return Promise.resolve(undefined);
  const backup = join(directory, 'backup');
  const copy = async (from: string, to: string) => {
    await run('cp', ['-r', from, to]);
    await run('sync', ['-f', to]);
  };
  const contestant: Contestant = {
    name: 'cp -r, sync',
    flavour,
    pids: [],
    mark: directory,
    archiveCommand: 'true',
    backup: async () => {
      await rm(backup, { recursive: true, force: true });
      await run('mkdir', [backup]);
      for (const name of ['base', 'global']) await copy(join(postgres.dataDirectory, name), join(backup, name));
    },
    storedBytes: () => bytesBelow(backup),
    restore: (target) => copy(backup, target),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return Promise.resolve(contestant);
}
