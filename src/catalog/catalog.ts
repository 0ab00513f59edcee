import { isOperatorError, messageOf, OperatorError } from '../lib/errors.ts';
import { forEachLimited } from '../lib/limiter.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { deleteAll, type LockedSummary, noneLocked } from '../storage/delete-many.ts';
import { headIfThere } from '../storage/head-if-there.ts';
import type { ObjectEntry, ObjectInfo, ObjectStore } from '../storage/object-store.ts';
import { type BasebackupEntry, parseBasebackupEntry } from './basebackup-entry.ts';
import { basebackupNameOf, isMainObjectKey, mainObjectSuffix, type SiteKeys } from './keys.ts';
import { parseBeginningName } from './wal-beginning.ts';

/** Requests at once where many objects are looked at. */
const requestsMax = 8;

/** Sorts after everything that can follow a slash in a key. */
const lastPossibleName = '\u{10ffff}';

export interface UnreadableObject {
  readonly key: string;
  readonly why: string;
}

export interface BasebackupListing {
  /** Ascending start time. */
  readonly entries: readonly BasebackupEntry[];
  /** What lies among the backups but cannot be used as one. It never hides the others. */
  readonly unreadable: readonly UnreadableObject[];
}

export interface OrphanOptions {
  /** Names of backups being taken: their main object is still to come. */
  readonly running: ReadonlySet<string>;
  /** Leaves out chunk sets that got a chunk after this: another host may be taking a backup of which nobody told us. */
  readonly untouchedSince?: Date | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WalFilesOptions {
  /** Names, both included. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface NamedObject {
  /** Without the folder. */
  readonly name: string;
}

/** What one site has in its store. Knows nothing but what the store says: it can be lost and made anew at any time. */
export class Catalog {
  readonly store: ObjectStore;
  readonly keys: SiteKeys;

  constructor(store: ObjectStore, keys: SiteKeys) {
    this.store = store;
    this.keys = keys;
  }

  async basebackups(signal?: AbortSignal): Promise<BasebackupListing> {
    const entries: BasebackupEntry[] = [];
    const unreadable: UnreadableObject[] = [];
    const incomplete: string[] = [];
    await forEachLimited(
      this.#mainObjects(signal, (key) => incomplete.push(key)),
      requestsMax,
      async ({ key }) => {
        try {
          const found = await this.#head(key, signal);
          if (found) entries.push(parseBasebackupEntry(found));
        } catch (error) {
          if (!isOperatorError(error) || error.retryable) throw error;
          unreadable.push({ key, why: messageOf(error) });
        }
      },
    );
    for (const key of incomplete) {
      const why = await this.#whyUnreadable(key, signal);
      if (why !== undefined) unreadable.push({ key, why });
    }
    entries.sort((a, b) => a.startTime.getTime() - b.startTime.getTime() || (a.key < b.key ? -1 : 1));
    unreadable.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { entries, unreadable };
  }

  /** By its name with or without `.00000000.pghoard`. Rejects with `basebackup-missing`, or `basebackup-unreadable`. */
  async basebackup(name: string, signal?: AbortSignal): Promise<BasebackupEntry> {
    const plainName = basebackupNameOf(name);
    const found =
      (await this.#head(this.keys.basebackupMain(plainName), signal)) ?? (await this.#head(this.keys.basebackup(plainName), signal));
    if (found) return parseBasebackupEntry(found);
    throw new OperatorError('basebackup-missing', `there is no base backup ${plainName} in ${this.store.name}`, {
      hint: 'List what there is with "pghoard_restore list-basebackups".',
    });
  }

  /** Whether the store has no backups, WAL or anything else of the site, nor halves of objects. Who works on the site, or tries the store, does not count. */
  async isEmpty(signal?: AbortSignal): Promise<boolean> {
    const { identity, leasePrefix, scratchPrefix, sitePrefix } = this.keys;
    const counts = (key: string) => key !== identity && !key.startsWith(leasePrefix) && !key.startsWith(scratchPrefix);
    let isHalfThere = false;
    const onIncomplete = (key: string) => void (isHalfThere ||= counts(key));
    for await (const { key } of this.store.list(sitePrefix, { signal, onIncomplete })) if (counts(key)) return false;
    return !isHalfThere;
  }

  /** Of a segment, history file or partial segment. `undefined` only where the store said that it has none. */
  async findWal(name: string, signal?: AbortSignal): Promise<ObjectEntry | undefined> {
    return this.#head(this.walKey(name), signal);
  }

  /** Segments or history files in ascending order of their names. */
  async *walFiles(kind: 'segment' | 'history', { from = '', to, signal }: WalFilesOptions = {}): AsyncGenerator<ObjectInfo & NamedObject> {
    const prefix = kind === 'segment' ? this.keys.walPrefix : this.keys.historyPrefix;
    const after = from === '' ? {} : { after: prefix + from.slice(0, -1) };
    for await (const info of this.store.list(prefix, { signal, ...after })) {
      const name = info.key.slice(prefix.length);
      if (to !== undefined && name > to) return;
      if (name >= from && classifyWalFile(name) === kind) yield { ...info, name };
    }
  }

  /** Rejects names that are not stored as WAL with `wal-name-invalid`. */
  walKey(name: string): string {
    switch (classifyWalFile(name)) {
      case 'segment':
        return this.keys.wal(name);
      case 'history':
        return this.keys.history(name);
      case 'partial':
        return this.keys.walPartial(name);
      default:
        throw new OperatorError('wal-name-invalid', `${JSON.stringify(name)} is not the name of a WAL segment or history file`);
    }
  }

  /**
   * What there is of a segment that is not stored whole: its longest beginning, or what was left of it when its timeline ended, whichever was stored
   * last. A beginning that is stored after the end of its timeline belies that end: some other server had reached it.
   */
  async findUnfinishedWal(segment: string, signal?: AbortSignal): Promise<ObjectInfo | undefined> {
    const prefix = `${this.keys.walPartialPrefix}${segment}.`;
    let beginning: ObjectInfo | undefined;
    let ended: ObjectInfo | undefined;
    for await (const info of this.store.list(prefix, { signal })) {
      const name = info.key.slice(this.keys.walPartialPrefix.length);
      if (parseBeginningName(name)) beginning = info;
      else if (classifyWalFile(name) === 'partial') ended = info;
    }
    return beginning && ended && ended.lastModified >= beginning.lastModified ? ended : (beginning ?? ended);
  }

  /** Whether a backup, or anything left of one, has this name. */
  async basebackupNameTaken(name: string, signal?: AbortSignal): Promise<boolean> {
    if (await this.#head(this.keys.basebackupMain(name), signal)) return true;
    if (await this.#head(this.keys.basebackup(name), signal)) return true;
    for (const prefix of this.#chunkPrefixes(name)) {
      if (await first(this.store.list(prefix, { signal }))) return true;
    }
    return (await this.#head(this.keys.deltaIndex(name), signal)) !== undefined;
  }

  /**
   * Removes a backup: first the main object, which makes it visible, then its chunks. They are found by listing, not by the manifest, so no
   * private key is needed. After an interruption {@link orphanChunks} finds what is left. The files that delta backups share stay: see
   * `delta-files.ts`. Rejects with `object-locked` where a lock keeps the main object; then all of the backup is still there.
   */
  async forgetBasebackup(backup: Pick<BasebackupEntry, 'key' | 'name'>, signal?: AbortSignal): Promise<LockedSummary> {
    await this.store.delete(backup.key, { signal });
    return backup.key.endsWith(mainObjectSuffix) ? this.removeChunks(backup.name, signal) : noneLocked;
  }

  /** Removes all chunks and bundles of a backup; those already gone do not matter. Resolves to what locks keep of them. */
  removeChunks(name: string, signal?: AbortSignal): Promise<LockedSummary> {
    return deleteAll(this.store, this.#chunkKeys(name, signal), { signal });
  }

  /** Names of chunk sets without a main object, from interrupted deletions and failed backups. */
  async *orphanChunks(options: OrphanOptions): AsyncGenerator<string> {
    const { running, untouchedSince, signal } = options;
    for await (const name of this.#chunkSets(signal)) {
      if (running.has(name) || (await this.#head(this.keys.basebackupMain(name), signal))) continue;
      // A main object that lost its metadata still owns its chunks.
      if ((await this.#whyUnreadable(this.keys.basebackupMain(name), signal)) !== undefined) continue;
      if (untouchedSince && (await this.#isTouchedAfter(name, untouchedSince, signal))) continue;
      yield name;
    }
  }

  async *#chunkKeys(name: string, signal: AbortSignal | undefined): AsyncGenerator<string> {
    for (const prefix of this.#chunkPrefixes(name)) for await (const { key } of this.store.list(prefix, { signal })) yield key;
  }

  async *#mainObjects(signal: AbortSignal | undefined, onIncomplete: (key: string) => void): AsyncGenerator<ObjectInfo> {
    const prefix = this.keys.basebackupPrefix;
    const isMain = (key: string) => !key.slice(prefix.length).includes('/');
    const onData = (key: string) => {
      if (isMain(key) && isMainObjectKey(key)) onIncomplete(key);
    };
    for await (const info of this.store.list(prefix, { signal, onIncomplete: onData })) if (isMain(info.key)) yield info;
  }

  /** Why content that may be there cannot be read; undefined if it can be read, or is not there at all. */
  async #whyUnreadable(key: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    try {
      const { bytes } = await this.store.get(key, { signal });
      await bytes[Symbol.asyncIterator]().return?.();
      return undefined;
    } catch (error) {
      if (isOperatorError(error, 'object-missing')) return undefined;
      if (!isOperatorError(error) || error.retryable) throw error;
      return messageOf(error);
    }
  }

  /** Names of all chunk sets, one listing request each: what lies between is skipped by `after`. */
  async *#chunkSets(signal: AbortSignal | undefined): AsyncGenerator<string> {
    for (const prefix of [this.keys.chunksPrefix, this.keys.deltaChunksPrefix]) {
      for (let after: string | undefined; ; ) {
        const next = await first(this.store.list(prefix, { signal, ...(after === undefined ? {} : { after }) }));
        if (!next) break;
        const [name, ...rest] = next.key.slice(prefix.length).split('/') as [string, ...string[]];
        after = rest.length === 0 ? next.key : `${prefix}${name}/${lastPossibleName}`;
        if (rest.length > 0) yield name;
      }
    }
  }

  async #isTouchedAfter(name: string, moment: Date, signal: AbortSignal | undefined): Promise<boolean> {
    for (const prefix of this.#chunkPrefixes(name)) {
      for await (const { lastModified } of this.store.list(prefix, { signal })) {
        if (lastModified > moment) return true;
      }
    }
    return false;
  }

  #chunkPrefixes(name: string): readonly string[] {
    return [this.keys.chunkPrefix(name), this.keys.deltaChunkPrefix(name)];
  }

  async #head(key: string, signal: AbortSignal | undefined): Promise<ObjectEntry | undefined> {
    return headIfThere(this.store, key, signal);
  }
}

async function first<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}
