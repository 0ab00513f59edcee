import { createHash } from 'node:crypto';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { abortable } from '../abortable.ts';
import { deleteOneByOne } from '../delete-many.ts';
import { compareKeys } from '../key-order.ts';
import type {
  ByteRange,
  ListOptions,
  LockedObject,
  ObjectBody,
  ObjectEntry,
  ObjectInfo,
  ObjectSource,
  ObjectStore,
  PutOptions,
  RequestOptions,
} from '../object-store.ts';
import { objectExists, objectMissing, sourceSizeWrong } from '../store-errors.ts';
import { checkKey, checkPrefix } from '../valid-key.ts';

interface StoredObject {
  readonly bytes: Buffer;
  readonly entry: ObjectEntry;
}

/** Keeps everything in memory, for tests. */
export class MemoryStore implements ObjectStore {
  readonly name = 'memory';
  readonly #objects = new Map<string, StoredObject>();
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  async put(key: string, source: ObjectSource, options: PutOptions): Promise<ObjectEntry> {
    checkKey(key);
    options.signal?.throwIfAborted();
    const pieces: Buffer[] = [];
    for await (const piece of abortable(source.open(), options.signal)) pieces.push(Buffer.from(piece));
    const bytes = Buffer.concat(pieces);
    if (bytes.length !== source.size) throw sourceSizeWrong(key, source.size, bytes.length);
    if (options.createOnly && this.#objects.has(key)) throw objectExists(key, this.name);
    const digest = createHash('md5').update(bytes).digest('hex');
    const entry = { key, size: bytes.length, lastModified: this.#clock.now(), metadata: { ...options.metadata }, digest };
    this.#objects.set(key, { bytes, entry });
    return entry;
  }

  async get(key: string, options: RequestOptions & { readonly range?: ByteRange } = {}): Promise<ObjectBody> {
    const { bytes, entry } = this.#find(key, options.signal);
    return { entry, bytes: abortable(pieceOf(bytes, options.range), options.signal) };
  }

  async head(key: string, options: RequestOptions = {}): Promise<ObjectEntry> {
    return this.#find(key, options.signal).entry;
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncIterable<ObjectInfo> {
    checkPrefix(prefix);
    const { after, signal } = options;
    for (const key of [...this.#objects.keys()].toSorted(compareKeys)) {
      signal?.throwIfAborted();
      const found = this.#objects.get(key);
      if (!found || !key.startsWith(prefix) || (after !== undefined && compareKeys(key, after) <= 0)) continue;
      const { size, lastModified } = found.entry;
      yield { key, size, lastModified };
    }
  }

  async delete(key: string, options: RequestOptions = {}): Promise<void> {
    checkKey(key);
    options.signal?.throwIfAborted();
    this.#objects.delete(key);
  }

  async deleteMany(keys: readonly string[], options: RequestOptions = {}): Promise<readonly LockedObject[]> {
    for (const key of keys) checkKey(key);
    return deleteOneByOne(this, keys, options);
  }

  async removeUnfinished(): Promise<number> {
    return 0;
  }

  async create(): Promise<void> {}

  async close(): Promise<void> {}

  #find(key: string, signal: AbortSignal | undefined): StoredObject {
    checkKey(key);
    signal?.throwIfAborted();
    const found = this.#objects.get(key);
    if (!found) throw objectMissing(key, this.name);
    return found;
  }
}

async function* pieceOf(bytes: Buffer, range: ByteRange = { start: 0, end: bytes.length }): AsyncGenerator<Uint8Array> {
  const piece = bytes.subarray(range.start, range.end);
  if (piece.length > 0) yield piece;
}
