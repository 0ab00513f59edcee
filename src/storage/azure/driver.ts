import type { Agent } from 'node:http';
import type { BlobRequestConditions, BlockBlobClient, BlockBlobCommitBlockListOptions, ContainerClient } from '@azure/storage-blob';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { abortable } from '../abortable.ts';
import { deleteOneByOne, ObjectLockedError } from '../delete-many.ts';
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
import type { PartLimits } from '../parts.ts';
import { objectExists } from '../store-errors.ts';
import { containerByName, openContainer } from './client.ts';
import { download } from './download.ts';
import { entryFrom } from './entry.ts';
import { type Attempt, asStoreError, withStoreErrors } from './errors.ts';
import { LegacyNames } from './legacy-names.ts';
import { type Listing, listBlobs, listedItems, merged } from './list.ts';
import { metadataForAzure } from './metadata.ts';
import { escaped, keyOfName, legacyNameOf, nameOfKey, namePrefix } from './names.ts';
import type { AzureStorageOptions } from './options.ts';
import { mayBeUncommitted, removeUncommitted } from './unfinished.ts';
import { blockLimits, upload } from './upload.ts';

/** Nothing that Azure does takes longer without a sign of life. */
const idleMsDefault = 60_000;

const dayMs = 24 * 60 * 60 * 1000;

/** What tests set. */
export interface AzureStoreTuning {
  readonly idleMs?: number;
  readonly limits?: PartLimits;
  readonly pageItemsMax?: number;
  readonly clock?: Clock;
}

export async function openAzureStore(options: AzureStorageOptions, tuning: AzureStoreTuning = {}): Promise<AzureStore> {
  const { container, agent } = await openContainer(options, tuning.idleMs ?? idleMsDefault);
  return new AzureStore(container, agent, options, tuning);
}

/** What a store with these options is called; needs no file that they name. Options that no store can be opened with have a shorter one. */
export function azureStoreName(options: AzureStorageOptions): string {
  try {
    return nameOfContainer(containerByName(options));
  } catch {
    return `azure container ${options.bucket_name}`;
  }
}

function nameOfContainer({ containerName, accountName, url }: ContainerClient): string {
  return `azure container ${containerName} of ${accountName || new URL(url).host}`;
}

/** A container of block blobs. Blobs of 1.4.0, whose names begin with a slash, are read, listed and deleted as if they had none. */
export class AzureStore implements ObjectStore {
  readonly name: string;
  readonly #container: ContainerClient;
  readonly #agent: Agent;
  readonly #options: AzureStorageOptions;
  readonly #tuning: AzureStoreTuning;
  readonly #clock: Clock;
  readonly #legacyNames: LegacyNames;

  constructor(container: ContainerClient, agent: Agent, options: AzureStorageOptions, tuning: AzureStoreTuning) {
    this.#container = container;
    this.#agent = agent;
    this.#options = options;
    this.#tuning = tuning;
    this.#clock = tuning.clock ?? systemClock;
    this.name = nameOfContainer(container);
    this.#legacyNames = new LegacyNames(container, this.name, this.#clock);
  }

  async put(key: string, source: ObjectSource, putOptions: PutOptions): Promise<ObjectEntry> {
    const { metadata, createOnly, signal } = putOptions;
    const options = { ...this.#newBlobOptions(putOptions), metadata: metadataForAzure(key, metadata) };
    if (createOnly && (await this.#isLegacy(key, signal))) throw objectExists(key, this.name);
    const conditions: BlobRequestConditions = createOnly ? { ifNoneMatch: '*' } : {};
    const limits = this.#tuning.limits ?? blockLimits;
    const attempt = { ...this.#attempt(`store ${key}`, signal, key), key, createOnly: createOnly ?? false };
    const name = nameOfKey(key);
    const work = { blob: this.#blob(name), source, limits, attempt, options: { ...options, conditions } };
    try {
      const { lastModified, digest } = await upload(work);
      return { key, size: source.size, lastModified, metadata: { ...metadata }, ...(digest !== undefined && { digest }) };
    } catch (error) {
      throw await this.#withLockTime(name, key, error, signal);
    }
  }

  async get(key: string, { range, signal }: RequestOptions & { readonly range?: ByteRange } = {}): Promise<ObjectBody> {
    const attempt = this.#attempt(`read ${key}`, signal, key);
    const body = await this.#underEitherName(attempt, key, (blob) => download({ blob, key, attempt, range }));
    return { ...body, bytes: abortable(body.bytes, signal) };
  }

  head(key: string, { signal }: RequestOptions = {}): Promise<ObjectEntry> {
    return this.#underEitherName(this.#attempt(`look at ${key}`, signal, key), key, async (blob) =>
      entryFrom(key, await blob.getProperties(withSignal(signal))),
    );
  }

  async *list(prefix: string, { after, signal }: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    const attempt = this.#attempt(`list ${prefix === '' ? 'objects' : prefix}`, signal);
    try {
      signal?.throwIfAborted();
      const listing = { ...this.#listing(prefix, signal), ...(after !== undefined && { after: escaped(after) }) };
      for await (const { key: name, ...info } of this.#listBothNames(listing)) {
        const key = keyOfName(name);
        if (key.startsWith(prefix)) yield { key, ...info };
      }
    } catch (error) {
      throw asStoreError(attempt, error);
    }
  }

  async delete(key: string, { signal }: RequestOptions = {}): Promise<void> {
    // The older one first: it must not come to light again between the two.
    const name = nameOfKey(key);
    if (await this.#hasLegacyNames(signal)) await this.#deleteBlob(legacyNameOf(name), key, signal);
    await this.#deleteBlob(name, key, signal);
  }

  deleteMany(keys: readonly string[], options: RequestOptions = {}): Promise<readonly LockedObject[]> {
    return deleteOneByOne(this, keys, options);
  }

  /** Blocks of which no blob has been made. Azure takes them away by itself after a week, and does so where it lets nobody else do it. */
  async removeUnfinished(prefix: string, { before, signal }: UnfinishedOptions): Promise<number> {
    let removed = 0;
    await withStoreErrors(this.#attempt(`remove unfinished uploads of ${prefix}`, signal), async () => {
      for await (const item of listedItems({ ...this.#listing(prefix, signal), uncommitted: true })) {
        if (!mayBeUncommitted(item, before)) continue;
        if (await removeUncommitted(this.#container.getBlockBlobClient(item.name), signal)) removed++;
      }
    });
    return removed;
  }

  /** Who may use the container, but not make one, is told 403: then it counts as there, and the next request finds out. */
  async create({ signal }: RequestOptions = {}): Promise<void> {
    try {
      await withStoreErrors(this.#attempt('make the container', signal), () => this.#container.createIfNotExists(withSignal(signal)));
    } catch (error) {
      if (!isOperatorError(error, 'store-denied')) throw error;
    }
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  #blob(name: string): BlockBlobClient {
    return this.#container.getBlockBlobClient(name);
  }

  #attempt(what: string, signal: AbortSignal | undefined, key?: string): Attempt {
    return { what: `${what} in ${this.name}`, storeName: this.name, signal, ...(key !== undefined && { key }) };
  }

  #newBlobOptions({ signal, isShortLived = false }: PutOptions): BlockBlobCommitBlockListOptions {
    const { access_tier: tier, object_tags: tags, encryption_scope: encryptionScope } = this.#options;
    const immutabilityPolicy = isShortLived ? undefined : this.#immutabilityPolicy();
    return {
      ...withSignal(signal),
      ...(tier !== null && { tier }),
      ...(tags !== null && { tags }),
      ...(encryptionScope !== null && { encryptionScope }),
      ...(immutabilityPolicy && { immutabilityPolicy }),
    };
  }

  #immutabilityPolicy(): BlockBlobCommitBlockListOptions['immutabilityPolicy'] {
    const { object_lock_days: days, object_lock_mode: mode } = this.#options;
    if (days === null) return undefined;
    const expiriesOn = new Date(this.#clock.now().getTime() + days * dayMs);
    return { expiriesOn, policyMode: mode === 'compliance' ? 'Locked' : 'Unlocked' };
  }

  #listing(prefix: string, signal: AbortSignal | undefined): Listing {
    return { container: this.#container, storeName: this.name, prefix: namePrefix(prefix), signal, itemsMax: this.#tuning.pageItemsMax };
  }

  async *#listBothNames(listing: Listing): AsyncGenerator<ObjectInfo> {
    const normal = listBlobs(listing);
    if (!(await this.#hasLegacyNames(listing.signal))) return yield* normal;
    const { prefix, after } = listing;
    const legacy = listBlobs({ ...listing, prefix: legacyNameOf(prefix), ...(after !== undefined && { after: legacyNameOf(after) }) });
    yield* merged(withoutSlash(normal, 'left out'), withoutSlash(legacy, 'taken off'));
  }

  /** The usual name first; that of 1.4.0 only if there is no such blob, and there may be one of that name. */
  async #underEitherName<T>(attempt: Attempt, key: string, work: (blob: BlockBlobClient) => Promise<T>): Promise<T> {
    const name = nameOfKey(key);
    try {
      return await withStoreErrors(attempt, () => work(this.#blob(name)));
    } catch (error) {
      if (!isOperatorError(error, 'object-missing') || !(await this.#hasLegacyNames(attempt.signal))) throw error;
    }
    return withStoreErrors(attempt, () => work(this.#blob(legacyNameOf(name))));
  }

  async #isLegacy(key: string, signal: AbortSignal | undefined): Promise<boolean> {
    if (!(await this.#hasLegacyNames(signal))) return false;
    return withStoreErrors(this.#attempt(`look at ${key}`, signal, key), () =>
      this.#blob(legacyNameOf(nameOfKey(key))).exists(withSignal(signal)),
    );
  }

  async #hasLegacyNames(signal: AbortSignal | undefined): Promise<boolean> {
    const attempt = this.#attempt('list objects', signal);
    return withStoreErrors(attempt, () => this.#legacyNames.areThere(signal));
  }

  async #deleteBlob(name: string, key: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      await withStoreErrors(this.#attempt(`delete ${key}`, signal, key), () => this.#blob(name).delete(withSignal(signal)));
    } catch (error) {
      if (!isOperatorError(error, 'object-missing')) throw await this.#withLockTime(name, key, error, signal);
    }
  }

  /** Until when a lock holds is told by the blob itself, unless it is one of the whole container. */
  async #withLockTime(name: string, key: string, error: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    if (!(error instanceof ObjectLockedError)) return error;
    try {
      const { immutabilityPolicyExpiresOn: until } = await this.#blob(name).getProperties(withSignal(signal));
      return new ObjectLockedError(key, this.name, until, error.cause);
    } catch {
      return error;
    }
  }
}

function withSignal(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {};
}

/** Of blobs whose names begin with a slash: a listing without prefix has those of 1.4.0, too. */
async function* withoutSlash(blobs: AsyncIterable<ObjectInfo>, slashIs: 'left out' | 'taken off'): AsyncGenerator<ObjectInfo> {
  for await (const { key, ...info } of blobs) {
    if (!key.startsWith('/')) yield { key, ...info };
    else if (slashIs === 'taken off') yield { key: key.slice(1), ...info };
  }
}
