import { isOperatorError } from '../../lib/errors.ts';
import type { StorageOptions } from '../../storage/options.ts';
import { readStoredObject } from '../stored-object.ts';

/** Whose indexes. Plain data, so that it can be sent to a worker: reading decrypts and decompresses. */
export interface WalIndexSource {
  readonly storage: StorageOptions;
  /** Of the site. */
  readonly prefix: string;
  /** PEM by key id. */
  readonly privateKeys: Readonly<Record<string, string>>;
}

/** The plain bytes of the largest one are some 1.5 MB. */
const plainBytesMax = 32 * 1024 * 1024;

/** What `parse` makes of the object's text; undefined where there is none, or where it cannot be read. Rejects with the store's errors, `key-missing` and `key-wrong`. */
export async function readSmallObject<T>(
  { storage, privateKeys }: WalIndexSource,
  key: string,
  parse: (text: string, where: string) => T,
  signal: AbortSignal,
): Promise<T | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  const keep = (piece: Uint8Array) => {
    bytes += piece.length;
    if (bytes <= plainBytesMax) pieces.push(Buffer.from(piece));
  };
  try {
    await readStoredObject({ storage, key, privateKeys }, keep, { signal });
    return parse(Buffer.concat(pieces).toString('utf8'), key);
  } catch (error) {
    if (isOperatorError(error, 'object-missing', 'object-incomplete', 'object-unreadable', 'object-corrupt')) return undefined;
    throw error;
  }
}
