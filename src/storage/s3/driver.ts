import { type Clock, systemClock } from '../../lib/clock.ts';
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
import { makeS3Client } from './client.ts';
import { S3Connection, s3StoreName } from './connection.ts';
import { createBucket } from './create.ts';
import { ObjectDeleter } from './delete.ts';
import { listObjects, removeUnfinished } from './list.ts';
import type { S3StorageOptions } from './options.ts';
import { ObjectReader } from './reader.ts';
import { s3SettingsOf } from './settings.ts';
import { ObjectUploader } from './upload.ts';

export { s3StoreName };

export async function openS3Store(options: S3StorageOptions, clock: Clock = systemClock): Promise<ObjectStore> {
  return new S3Store(new S3Connection(await makeS3Client(options), options.bucket_name), options, clock);
}

/** A bucket of Amazon S3, or of a store that speaks like it. */
class S3Store implements ObjectStore {
  readonly name: string;
  readonly #connection: S3Connection;
  readonly #reader: ObjectReader;
  readonly #uploader: ObjectUploader;
  readonly #deleter: ObjectDeleter;
  readonly #locks: boolean;

  constructor(connection: S3Connection, options: S3StorageOptions, clock: Clock) {
    const settings = s3SettingsOf(options);
    this.name = connection.storeName;
    this.#connection = connection;
    this.#locks = settings.lock !== undefined;
    const reader = new ObjectReader(connection);
    this.#reader = reader;
    this.#uploader = new ObjectUploader({ connection, reader, settings, clock });
    this.#deleter = new ObjectDeleter({ connection, reader, clock, locks: this.#locks });
  }

  put(key: string, source: ObjectSource, options: PutOptions): Promise<ObjectEntry> {
    return this.#uploader.put(key, source, options);
  }

  get(key: string, options: RequestOptions & { readonly range?: ByteRange } = {}): Promise<ObjectBody> {
    return this.#reader.get(key, options);
  }

  async head(key: string, { signal }: RequestOptions = {}): Promise<ObjectEntry> {
    return (await this.#reader.head(key, signal)).entry;
  }

  list(prefix: string, options: ListOptions = {}): AsyncIterable<ObjectInfo> {
    return listObjects(this.#connection, prefix, options);
  }

  delete(key: string, options: RequestOptions = {}): Promise<void> {
    return this.#deleter.delete(key, options);
  }

  deleteMany(keys: readonly string[], options: RequestOptions = {}): Promise<readonly LockedObject[]> {
    return this.#deleter.deleteMany(keys, options);
  }

  removeUnfinished(prefix: string, options: UnfinishedOptions): Promise<number> {
    return removeUnfinished(this.#connection, prefix, options);
  }

  async create({ signal }: RequestOptions = {}): Promise<void> {
    await createBucket(this.#connection, { region: await this.#connection.region(signal), locks: this.#locks }, signal);
  }

  async close(): Promise<void> {
    this.#connection.close();
  }
}
