import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fsyncDirectory } from '../../lib/atomic-file.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { abortable } from '../abortable.ts';
import { withPathLocked } from '../files/key-lock.ts';
import { listObjects } from '../files/list.ts';
import { sidecarOf } from '../files/names.ts';
import { publishNew, publishReplacing } from '../files/publish.ts';
import { removeObjects } from '../files/remove.ts';
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
import { objectExists, objectIncomplete, objectMissing } from '../store-errors.ts';
import { checkKey, checkPrefix } from '../valid-key.ts';
import { asStoreError, withStoreErrors } from './errors.ts';
import { isAbsent, localTree } from './local-tree.ts';
import { type FoundObject, findObject, readObject } from './read.ts';
import { type StageRequest, stage } from './stage.ts';

/** A temporary file untouched for so long belongs to nobody: a put writes to its own all the time. */
const abandonedMs = 24 * 60 * 60 * 1000;

/** As many as Node has threads for such calls. */
const removalsMax = 4;
/** Objects whose size and time are asked for at once while listing. */
const lookAhead = 16;

export interface LocalStoreOptions {
  readonly directory: string;
  readonly clock?: Clock;
  /** Names of one directory held in memory while listing; for tests. */
  readonly namesHeldMax?: number;
}

/**
 * A directory tree as the original lays it out: data at `<directory>/<key>`, metadata beside it in `<key>.metadata`.
 * The directory is made by the first put. Listing removes temporary files that crashed puts left in it more than a day ago.
 */
export class LocalStore implements ObjectStore {
  readonly name: string;
  readonly #base: string;
  readonly #clock: Clock;
  readonly #namesHeldMax: number | undefined;

  constructor(options: LocalStoreOptions) {
    this.#base = resolve(options.directory);
    this.name = `local directory ${this.#base}`;
    this.#clock = options.clock ?? systemClock;
    this.#namesHeldMax = options.namesHeldMax;
  }

  async put(key: string, source: ObjectSource, options: PutOptions): Promise<ObjectEntry> {
    const path = this.#pathOf(key);
    const { metadata, isShortLived, signal } = options;
    signal?.throwIfAborted();
    const now = this.#clock.now();
    return withStoreErrors(`store ${key} in ${this.name}`, async () => {
      const lastModified = await this.#place(path, { key, source, metadata, isShortLived, signal, now }, options.createOnly ?? false);
      return { key, size: source.size, lastModified, metadata: { ...metadata } };
    });
  }

  async get(key: string, options: RequestOptions & { readonly range?: ByteRange } = {}): Promise<ObjectBody> {
    const { entry, found, path } = await this.#findForReading(key, options.signal);
    const { start, end } = options.range ?? { start: 0, end: found.size };
    const range = { start, end: Math.max(start, Math.min(end, found.size)) };
    const bytes = abortable(readObject(path, found, range, { key, store: this.name }), options.signal);
    return { entry, bytes, ...(options.range === undefined && { file: path }) };
  }

  async head(key: string, options: RequestOptions = {}): Promise<ObjectEntry> {
    return (await this.#find(key, options.signal)).entry;
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    const abandoned: string[] = [];
    const onTemporary = (path: string) => void abandoned.push(path);
    const held = this.#namesHeldMax === undefined ? {} : { namesHeldMax: this.#namesHeldMax };
    try {
      for await (const entry of listObjects(localTree, this.#base, prefix, { ...options, onTemporary, lookAhead, ...held })) {
        yield entry;
        options.signal?.throwIfAborted();
        await this.#removeAbandoned(abandoned.splice(0));
      }
      await this.#removeAbandoned(abandoned);
    } catch (error) {
      throw asStoreError(`list ${prefix === '' ? 'objects' : prefix} in ${this.name}`, error);
    }
  }

  async delete(key: string, options: RequestOptions = {}): Promise<void> {
    const path = this.#pathOf(key);
    options.signal?.throwIfAborted();
    await withStoreErrors(`delete ${key} from ${this.name}`, () => removeObjects(localTree, [path], { removalsMax }));
  }

  async deleteMany(keys: readonly string[], options: RequestOptions = {}): Promise<readonly LockedObject[]> {
    const paths = keys.map((key) => this.#pathOf(key));
    options.signal?.throwIfAborted();
    await withStoreErrors(`delete ${keys.length} objects from ${this.name}`, () => removeObjects(localTree, paths, { removalsMax }));
    return [];
  }

  /** Nothing: listing does it by the way. */
  async removeUnfinished(): Promise<number> {
    return 0;
  }

  /** Nothing: the first put makes the directory. */
  async create(): Promise<void> {}

  async close(): Promise<void> {}

  async #place(path: string, request: StageRequest, createOnly: boolean): Promise<Date> {
    if (createOnly && (await findObject(path, this.#clock))) throw objectExists(request.key, this.name);
    await makeDirectory(dirname(path));
    const staged = await stage(dirname(path), request);
    try {
      await withPathLocked(path, async () => {
        if (!createOnly) await publishReplacing(localTree, path, staged);
        else if (!(await publishNew(localTree, path, staged, this.#clock))) throw objectExists(request.key, this.name);
      });
      return staged.lastModified;
    } finally {
      await staged.discard();
    }
  }

  async #find(key: string, signal: AbortSignal | undefined): Promise<{ entry: ObjectEntry; found: FoundObject; path: string }> {
    const path = this.#pathOf(key);
    signal?.throwIfAborted();
    const found = await withStoreErrors(`look at ${key} in ${this.name}`, () => findObject(path, this.#clock));
    if (!found) throw objectMissing(key, this.name);
    const { size, lastModified, metadata, digest } = found;
    return { entry: { key, size, lastModified, metadata, ...(digest !== undefined && { digest }) }, found, path };
  }

  /**
   * What lacks its metadata is no object, but who wants the content must not be told that there is none: restore_command would take that
   * for the end of the archive.
   */
  async #findForReading(key: string, signal: AbortSignal | undefined) {
    try {
      return await this.#find(key, signal);
    } catch (error) {
      const path = this.#pathOf(key);
      if (!isOperatorError(error, 'object-missing') || !(await withStoreErrors(`look at ${key}`, () => isFileThere(path)))) throw error;
      throw objectIncomplete(key, this.name, sidecarOf(path));
    }
  }

  /** A store that is mounted read-only can be listed all the same, so failures to tidy up are no failures. */
  async #removeAbandoned(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      try {
        const ageMs = this.#clock.now().getTime() - (await stat(path)).mtimeMs;
        if (ageMs > abandonedMs) await rm(path, { force: true });
      } catch {}
    }
  }

  #pathOf(key: string): string {
    checkKey(key);
    return join(this.#base, key);
  }
}

async function isFileThere(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** Makes a directory and those above it, durably. */
async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; ; made = dirname(made)) {
    await fsyncDirectory(dirname(made));
    if (made === first || made === dirname(made)) return;
  }
}
