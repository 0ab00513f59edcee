import type { Catalog } from '../catalog/catalog.ts';
import type { SiteKeys } from '../catalog/keys.ts';
import { explain } from '../lib/errors.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import type { Metadata } from '../storage/object-store.ts';

/** Asks every daemon of a site to keep a base backup, and the WAL after it, until a moment. */
export interface Preservation {
  readonly catalog: Pick<Catalog, 'store' | 'keys'>;
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
  const { store, keys } = preservation.catalog;
  const { key, metadata } = preservationRequest(keys, preservation.backupKey, preservation.until);
  try {
    await store.put(key, sourceOfBytes(new Uint8Array()), { metadata, signal });
  } catch (error) {
    signal.throwIfAborted();
    warn(`the request to preserve the base backup could not be stored: ${explain(error)}`);
  }
}

export async function cancelPreservation(preservation: Preservation | undefined, warn: (message: string) => void): Promise<void> {
  if (!preservation) return;
  const { store, keys } = preservation.catalog;
  try {
    await store.delete(preservationRequest(keys, preservation.backupKey, preservation.until).key);
  } catch (error) {
    warn(`the request to preserve the base backup could not be taken back: ${explain(error)}`);
  }
}

/** As in docs/FORMAT.md: named after the file name of the backup's main object, and the moment as Python prints it. */
export function preservationRequest(keys: SiteKeys, backupKey: string, until: Date): { readonly key: string; readonly metadata: Metadata } {
  const backup = backupKey.slice(backupKey.lastIndexOf('/') + 1);
  const moment = pythonTimestamp(until);
  const folder = keys.prefix === '' ? 'preservation_request' : `${keys.prefix}/preservation_request`;
  return { key: `${folder}/${backup}_${moment}`, metadata: { 'preserve-backup': backup, 'preserve-until': moment } };
}

/** `str()` of an aware datetime: the fraction only where there is one. */
function pythonTimestamp(date: Date): string {
  const [seconds = '', fraction = ''] = date.toISOString().slice(0, -1).replace('T', ' ').split('.');
  return `${seconds}${fraction === '000' ? '' : `.${fraction}000`}+00:00`;
}
