import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../lib/errors.ts';

/** Where the server of a data directory keeps its WAL: `pg_wal`, before version 10 `pg_xlog`. `undefined` if there is neither, as on a fresh host. */
export async function findWalDirectory(dataDirectory: string): Promise<string | undefined> {
  for (const name of ['pg_wal', 'pg_xlog']) {
    const path = join(dataDirectory, name);
    if (await isDirectory(path)) return path;
  }
  return undefined;
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return false;
    throw error;
  }
}
