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
  /** In their order, as a listing gives them. */
  readonly #keys: string[] = [];
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
    if (!this.#objects.has(key)) this.#keys.splice(this.#placeOf(key), 0, key);
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
    const first = after === undefined || compareKeys(after, prefix) < 0 ? this.#placeOf(prefix) : this.#placeBehind(after);
    for (let place = first; ; ) {
      const key = this.#keys[place];
      if (key?.startsWith(prefix) !== true) return;
      const { size, lastModified } = this.#find(key, signal).entry;
      yield { key, size, lastModified };
      place = this.#placeBehind(key);
    }
  }

  async delete(key: string, options: RequestOptions = {}): Promise<void> {
    checkKey(key);
    options.signal?.throwIfAborted();
    if (this.#objects.delete(key)) this.#keys.splice(this.#placeOf(key), 1);
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

  /** Where the key stands, or would. */
  #placeOf(key: string): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys(this.#keys[middle] ?? '', key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Where the first one after it stands; others may have come and gone meanwhile. */
  #placeBehind(key: string): number {
    const place = this.#placeOf(key);
    return this.#keys[place] === key ? place + 1 : place;
  }

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
