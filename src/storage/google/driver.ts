import { type Clock, systemClock } from '../../lib/clock.ts';
import { isOperatorError, OperatorError } from '../../lib/errors.ts';
import { deleteOneByOne, lockedUntil, ObjectLockedError } from '../delete-many.ts';
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
import { objectExists, storeUnreachable, uploadDiffers } from '../store-errors.ts';
import { StorageApi } from './api.ts';
import { deleteInBatches, isWithoutBatches } from './batch.ts';
import { asStoreError, isApiError, isBucketMissing, isLocked, isObjectMissing, UnexpectedAnswer } from './errors.ts';
import type { GoogleStorageOptions } from './options.ts';
import { readObject } from './read.ts';
import { entryOf, infoOf, type Listing, listFields, lockEnd, type ObjectResource, objectPath, resourceFields } from './resource.ts';
import { uploadResumably } from './resumable-upload.ts';
import { type Uploaded, type UploadTarget, uploadInOneRequest } from './upload.ts';

export interface GoogleLimits {
  /** Larger objects go in chunks of this size, each in memory while it is sent; a multiple of 256 KiB, as the store wants it. */
  readonly chunkBytes: number;
  /** How long the store may say nothing and take nothing. */
  readonly silenceMs: number;
}

const defaultLimits: GoogleLimits = { chunkBytes: 8 * 1024 * 1024, silenceMs: 60_000 };

const dayMs = 86_400_000;

export function googleStoreName({ bucket_name: bucket }: Pick<GoogleStorageOptions, 'bucket_name'>): string {
  return `google bucket ${bucket}`;
}

/** Objects of a bucket of Google Cloud Storage, through its JSON API. A key is only a name there, so none is refused: that is for who puts them together. */
export class GoogleStore implements ObjectStore {
  readonly name: string;
  readonly #options: GoogleStorageOptions;
  readonly #bucket: string;
  readonly #api: StorageApi;
  readonly #chunkBytes: number;
  readonly #clock: Clock;

  private constructor(options: GoogleStorageOptions, api: StorageApi, chunkBytes: number, clock: Clock) {
    this.name = googleStoreName(options);
    this.#options = options;
    this.#bucket = options.bucket_name;
    this.#api = api;
    this.#chunkBytes = chunkBytes;
    this.#clock = clock;
  }

  static async open(options: GoogleStorageOptions, limits: Partial<GoogleLimits> = {}, clock: Clock = systemClock): Promise<GoogleStore> {
    const { chunkBytes, silenceMs } = { ...defaultLimits, ...limits };
    return new GoogleStore(options, await StorageApi.open(options, silenceMs), chunkBytes, clock);
  }

  async put(key: string, source: ObjectSource, options: PutOptions): Promise<ObjectEntry> {
    const target = this.#uploadTarget(key, options);
    const upload = source.size <= this.#chunkBytes ? uploadInOneRequest : uploadResumably;
    try {
      const uploaded = await upload(target, source, options);
      await this.#checkUploaded(uploaded, source.size, options);
      return entryOf(uploaded.stored);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (options.createOnly && isApiError(error, 412)) throw objectExists(key, this.name);
      throw await this.#asStoreError(error, `store ${key}`, key, options);
    }
  }

  async get(key: string, options: RequestOptions & { readonly range?: ByteRange } = {}): Promise<ObjectBody> {
    const resource = await this.#resource(key, options);
    const { signal, range } = options;
    const reading = { api: this.#api, bucket: this.#bucket, storeName: this.name, range, signal };
    return { entry: entryOf(resource), bytes: readObject(resource, reading) };
  }

  async head(key: string, options: RequestOptions = {}): Promise<ObjectEntry> {
    return entryOf(await this.#resource(key, options));
  }

  async *list(prefix: string, { after, signal }: ListOptions = {}): AsyncIterable<ObjectInfo> {
    let pageToken: string | undefined;
    do {
      const page = await this.#page(prefix, { pageToken, startOffset: after }, signal);
      for (const item of page.items ?? []) {
        signal?.throwIfAborted();
        // The offset is part of the page. What ends in a slash is the console's idea of a directory.
        if (item.name !== after && !item.name.endsWith('/')) yield infoOf(item);
      }
      if (page.nextPageToken !== undefined && page.nextPageToken === pageToken) throw listingStuck(prefix, this.name);
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
  }

  async delete(key: string, options: RequestOptions = {}): Promise<void> {
    try {
      const { status } = await this.#api.exchange({ method: 'DELETE', path: objectPath(this.#bucket, key), signal: options.signal });
      // The store answers 204; what says something else may be no store at all.
      if (status !== 204 && (await this.#isThere(key, options))) throw new UnexpectedAnswer();
    } catch (error) {
      options.signal?.throwIfAborted();
      if (isObjectMissing(error)) return;
      throw await this.#asStoreError(error, `delete ${key}`, key, options);
    }
  }

  async deleteMany(keys: readonly string[], options: RequestOptions = {}): Promise<readonly LockedObject[]> {
    const what = `delete ${keys.length} objects`;
    try {
      const refused = await deleteInBatches({ api: this.#api, bucket: this.#bucket, keys, signal: options.signal });
      const locked: LockedObject[] = [];
      for (const { key, error } of refused) locked.push({ key, until: lockedUntil(await this.#asStoreError(error, what, key, options)) });
      return locked;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (isWithoutBatches(error)) return deleteOneByOne(this, keys, options);
      throw asStoreError(error, { what, storeName: this.name });
    }
  }

  /** Nothing of an upload can be seen before it has ended; the store itself forgets unfinished ones after a week. */
  async removeUnfinished(): Promise<number> {
    return 0;
  }

  async create(options: RequestOptions = {}): Promise<void> {
    const { signal } = options;
    try {
      if (await this.#hasBucket(signal)) return;
      const { project_id, object_lock_days } = this.#options;
      if (project_id === null) throw projectUnknown(this.name);
      await this.#api.exchange(
        {
          method: 'POST',
          path: '/storage/v1/b',
          query: { project: project_id, enableObjectRetention: object_lock_days === null ? undefined : 'true' },
          headers: { 'content-type': 'application/json' },
          body: [Buffer.from(JSON.stringify({ name: this.#bucket }))],
          signal,
        },
        409,
      );
    } catch (error) {
      signal?.throwIfAborted();
      throw asStoreError(error, { what: 'make the bucket', storeName: this.name });
    }
  }

  async close(): Promise<void> {
    this.#api.close();
  }

  /** Who may not list may be allowed all the rest: a refusal means that there is a bucket. */
  async #hasBucket(signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.#api.exchange({ path: `${this.#bucketPath}/o`, query: { maxResults: '1', fields: 'kind' }, signal }, 403);
      return true;
    } catch (error) {
      if (isBucketMissing(error)) return false;
      throw error;
    }
  }

  async #isThere(key: string, options: RequestOptions): Promise<boolean> {
    try {
      await this.#resource(key, options);
      return true;
    } catch (error) {
      if (isOperatorError(error, 'object-missing')) return false;
      throw error;
    }
  }

  async #resource(key: string, { signal }: RequestOptions): Promise<ObjectResource> {
    try {
      return await this.#api.json('storage#object', { path: objectPath(this.#bucket, key), query: { fields: resourceFields }, signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw asStoreError(error, { what: `look at ${key}`, key, storeName: this.name });
    }
  }

  async #page(prefix: string, query: Readonly<Record<string, string | undefined>>, signal: AbortSignal | undefined): Promise<Listing> {
    try {
      return await this.#api.json('storage#objects', {
        path: `${this.#bucketPath}/o`,
        query: { ...query, prefix, fields: listFields },
        signal,
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw asStoreError(error, { what: `list ${prefix}`, storeName: this.name });
    }
  }

  #uploadTarget(key: string, options: PutOptions): UploadTarget {
    const { storage_class, kms_key_name } = this.#options;
    const attributes = { ...(storage_class !== null && { storageClass: storage_class }), ...this.#retention(options) };
    const kmsKeyName = kms_key_name ?? undefined;
    return { api: this.#api, bucket: this.#bucket, storeName: this.name, key, attributes, kmsKeyName, chunkBytes: this.#chunkBytes };
  }

  #retention({ isShortLived }: PutOptions): object {
    const { object_lock_days, object_lock_mode } = this.#options;
    if (object_lock_days === null || isShortLived) return {};
    const until = new Date(this.#clock.now().getTime() + object_lock_days * dayMs);
    return { retention: { mode: object_lock_mode === 'compliance' ? 'Locked' : 'Unlocked', retainUntilTime: until.toISOString() } };
  }

  /** What differs from what was sent is not left there: a repetition might not be allowed to replace it. */
  async #checkUploaded({ stored, checksum }: Uploaded, size: number, { signal }: PutOptions): Promise<void> {
    const difference = differenceOf(stored, size, checksum);
    if (difference === undefined) return;
    const { name, generation } = stored;
    const path = objectPath(this.#bucket, name);
    await this.#api.exchange({ method: 'DELETE', path, query: { ifGenerationMatch: generation }, signal }).catch(() => {});
    throw uploadDiffers(name, this.name, difference);
  }

  async #asStoreError(failure: unknown, what: string, key: string, options: RequestOptions): Promise<unknown> {
    if (!isLocked(failure)) return asStoreError(failure, { what, key, storeName: this.name });
    const resource = await this.#resource(key, options).catch(() => undefined);
    return new ObjectLockedError(key, this.name, resource && lockEnd(resource), failure);
  }

  get #bucketPath(): string {
    return `/storage/v1/b/${encodeURIComponent(this.#bucket)}`;
  }
}

function differenceOf(stored: ObjectResource, size: number, checksum: string): string | undefined {
  if (Number(stored.size) !== size) return `it has ${stored.size} bytes instead of ${size}`;
  return stored.crc32c === undefined || stored.crc32c === checksum ? undefined : `its CRC32C is ${stored.crc32c} instead of ${checksum}`;
}

/** Asked for ever, it would never end. */
function listingStuck(prefix: string, storeName: string): OperatorError {
  return storeUnreachable(`list ${prefix}`, storeName, new Error('the listing does not go on'));
}

function projectUnknown(storeName: string): OperatorError {
  return new OperatorError('store-missing', `${storeName} does not exist, and cannot be made`, {
    hint: 'Set project_id to the project that is to have it, or make the bucket yourself.',
  });
}
