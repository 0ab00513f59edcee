import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { findWalDirectory } from '../../../wal/wal-directory.ts';

/** What PostgreSQL has marked to be archived. */
export interface ReadyWal {
  readonly files: number;
  readonly oldest: Date | undefined;
}

/** Undefined where the directory cannot be read. */
export async function lookForReadyWal(dataDirectory: string): Promise<ReadyWal | undefined> {
  const wal = await findWalDirectory(dataDirectory).catch(() => undefined);
  const directory = wal && join(wal, 'archive_status');
  const names = directory === undefined ? undefined : await readdir(directory).catch(() => undefined);
  if (directory === undefined || names === undefined) return undefined;
  const ready = names.filter((name) => name.endsWith('.ready')).toSorted();
  // In the order of the WAL, so that the first one has waited longest.
  const found = ready[0] && (await stat(join(directory, ready[0])).catch(() => undefined));
  return { files: ready.length, oldest: found ? found.mtime : undefined };
}
