/** Lower-case hyphenated names and text values, as in docs/FORMAT.md. */
export type Metadata = Readonly<Record<string, string>>;

/** What a listing tells of an object. Metadata is not part of it: many stores need a request per object for that. */
export interface ObjectInfo {
  readonly key: string;
  /** Stored bytes. */
  readonly size: number;
  readonly lastModified: Date;
}

export interface ObjectEntry extends ObjectInfo {
  readonly metadata: Metadata;
  /** Digest of the stored bytes as the store keeps it by itself, in hexadecimal; each kind of store has its own. Only shown, never relied on. */
  readonly digest?: string;
}

/** Bytes to be stored. They can be read again from the start, so that an upload can be repeated. */
export interface ObjectSource {
  readonly size: number;
  open(): AsyncIterable<Uint8Array>;
  /** Where the bytes lie in a finished, fsynced local file that nobody will write to again: a driver may link or copy it. */
  readonly file?: string;
  /** To be called now and then by a driver that reads {@link file} itself. */
  readonly onProgress?: () => void;
}

/** Half open: bytes from `start` up to, not including, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface ObjectBody {
  readonly entry: ObjectEntry;
  /** Can be read once. Ends early only by an error: `store-unreachable` (retryable) where fewer bytes came than promised. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Where the whole object lies in a file of this host: who would write the bytes to a file may read it there. It may be replaced or go meanwhile. */
  readonly file?: string;
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface PutOptions extends RequestOptions {
  readonly metadata: Metadata;
  /** Rejects with `object-exists` instead of replacing. */
  readonly createOnly?: boolean;
  /** It is replaced or deleted before long in normal work: no lock of the store may be put on it, and while it is replaced there is always one of the two. */
  readonly isShortLived?: boolean;
}

export interface ListOptions extends RequestOptions {
  /** Only keys after this one. */
  readonly after?: string;
  /** Told of data that have no metadata, in stores where the one can be without the other: not yet, or not any more, an object. */
  readonly onIncomplete?: (key: string) => void;
}

export interface UnfinishedOptions extends RequestOptions {
  readonly before: Date;
}

export interface LockedObject {
  readonly key: string;
  /** Until when nobody can delete it, where the store tells. */
  readonly until?: Date | undefined;
}

/** Keys that one call of `deleteMany` takes, as in S3. */
export const deleteManyMax = 1000;

/**
 * A place that keeps named byte strings, the bottom of everything that is backed up.
 *
 * Keys are `/`-separated, without a leading slash. A put is visible whole or not at all, and durable once it has resolved.
 * Drivers do no retries ({@link withRetry} does) and reject with OperatorErrors:
 * `object-missing` only where the store itself said so, `object-exists`, `object-locked`, `store-missing` (the bucket or container), `store-denied`,
 * `store-full`, `store-throttled` and `store-unreachable` (both retryable), `store-failed`. Only missing directories of local stores are `object-missing`.
 */
export interface ObjectStore {
  /** For messages, without secrets: `local directory /backups`, `s3 bucket b`. */
  readonly name: string;
  /** Resolves to what the store now has; the driver has compared its size with the source's. */
  put(key: string, source: ObjectSource, options: PutOptions): Promise<ObjectEntry>;
  /** Rejects with `object-missing`; never yields an empty body instead. */
  get(key: string, options?: RequestOptions & { readonly range?: ByteRange }): Promise<ObjectBody>;
  head(key: string, options?: RequestOptions): Promise<ObjectEntry>;
  /** All keys that begin with `prefix`, at any depth, in ascending byte order, paging hidden. A prefix without objects is an empty list. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;
  /** Deleting what is already gone succeeds: pruning can be repeated. Rejects with `object-locked` where a lock keeps the object. */
  delete(key: string, options?: RequestOptions): Promise<void>;
  /** The same for up to {@link deleteManyMax} keys, in one request where the store can. Resolves to those that a lock keeps. */
  deleteMany(keys: readonly string[], options?: RequestOptions): Promise<readonly LockedObject[]>;
  /** Removes what interrupted uploads of objects under `prefix` left since before `before`, as far as the store shows such things. Resolves to how many. */
  removeUnfinished(prefix: string, options: UnfinishedOptions): Promise<number>;
  /** Makes the bucket or container where it is missing. Nothing else does, so that one that was deleted or renamed does not come back empty. */
  create(options?: RequestOptions): Promise<void>;
  close(): Promise<void>;
}
