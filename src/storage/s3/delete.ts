import { DeleteObjectCommand, DeleteObjectsCommand, type _Error as DeletionError } from '@aws-sdk/client-s3';
import type { Clock } from '../../lib/clock.ts';
import { deleteOneByOne, ObjectLockedError } from '../delete-many.ts';
import type { LockedObject, RequestOptions } from '../object-store.ts';
import { storeUnreachable } from '../store-errors.ts';
import type { Asking, S3Connection } from './connection.ts';
import type { Described } from './entry.ts';
import { asStoreError, s3CodeOf, statusOf } from './errors.ts';
import type { ObjectReader } from './reader.ts';

export interface DeleterDeps {
  readonly connection: S3Connection;
  readonly reader: ObjectReader;
  readonly clock: Clock;
  /** Whether objects have versions and locks. */
  readonly locks: boolean;
}

/** XML cannot hold these, so their keys are not sent in batches. */
const notInXml = /[\p{Cc}\ufffe\uffff]/u;

/** Deletes objects. Where they are locked, version by version: else a mark that hides the object would pass for a deletion, and nothing be freed. */
export class ObjectDeleter {
  readonly #deps: DeleterDeps;

  constructor(deps: DeleterDeps) {
    this.#deps = deps;
  }

  async delete(key: string, { signal }: RequestOptions): Promise<void> {
    const { locks, reader } = this.#deps;
    if (!locks) return this.#deleteVersion(key, undefined, signal);
    // What an object replaced comes to light again when it goes.
    for (let found = await reader.find(key, signal); found; found = await reader.find(key, signal)) {
      this.#assertUnlocked(key, found);
      await this.#deleteUnlocked(key, found, signal);
      if (found.versionId === undefined) return;
    }
  }

  async deleteMany(keys: readonly string[], options: RequestOptions): Promise<readonly LockedObject[]> {
    const single = this.#deps.locks ? keys : keys.filter((key) => notInXml.test(key));
    const batch = this.#deps.locks ? [] : keys.filter((key) => !notInXml.test(key));
    if (batch.length > 0 && !(await this.#deleteBatch(batch, options.signal))) return deleteOneByOne(this, keys, options);
    return deleteOneByOne(this, single, options);
  }

  /** False where the store knows no batches. */
  async #deleteBatch(keys: readonly string[], signal: AbortSignal | undefined): Promise<boolean> {
    const { connection } = this.#deps;
    const asking: Asking = { what: `delete ${keys.length} objects`, signal };
    const input = { Bucket: connection.bucket, Delete: { Quiet: true, Objects: keys.map((Key) => ({ Key })) } };
    try {
      const { Errors = [] } = await connection.askPlainly(signal, (client, send) => client.send(new DeleteObjectsCommand(input), send));
      const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey');
      if (failed) throw failureOf(failed, asking, connection.storeName);
      return true;
    } catch (error) {
      if (s3CodeOf(error) === 'NotImplemented' || statusOf(error) === 405) return false;
      throw connection.explain(error, asking);
    }
  }

  #assertUnlocked(key: string, { lockedUntil, isHeld }: Described): void {
    const { clock, connection } = this.#deps;
    if (isHeld) throw new ObjectLockedError(key, connection.storeName, undefined);
    if (lockedUntil !== undefined && lockedUntil > clock.now()) throw new ObjectLockedError(key, connection.storeName, lockedUntil);
  }

  async #deleteUnlocked(key: string, { versionId }: Described, signal: AbortSignal | undefined): Promise<void> {
    const { connection, reader } = this.#deps;
    try {
      await this.#deleteVersion(key, versionId, signal);
    } catch (error) {
      // It may have been locked since, or by a clock that is ahead of ours.
      const now = await reader.findQuietly(key, signal);
      if (now?.versionId === versionId && (now?.lockedUntil || now?.isHeld))
        throw new ObjectLockedError(key, connection.storeName, now.lockedUntil, error);
      throw error;
    }
  }

  async #deleteVersion(key: string, VersionId: string | undefined, signal: AbortSignal | undefined): Promise<void> {
    const { connection } = this.#deps;
    const asking: Asking = { what: `delete ${key}`, key, signal };
    const input = { Bucket: connection.bucket, Key: key, ...(VersionId !== undefined && { VersionId }) };
    try {
      const { $metadata } = await connection.askPlainly(signal, (client, send) => client.send(new DeleteObjectCommand(input), send));
      if ($metadata.httpStatusCode !== 204 && VersionId === undefined) await this.#assertGone(key, signal);
    } catch (error) {
      if (s3CodeOf(error) !== 'NoSuchKey' && s3CodeOf(error) !== 'NoSuchVersion') throw connection.explain(error, asking);
    }
  }

  /** S3 answers 204; what says something else may be no store at all. */
  async #assertGone(key: string, signal: AbortSignal | undefined): Promise<void> {
    const { connection, reader } = this.#deps;
    const found = await reader.find(key, signal);
    if (found)
      throw storeUnreachable(`delete ${key}`, connection.storeName, new Error('it says that it has, but the object is still there'));
  }
}

/** Of one object in an answer that is a success otherwise. */
function failureOf({ Key, Code, Message }: DeletionError, asking: Asking, storeName: string): Error {
  const status = Code === 'AccessDenied' ? 403 : 500;
  const error = Object.assign(new Error(Message ?? ''), { name: Code ?? 'Error', $metadata: { httpStatusCode: status } });
  return asStoreError(error, { ...asking, what: `delete ${Key ?? 'an object'}`, storeName });
}
