import { readFile, stat } from 'node:fs/promises';
import { OperatorError, systemErrorCode } from '../lib/errors.ts';
import type { SeenCluster } from '../postgres/seen-cluster.ts';
import { parseSidecar } from '../storage/files/sidecar.ts';
import type { Metadata } from '../storage/object-store.ts';

/** A sealed WAL file that waits in the spool, with the metadata to store it with. */
export interface SpooledWal {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly metadata: Metadata;
  /** What a segment says of its cluster, where it has been read. */
  readonly seen?: SeenCluster;
}

/** `undefined` unless file and metadata are both there: a file alone is what a crash left of a sealing that did not finish. */
export async function readSpooledWal(name: string, path: string): Promise<SpooledWal | undefined> {
  try {
    const sidecar = await readFile(`${path}.metadata`, 'utf8');
    const { size } = await stat(path);
    return { name, path, size, metadata: parseSidecar(sidecar) };
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw new OperatorError('spool-damaged', `cannot read ${path} and its .metadata, so ${name} cannot be stored from the spool`, {
      cause: error,
      hint: 'If the segment is still in pg_wal, remove both files: it will be archived again.',
    });
  }
}
