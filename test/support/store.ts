import { OperatorError } from '../../src/lib/errors.ts';
import { deleteOneByOne } from '../../src/storage/delete-many.ts';
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
  UnfinishedOptions,
} from '../../src/storage/object-store.ts';

export type StoreOperation = 'put' | 'get' | 'head' | 'list' | 'delete';

/** Something that goes wrong with the calls it applies to. */
export interface Fault {
  readonly operation: StoreOperation;
  /** Which of the matching calls, counted from 1; absent: all. */
  readonly call?: number;
  /** Only calls whose key (or prefix) matches. */
  readonly key?: RegExp;
  /**
   * `refuse`: the call fails and nothing happens. `cut`: a body, upload or listing breaks off after `after` bytes (or keys).
   * `lose-response`: it happens, but the caller hears a failure. `wait`: it happens once `until` has resolved.
   */
  readonly how: 'refuse' | 'cut' | 'lose-response' | 'wait';
  readonly after?: number;
  readonly until?: Promise<unknown>;
  /** Default: a retryable `store-unreachable`. */
  readonly error?: Error;
}

export function connectionLost(): OperatorError {
  return new OperatorError('store-unreachable', 'the connection to the store was lost (injected)', { retryable: true });
}

/** A store in front of another one that fails where it is told to, and remembers every call. */
export class FaultyStore implements ObjectStore {
  readonly name: string;
  readonly calls: { readonly operation: StoreOperation; readonly key: string }[] = [];
  readonly #inner: ObjectStore;
  readonly #faults: { readonly fault: Fault; seen: number }[] = [];

  constructor(inner: ObjectStore, faults: readonly Fault[] = []) {
    this.#inner = inner;
    this.name = `faulty ${inner.name}`;
    for (const fault of faults) this.inject(fault);
  }

  /** Counts calls from now on. */
  inject(fault: Fault): void {
    this.#faults.push({ fault, seen: 0 });
  }

  /** From now on everything works. */
  heal(): void {
    this.#faults.length = 0;
  }

  count(operation: StoreOperation, key = /^/): number {
    return this.calls.filter((call) => call.operation === operation && key.test(call.key)).length;
  }

  async put(key: string, source: ObjectSource, options: PutOptions): Promise<ObjectEntry> {
    const fault = this.#next('put', key);
    const given = fault?.how === 'cut' ? cutSource(source, fault) : source;
    return this.#call(fault, () => this.#inner.put(key, given, options));
  }

  async get(key: string, options?: RequestOptions & { readonly range?: ByteRange }): Promise<ObjectBody> {
    const fault = this.#next('get', key);
    const body = await this.#call(fault, () => this.#inner.get(key, options));
    return fault?.how === 'cut' ? { entry: body.entry, bytes: cutBytes(body.bytes, fault) } : body;
  }

  async head(key: string, options?: RequestOptions): Promise<ObjectEntry> {
    return this.#call(this.#next('head', key), () => this.#inner.head(key, options));
  }

  async *list(prefix: string, options?: ListOptions): AsyncGenerator<ObjectInfo> {
    const fault = this.#next('list', prefix);
    await this.#call(fault, async () => {});
    let left = fault?.how === 'cut' ? (fault.after ?? 0) : Number.POSITIVE_INFINITY;
    for await (const entry of this.#inner.list(prefix, options)) {
      if (left-- <= 0) throw fault?.error ?? connectionLost();
      yield entry;
    }
  }

  async delete(key: string, options?: RequestOptions): Promise<void> {
    await this.#call(this.#next('delete', key), () => this.#inner.delete(key, options));
  }

  /** Counts as one deletion for each key. */
  async deleteMany(keys: readonly string[], options: RequestOptions = {}): Promise<readonly LockedObject[]> {
    return deleteOneByOne(this, keys, options);
  }

  removeUnfinished(prefix: string, options: UnfinishedOptions): Promise<number> {
    return this.#inner.removeUnfinished(prefix, options);
  }

  create(options?: RequestOptions): Promise<void> {
    return this.#inner.create(options);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #next(operation: StoreOperation, key: string): Fault | undefined {
    this.calls.push({ operation, key });
    let applies: Fault | undefined;
    for (const rule of this.#faults) {
      if (rule.fault.operation !== operation || (rule.fault.key && !rule.fault.key.test(key))) continue;
      rule.seen++;
      if (rule.fault.call === undefined || rule.fault.call === rule.seen) applies ??= rule.fault;
    }
    return applies;
  }

  async #call<T>(fault: Fault | undefined, work: () => Promise<T>): Promise<T> {
    if (fault?.how === 'refuse') throw fault.error ?? connectionLost();
    if (fault?.how === 'wait') await fault.until;
    const result = await work();
    if (fault?.how === 'lose-response') throw fault.error ?? connectionLost();
    return result;
  }
}

/** Without `file`, so that a driver must read it and meets the failure. */
function cutSource(source: ObjectSource, fault: Fault): ObjectSource {
  return { size: source.size, open: () => cutBytes(source.open(), fault) };
}

async function* cutBytes(bytes: AsyncIterable<Uint8Array>, fault: Fault): AsyncGenerator<Uint8Array> {
  let left = fault.after ?? 0;
  for await (const piece of bytes) {
    if (piece.length >= left) {
      if (left > 0) yield piece.subarray(0, left);
      throw fault.error ?? connectionLost();
    }
    left -= piece.length;
    yield piece;
  }
  throw fault.error ?? connectionLost();
}
