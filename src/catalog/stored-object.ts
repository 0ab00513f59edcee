import { createHash, type Hash } from 'node:crypto';
import type { ByteSink, UnsealOptions, UnsealResult } from '../codec/codec-options.ts';
import { Unsealer } from '../codec/unseal.ts';
import { OperatorError } from '../lib/errors.ts';
import type { Metadata, ObjectBody, ObjectEntry } from '../storage/object-store.ts';
import type { StorageOptions } from '../storage/options.ts';
import { borrowStore } from '../storage/shared-store.ts';
import { parseWalMetadata } from './wal-entry.ts';

/** A sealed object and what is known of it. Plain data, so that it can be sent to a worker. */
export interface StoredObject {
  readonly storage: StorageOptions;
  readonly key: string;
  readonly storedBytes?: number | undefined;
  readonly plainBytes?: number | undefined;
  /** Of the stored bytes, hex. */
  readonly storedSha256?: string | undefined;
  /** PEM by key id: the object's metadata says which one opens it. */
  readonly privateKeys: Readonly<Record<string, string>>;
}

/** How often progress is told. */
const reportBytes = 1024 * 1024;

export interface ReadingOptions {
  readonly signal: AbortSignal;
  /** Stored bytes since the last call. */
  readonly onStoredBytes?: (bytes: number) => void;
  /** Told before its bytes what the store says of the object. */
  readonly onEntry?: (entry: ObjectEntry) => void;
}

/**
 * Reads an object's plaintext into `sink`, and compares both its sizes, and its hash, with those expected. Only once this has resolved can what was read be trusted.
 * Rejects with `object-corrupt`, `object-missing`, `key-missing`, `key-wrong`, or what `sink` throws.
 */
export async function readStoredObject(object: StoredObject, sink: ByteSink, options: ReadingOptions): Promise<UnsealResult> {
  const store = await borrowStore(object.storage);
  try {
    const body = await store.get(object.key, { signal: options.signal });
    options.onEntry?.(body.entry);
    checkSize('stored', body.entry.size, object.storedBytes);
    const unsealing = unsealOptionsOf(body.entry.metadata, object);
    // A plain snappy stream from which a piece was taken has nothing else that tells.
    const plainBytes = object.plainBytes ?? parseWalMetadata(body.entry.metadata).plainBytes;
    using unsealer = new Unsealer(unsealing, limited(sink, plainBytes));
    const hash = object.storedSha256 === undefined ? undefined : createHash('sha256');
    await pump(body, unsealer, hash, options);
    const result = await unsealer.finish();
    checkSize('stored', result.sealedBytes, object.storedBytes ?? body.entry.size);
    checkSize('plain', result.plainBytes, plainBytes);
    if (hash && hash.digest('hex') !== object.storedSha256) throw notThatObject();
    return result;
  } finally {
    await store.close();
  }
}

async function pump(
  body: ObjectBody,
  unsealer: Unsealer,
  hash: Hash | undefined,
  { signal, onStoredBytes }: ReadingOptions,
): Promise<void> {
  let untold = 0;
  for await (const bytes of body.bytes) {
    signal.throwIfAborted();
    const length = bytes.length;
    hash?.update(bytes);
    await unsealer.update(bytes);
    untold += length;
    if (untold < reportBytes) continue;
    onStoredBytes?.(untold);
    untold = 0;
  }
  onStoredBytes?.(untold);
}

/** Compression and encryption stand only in the object's metadata. */
function unsealOptionsOf(stored: Metadata, { key, privateKeys }: StoredObject): UnsealOptions {
  const { compression, encryptionKeyId } = parseWalMetadata(stored);
  const privateKey = encryptionKeyId === undefined ? undefined : privateKeyOf(encryptionKeyId, key, privateKeys);
  return { ...(compression && { compression }), ...(privateKey !== undefined && { privateKey }) };
}

function privateKeyOf(keyId: string, objectKey: string, keys: Readonly<Record<string, string>>): string {
  const found = Object.hasOwn(keys, keyId) ? keys[keyId] : undefined;
  if (found !== undefined) return found;
  throw new OperatorError(
    'key-missing',
    `${objectKey} is encrypted with the key '${keyId}', whose private part the configuration does not have`,
    {
      hint: `Add encryption_keys.${keyId}.private to the site. Known with a private part: ${Object.keys(keys).join(', ') || 'none'}.`,
    },
  );
}

/** What unpacks to more than it should is stopped before it fills the disk. */
function limited(sink: ByteSink, plainBytesMax: number | undefined): ByteSink {
  if (plainBytesMax === undefined) return sink;
  let plainBytes = 0;
  return (bytes) => {
    plainBytes += bytes.length;
    if (plainBytes > plainBytesMax) throw sizeMismatch('plain', `more than ${plainBytesMax}`, plainBytesMax);
    return sink(bytes);
  };
}

function checkSize(what: 'stored' | 'plain', bytes: number, expected: number | undefined): void {
  if (expected !== undefined && bytes !== expected) throw sizeMismatch(what, String(bytes), expected);
}

function notThatObject(): OperatorError {
  return new OperatorError('object-corrupt', 'the object is damaged: it is whole, but not the one that the base backup recorded', {
    hint: 'An object of another base backup may have got into its place. Restore another base backup.',
  });
}

function sizeMismatch(what: 'stored' | 'plain', bytes: string, expected: number): OperatorError {
  return new OperatorError(
    'object-corrupt',
    `the object is damaged: it has ${bytes} ${what} bytes, where the base backup recorded ${expected}`,
    {
      hint: 'Restore another base backup, and check the storage that holds this one.',
    },
  );
}
