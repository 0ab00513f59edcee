import type { Catalog } from '../catalog/catalog.ts';
import { cancelPreservation, requestPreservation } from '../catalog/preservation.ts';
import { explain } from '../lib/errors.ts';

/** Asks every daemon of a site to keep a base backup, and the WAL after it, until a moment. */
export interface Preservation {
  readonly catalog: Catalog;
  /** Of its main object. */
  readonly backupKey: string;
  readonly until: Date;
}

/** Stores the request, if there is one. A store that cannot be written to can still be restored from, so a failure is only told. */
export async function preserve(
  preservation: Preservation | undefined,
  warn: (message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if (!preservation) return;
  try {
    await requestPreservation(preservation.catalog, preservation.backupKey, preservation.until, signal);
  } catch (error) {
    signal.throwIfAborted();
    warn(`the request to preserve the base backup could not be stored: ${explain(error)}`);
  }
}

/** Takes the request back, if there is one. */
export async function unpreserve(preservation: Preservation | undefined, warn: (message: string) => void): Promise<void> {
  if (!preservation) return;
  try {
    await cancelPreservation(preservation.catalog, preservation.backupKey, preservation.until);
  } catch (error) {
    warn(`the request to preserve the base backup could not be taken back: ${explain(error)}`);
  }
}
