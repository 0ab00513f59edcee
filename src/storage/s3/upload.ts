import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  PutObjectRetentionCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { Clock } from '../../lib/clock.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { retry } from '../../lib/retry.ts';
import type { ObjectEntry, ObjectSource, PutOptions } from '../object-store.ts';
import { type Part, partBytesFor, partRetryPolicy, uploadInParts, wholeSource } from '../parts.ts';
import { objectExists, uploadDiffers } from '../store-errors.ts';
import type { Asking, S3Connection } from './connection.ts';
import { digestsOf, etagOfParts } from './digests.ts';
import { checkMetadata, type Described, isOpaque, plainEtag } from './entry.ts';
import { rememberBodyHash } from './middleware.ts';
import type { ObjectReader } from './reader.ts';
import { differenceOf, hasMetadataOf, isAsSent, type Sent } from './sent.ts';
import { parallelParts, type S3Settings } from './settings.ts';

/** How long to try to remove the parts of an upload that failed. */
const abortMsMax = 10_000;

const dayMs = 24 * 60 * 60 * 1000;
const md5Pattern = /^[0-9a-f]{32}$/;

export interface UploaderDeps {
  readonly connection: S3Connection;
  readonly reader: ObjectReader;
  readonly settings: S3Settings;
  readonly clock: Clock;
}

interface Target {
  readonly key: string;
  readonly options: PutOptions;
  readonly asking: Asking;
}

/** Stores objects: small ones in one request, others in parts. What the store then has is compared with what was sent. */
export class ObjectUploader {
  readonly #deps: UploaderDeps;

  constructor(deps: UploaderDeps) {
    this.#deps = deps;
  }

  async put(key: string, source: ObjectSource, options: PutOptions): Promise<ObjectEntry> {
    const { connection, settings } = this.#deps;
    checkMetadata(options.metadata, key);
    const asking: Asking = { what: `store ${key}`, key, signal: options.signal };
    const target: Target = { key, options, asking };
    await this.#assertMayCreate(target);
    if (source.size <= settings.wholeBytesMax) return this.#putWhole(source, target);
    const partBytes = partBytesFor(source.size, settings.parts, connection.storeName);
    return this.#putInParts(source, partBytes, target);
  }

  async #putWhole(source: ObjectSource, target: Target): Promise<ObjectEntry> {
    const { connection } = this.#deps;
    const { key, options, asking } = target;
    const bytes = await wholeSource(source, key, options.signal);
    const md5 = await this.#hash(bytes);
    const sent: Sent = { key, size: bytes.length, etag: md5.toString('hex'), metadata: options.metadata };
    const fields = { ...this.#fieldsOf(target), ...createCondition(options), Body: bytes, ContentMD5: md5.toString('base64') };
    const input = { Bucket: connection.bucket, Key: key, ...fields };
    const request = () => connection.ask(asking, (client, send) => client.send(new PutObjectCommand(input), send));
    return this.#committing(target, sent, request)();
  }

  async #putInParts(source: ObjectSource, partBytes: number, target: Target): Promise<ObjectEntry> {
    const { connection } = this.#deps;
    const { key, options, asking } = target;
    const input = { Bucket: connection.bucket, Key: key, ...this.#fieldsOf(target) };
    const { UploadId: uploadId } = await connection.ask(asking, (client, send) =>
      client.send(new CreateMultipartUploadCommand(input), send),
    );
    if (uploadId === undefined) throw uploadDiffers(key, connection.storeName, 'it gave no id for an upload in parts');
    const parts: SentPart[] = [];
    try {
      const upload = { key, partBytes, parallel: parallelParts(partBytes), signal: options.signal };
      await uploadInParts(source, upload, async (part, signal) => {
        parts[part.number - 1] = await this.#sendPart(part, uploadId, { ...target, asking: { ...asking, signal } });
      });
      await this.#assertMayCreate(target);
      const etag = etagOfParts(parts.map(({ md5 }) => md5));
      return await this.#complete(target, uploadId, parts, { key, size: source.size, etag, metadata: options.metadata });
    } catch (error) {
      await this.#abandon(key, uploadId);
      throw error;
    }
  }

  async #sendPart(part: Part, uploadId: string, { key, asking }: Target): Promise<SentPart> {
    const { connection } = this.#deps;
    const md5 = await this.#hash(part.bytes);
    const ids = { Bucket: connection.bucket, Key: key, UploadId: uploadId, PartNumber: part.number };
    const command = new UploadPartCommand({ ...ids, Body: part.bytes, ContentMD5: md5.toString('base64') });
    const answer = await connection.ask({ ...asking, what: `${asking.what}, part ${part.number}` }, (client, send) =>
      client.send(command, send),
    );
    const etag = plainEtag(answer.ETag);
    if (etag === undefined) throw uploadDiffers(key, connection.storeName, `part ${part.number} has no ETag`);
    if (!isOpaque(answer) && md5Pattern.test(etag) && etag !== md5.toString('hex'))
      throw uploadDiffers(key, connection.storeName, `part ${part.number} has the MD5 sum ${etag}, not ${md5.toString('hex')}`);
    return { md5, etag: answer.ETag ?? etag };
  }

  async #hash(bytes: Buffer): Promise<Buffer> {
    const { md5, sha256 } = await digestsOf(bytes, this.#deps.settings.signsBodies);
    if (sha256 !== undefined) rememberBodyHash(bytes, sha256);
    return md5;
  }

  async #complete(target: Target, uploadId: string, parts: readonly SentPart[], sent: Sent): Promise<ObjectEntry> {
    const { connection } = this.#deps;
    const MultipartUpload = { Parts: parts.map(({ etag }, i) => ({ ETag: etag, PartNumber: i + 1 })) };
    const input = { Bucket: connection.bucket, Key: target.key, UploadId: uploadId, MultipartUpload, ...createCondition(target.options) };
    const request = () => connection.ask(target.asking, (client, send) => client.send(new CompleteMultipartUploadCommand(input), send));
    const commit = this.#committing(target, sent, request);
    const isRetryable = (error: unknown) => isOperatorError(error, 'store-unreachable', 'store-throttled') && error.retryable;
    return retry(commit, partRetryPolicy, { signal: target.options.signal, isRetryable });
  }

  /** Makes an object visible and sees what became of it: also where the answer was lost, or is none that tells. Can be repeated. */
  #committing(target: Target, sent: Sent, request: () => Promise<{ ETag?: string | undefined }>): () => Promise<ObjectEntry> {
    const { reader } = this.#deps;
    const { key, options } = target;
    let mayBeDone = false;
    return async () => {
      let answer: { ETag?: string | undefined };
      try {
        answer = await request();
      } catch (error) {
        mayBeDone ||= isOperatorError(error, 'store-unreachable');
        const found = mayBeDone ? await reader.findQuietly(key, options.signal) : undefined;
        if (found && isAsSent(found, sent)) return this.#locked(target, found);
        throw error;
      }
      return this.#checked(target, sent, plainEtag(answer.ETag));
    };
  }

  async #checked(target: Target, sent: Sent, answered: string | undefined): Promise<ObjectEntry> {
    const { connection, reader } = this.#deps;
    const { key, options } = target;
    const found = await reader.find(key, options.signal);
    const difference = differenceOf(found, sent);
    if (found && difference === undefined) return this.#locked(target, found);
    const isOurs = found !== undefined && hasMetadataOf(found, sent);
    const isKnownWhole = answered === sent.etag;
    if (found && options.createOnly) {
      // Somebody else may have stored the same at the same time, encrypted with another random key.
      if (!isOurs || (isKnownWhole && found.entry.size === sent.size)) throw objectExists(key, connection.storeName);
      // Nothing may replace it, so a damaged object would stay for ever.
      await this.#removeDamaged(key, found.versionId);
    } else if (found && !isOurs && isKnownWhole) {
      // Somebody else replaced it in the meantime.
      return { ...found.entry, size: sent.size, metadata: sent.metadata };
    }
    throw uploadDiffers(key, connection.storeName, difference ?? 'it is not there');
  }

  /** Ceph 16 forgets the lock of what is uploaded in parts. */
  async #locked({ key, options, asking }: Target, { entry, versionId, lockedUntil }: Described): Promise<ObjectEntry> {
    const { connection } = this.#deps;
    const lock = this.#lockOf(options);
    if (!lock || lockedUntil !== undefined) return entry;
    const where = { Bucket: connection.bucket, Key: key, ...(versionId !== undefined && { VersionId: versionId }) };
    const Retention = { Mode: lock.ObjectLockMode, RetainUntilDate: lock.ObjectLockRetainUntilDate };
    await connection.ask({ ...asking, what: `lock ${key}` }, (client, send) =>
      client.send(new PutObjectRetentionCommand({ ...where, Retention }), send),
    );
    return entry;
  }

  #lockOf({ isShortLived }: PutOptions) {
    const { settings, clock } = this.#deps;
    const { lock } = settings;
    if (!lock || isShortLived) return undefined;
    return { ObjectLockMode: lock.mode, ObjectLockRetainUntilDate: new Date(clock.now().getTime() + lock.days * dayMs) };
  }

  /** Amazon keeps what is there where it is told to; others may not have heard of that. A look beforehand serves as long as nobody else creates the same at once. */
  async #assertMayCreate({ key, options }: Target): Promise<void> {
    const { connection, reader, settings } = this.#deps;
    if (!options.createOnly || !settings.mayReplace) return;
    if (await reader.find(key, options.signal)) throw objectExists(key, connection.storeName);
  }

  #fieldsOf({ options }: Target): Partial<PutObjectCommandInput> {
    const { fields } = this.#deps.settings;
    return { Metadata: { ...options.metadata }, ContentType: 'application/octet-stream', ...fields, ...this.#lockOf(options) };
  }

  /** Also where the upload was stopped; what cannot be removed now is found by {@link ObjectStore.removeUnfinished}. */
  async #abandon(key: string, uploadId: string): Promise<void> {
    const { connection } = this.#deps;
    const input = { Bucket: connection.bucket, Key: key, UploadId: uploadId };
    const signal = AbortSignal.timeout(abortMsMax);
    try {
      await connection.askPlainly(signal, (client, send) => client.send(new AbortMultipartUploadCommand(input), send));
    } catch {}
  }

  async #removeDamaged(key: string, versionId: string | undefined): Promise<void> {
    const { connection } = this.#deps;
    const input = { Bucket: connection.bucket, Key: key, ...(versionId !== undefined && { VersionId: versionId }) };
    try {
      await connection.askPlainly(undefined, (client, send) => client.send(new DeleteObjectCommand(input), send));
    } catch {}
  }
}

interface SentPart {
  readonly md5: Buffer;
  /** As the store gave it, to be given back. */
  readonly etag: string;
}

function createCondition({ createOnly }: PutOptions): { IfNoneMatch?: string } {
  return createOnly ? { IfNoneMatch: '*' } : {};
}
