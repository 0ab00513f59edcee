import { readFile, rm, stat } from 'node:fs/promises';
import { OperatorError, systemErrorCode } from '../lib/errors.ts';
import type { Metadata } from '../storage/object-store.ts';

/** A sealed WAL file that waits in the spool, with the metadata to store it with. */
export interface SpooledWal {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly metadata: Metadata;
}

/** `undefined` unless file and metadata are both there: a file alone is what a crash left of a sealing that did not finish. */
export async function readSpooledWal(name: string, path: string): Promise<SpooledWal | undefined> {
  try {
    const metadata = parseSidecar(path, await readFile(`${path}.metadata`, 'utf8'));
    const { size } = await stat(path);
    return { name, path, size, metadata };
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The metadata makes the pair complete, so it goes first. */
export async function forgetSpooledWal(spooled: SpooledWal): Promise<void> {
  await rm(`${spooled.path}.metadata`, { force: true });
  await rm(spooled.path, { force: true });
}

function parseSidecar(path: string, text: string): Metadata {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && Object.values(parsed).every((value) => typeof value === 'string')) {
      return parsed as Metadata;
    }
  } catch {}
  throw new OperatorError('spool-corrupt', `${path}.metadata is not the metadata of a WAL file`, {
    hint: 'If PostgreSQL still has the segment in pg_wal, remove both files; it will be archived again.',
  });
}
