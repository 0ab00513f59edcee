import { dirname, join } from 'node:path';
import { abortable, untilAborted } from '../abortable.ts';
import { withPathLocked } from '../files/key-lock.ts';
import { listObjects } from '../files/list.ts';
import { sidecarOf } from '../files/names.ts';
import { publishNew, publishReplacing } from '../files/publish.ts';
import { removeObjects } from '../files/remove.ts';
import { temporariesBelow } from '../files/temporaries.ts';
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
} from '../object-store.ts';
import { objectExists, objectIncomplete, objectMissing, uploadDiffers } from '../store-errors.ts';
import { checkKey, checkPrefix } from '../valid-key.ts';
import { type Patience, usualPatience } from './connection.ts';
import { asStoreError } from './errors.ts';
import type { SftpStorageOptions } from './options.ts';
import { type FoundObject, findObject, readObject } from './read.ts';
import { SftpTree } from './sftp-tree.ts';
import { SharedConnection } from './shared-connection.ts';
import { discard, type StageRequest, stage } from './stage.ts';

/** Objects whose size and time are asked for at once while listing. */
const lookAhead = 64;
const removalsMax = 64;
/** What interrupted requests still have to tidy up is waited for so long when the store is closed. */
const tidyMsMax = 3_000;

export interface SftpStoreOptions {
  readonly storage: SftpStorageOptions;
  /** Where keys begin; relative to where a login ends up. */
  readonly directory?: string;
  readonly warn?: (message: string) => void;
  readonly patience?: Partial<Patience>;
  /** Names of one directory held in memory while listing; for tests. */
  readonly namesHeldMax?: number;
}

/**
 * A directory tree on a server, as the original lays it out: data at `<key>`, metadata beside it in `<key>.metadata`.
 * Puts make the directories that they need. All requests share one connection.
 */
export class SftpStore implements ObjectStore {
  readonly name: string;
  readonly #base: string;
  readonly #connection: SharedConnection;
  readonly #namesHeldMax: number | undefined;
  readonly #running = new Set<Promise<unknown>>();

  constructor({ storage, directory = '.', warn = warnProcess, patience = {}, namesHeldMax }: SftpStoreOptions) {
    const { server, port } = storage;
    this.name = `SFTP server ${server}${port === 22 ? '' : ` port ${port}`}${directory === '.' ? '' : ` directory ${directory}`}`;
    this.#base = directory;
    this.#connection = new SharedConnection({ storage, storeName: this.name, patience: { ...usualPatience, ...patience }, warn });
    this.#namesHeldMax = namesHeldMax;
  }

  put(key: string, source: ObjectSource, options: PutOptions): Promise<ObjectEntry> {
    const { metadata, signal } = options;
    return this.#run(key, `store ${key}`, signal, async (tree, path) => {
      const lastModified = await this.#place(tree, path, { key, source, metadata, signal }, options.createOnly ?? false);
      return { key, size: source.size, lastModified, metadata: { ...metadata } };
    });
  }

  async get(key: string, options: RequestOptions & { readonly range?: ByteRange } = {}): Promise<ObjectBody> {
    const found = await this.#find(key, options.signal);
    if (found === 'incomplete') throw objectIncomplete(key, this.name, sidecarOf(this.#pathOf(key)));
    if (!found) throw objectMissing(key, this.name);
    const { start, end } = options.range ?? { start: 0, end: found.size };
    const range = { start, end: Math.max(start, Math.min(end, found.size)) };
    return { entry: entryOf(key, found), bytes: abortable(this.#read(key, found, range), options.signal) };
  }

  async head(key: string, options: RequestOptions = {}): Promise<ObjectEntry> {
    const found = await this.#find(key, options.signal);
    if (!found || found === 'incomplete') throw objectMissing(key, this.name);
    return entryOf(key, found);
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    yield* abortable(this.#list(prefix, options), options.signal);
  }

  async delete(key: string, options: RequestOptions = {}): Promise<void> {
    await this.deleteMany([key], options);
  }

  async deleteMany(keys: readonly string[], options: RequestOptions = {}): Promise<readonly LockedObject[]> {
    const paths = keys.map((key) => this.#pathOf(key));
    await this.#withTree(`delete ${keys.length === 1 ? keys[0] : `${keys.length} objects`}`, options.signal, this.#base, (tree) =>
      removeObjects(tree, paths, { removalsMax, signal: options.signal }),
    );
    return [];
  }

  async removeUnfinished(prefix: string, options: UnfinishedOptions): Promise<number> {
    checkPrefix(prefix);
    let removed = 0;
    await this.#withTree(`tidy up ${prefix}`, options.signal, this.#base, async (tree) => {
      for await (const path of temporariesBelow(tree, this.#base, prefix, options.signal)) {
        const { mtime } = await tree.stat(path);
        if (mtime >= options.before) continue;
        await tree.remove(path);
        removed++;
      }
    });
    return removed;
  }

  /** Deleting leaves directories as they are, for others may be putting something there. Where nobody is they can go. */
  async removeEmptyDirectories(prefix: string, { signal }: RequestOptions = {}): Promise<void> {
    checkPrefix(prefix);
    const path = join(this.#base, prefix.replace(/\/+$/, ''));
    await this.#withTree(`remove directories of ${prefix}`, signal, this.#base, (tree) => tree.removeEmptyDirectories(path, signal));
  }

  async create(options: RequestOptions = {}): Promise<void> {
    await this.#withTree('make the directory', options.signal, this.#base, (tree) => tree.makeDirectory(this.#base));
  }

  async close(): Promise<void> {
    const overdue = Promise.withResolvers<void>();
    const timer = setTimeout(overdue.resolve, tidyMsMax);
    await Promise.race([Promise.allSettled(this.#running), overdue.promise]);
    clearTimeout(timer);
    await this.#connection.close();
  }

  async #place(tree: SftpTree, path: string, request: StageRequest, createOnly: boolean): Promise<Date> {
    const { key, source, signal } = request;
    if (createOnly && isWhole(await findObject(tree, path))) throw objectExists(key, this.name);
    const staged = await stage(tree, dirname(path), request);
    try {
      return await withPathLocked(tree.lockOf(path), async () => {
        signal?.throwIfAborted();
        if (!createOnly) await publishReplacing(tree, path, staged);
        else if (!(await publishNew(tree, path, staged))) throw objectExists(key, this.name);
        const [{ size, mtime }] = await Promise.all([tree.stat(path), discard(tree, staged)]);
        if (size !== source.size) throw uploadDiffers(key, this.name, `it has ${size} bytes instead of ${source.size}`);
        return mtime;
      });
    } catch (error) {
      await discard(tree, staged);
      throw error;
    }
  }

  #find(key: string, signal: AbortSignal | undefined): Promise<FoundObject | 'incomplete' | undefined> {
    return this.#run(key, `look at ${key}`, signal, findObject);
  }

  async *#read(key: string, found: FoundObject, range: ByteRange): AsyncGenerator<Uint8Array> {
    try {
      using lease = await this.#connection.lease();
      yield* readObject(new SftpTree(lease.channel, this.name), this.#pathOf(key), found, range, { key, store: this.name });
    } catch (error) {
      throw asStoreError(`read ${key}`, this.name, error);
    }
  }

  async *#list(prefix: string, options: ListOptions): AsyncGenerator<ObjectInfo> {
    const held = this.#namesHeldMax === undefined ? {} : { namesHeldMax: this.#namesHeldMax };
    try {
      options.signal?.throwIfAborted();
      using lease = await this.#connection.lease();
      yield* listObjects(new SftpTree(lease.channel, this.name), this.#base, prefix, { ...options, lookAhead, ...held });
    } catch (error) {
      throw asStoreError(`list ${prefix === '' ? 'objects' : prefix}`, this.name, error);
    }
  }

  async #run<T>(
    key: string,
    what: string,
    signal: AbortSignal | undefined,
    work: (tree: SftpTree, path: string) => Promise<T>,
  ): Promise<T> {
    const path = this.#pathOf(key);
    return await this.#withTree(what, signal, dirname(path), (tree) => work(tree, path));
  }

  /** What is aborted ends at once for the caller, and tidies up behind his back. */
  async #withTree<T>(what: string, signal: AbortSignal | undefined, directory: string, work: (tree: SftpTree) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const running = this.#leaseAnd(what, directory, work);
    this.#running.add(running);
    const ended = () => void this.#running.delete(running);
    running.then(ended, ended);
    return await untilAborted(running, signal);
  }

  async #leaseAnd<T>(what: string, directory: string, work: (tree: SftpTree) => Promise<T>): Promise<T> {
    let tree: SftpTree | undefined;
    try {
      using lease = await this.#connection.lease();
      tree = new SftpTree(lease.channel, this.name);
      return await work(tree);
    } catch (error) {
      throw asStoreError(what, this.name, tree ? await tree.examined(error, directory) : error);
    }
  }

  #pathOf(key: string): string {
    checkKey(key);
    return join(this.#base, key);
  }
}

function warnProcess(message: string): void {
  process.emitWarning(message, { code: 'PGHOARD_SFTP_HOST_KEY' });
}

function isWhole(found: FoundObject | 'incomplete' | undefined): boolean {
  return found !== undefined && found !== 'incomplete';
}

function entryOf(key: string, { size, lastModified, metadata, digest }: FoundObject): ObjectEntry {
  return { key, size, lastModified, metadata, ...(digest !== undefined && { digest }) };
}
