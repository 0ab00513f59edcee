import { writeFile } from 'node:fs/promises';
import { run } from './run.ts';

/** Whether the page cache of this machine can be emptied: by root, and not in every container. */
export async function canEmptyPageCache(): Promise<boolean> {
  return emptyPageCache().then(
    () => true,
    () => false,
  );
}

/** Everything that is read next comes from the disk. Of the whole machine: others who work on it will feel it. */
export async function emptyPageCache(): Promise<void> {
  await run('sync', []);
  await writeFile('/proc/sys/vm/drop_caches', '1');
}
