import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandOutput, HeadObjectCommand } from '@aws-sdk/client-s3';
import { isOperatorError, OperatorError } from '../../lib/errors.ts';
import { abortable } from '../abortable.ts';
import { cutOut } from '../cut-out.ts';
import type { ByteRange, ObjectBody, RequestOptions } from '../object-store.ts';
import { bodyCutShort } from '../store-errors.ts';
import type { Asking, S3Connection } from './connection.ts';
import { type Described, describe } from './entry.ts';
import { asStoreError, s3CodeOf, statusOf } from './errors.ts';

type Signal = AbortSignal | undefined;

/** Looks at objects and reads them. */
export class ObjectReader {
  readonly #connection: S3Connection;

  constructor(connection: S3Connection) {
    this.#connection = connection;
  }

  /** `undefined` only where the store said itself that there is none. */
  async find(key: string, signal: Signal): Promise<Described | undefined> {
    try {
      return await this.head(key, signal);
    } catch (error) {
      if (isOperatorError(error, 'object-missing')) return undefined;
      throw error;
    }
  }

  /** The same where not knowing is no failure of its own. */
  async findQuietly(key: string, signal: Signal): Promise<Described | undefined> {
    try {
      return await this.find(key, signal);
    } catch {
      return undefined;
    }
  }

  async head(key: string, signal: Signal): Promise<Described> {
    const { bucket, storeName } = this.#connection;
    const input = { Bucket: bucket, Key: key };
    const asking: Asking = { what: `look at ${key}`, key, signal };
    try {
      const answer = await this.#connection.askPlainly(signal, (client, send) => client.send(new HeadObjectCommand(input), send));
      return describe(key, answer.ContentLength, answer, storeName);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!isRefusal(error)) throw asStoreError(error, { ...asking, storeName });
      return this.#headWithReason(key, asking);
    }
  }

  /** Answers to HEAD have no body to say why. A GET of the first byte has. */
  async #headWithReason(key: string, asking: Asking): Promise<Described> {
    const { bucket, storeName } = this.#connection;
    const input = { Bucket: bucket, Key: key, Range: 'bytes=0-0' };
    try {
      const answer = await this.#connection.askPlainly(asking.signal, (client, send) => client.send(new GetObjectCommand(input), send));
      discard(answer.Body as Readable);
      return describe(key, sizeOf(answer), answer, storeName);
    } catch (error) {
      if (asking.signal?.aborted) throw asking.signal.reason;
      if (s3CodeOf(error) !== 'InvalidRange') throw asStoreError(error, { ...asking, storeName });
      // It came just now, and is empty.
      return this.#connection
        .ask(asking, (client, send) => client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }), send))
        .then((answer) => describe(key, answer.ContentLength, answer, storeName));
    }
  }

  async get(key: string, { range, signal }: RequestOptions & { readonly range?: ByteRange }): Promise<ObjectBody> {
    if (range && range.end <= range.start) return { entry: (await this.head(key, signal)).entry, bytes: nothing() };
    const { bucket, storeName } = this.#connection;
    const input = { Bucket: bucket, Key: key, ...(range && { Range: `bytes=${range.start}-${range.end - 1}` }) };
    try {
      const answer = await this.#connection.askPlainly(signal, (client, send) => client.send(new GetObjectCommand(input), send));
      const described = describe(key, sizeOf(answer), answer, storeName);
      const whole = isWhole(answer);
      const bytes = readBody(answer, { key, storeName, signal, md5: whole ? described.entry.digest : undefined });
      // Something in between may know no ranges.
      return { entry: described.entry, bytes: abortable(range && whole ? cutOut(bytes, range) : bytes, signal) };
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      // A range that begins at the end of the object, or beyond.
      if (range && s3CodeOf(error) === 'InvalidRange') return { entry: (await this.head(key, signal)).entry, bytes: nothing() };
      throw asStoreError(error, { what: `read ${key}`, key, storeName });
    }
  }
}

interface Reading {
  readonly key: string;
  readonly storeName: string;
  readonly signal: Signal;
  /** Of the whole, where the store tells it. */
  readonly md5: string | undefined;
}

async function* readBody(answer: GetObjectCommandOutput, { key, storeName, signal, md5 }: Reading): AsyncGenerator<Uint8Array> {
  const body = answer.Body as Readable;
  const expected = answer.ContentLength ?? 0;
  const hash = md5 === undefined ? undefined : createHash('md5');
  let received = 0;
  try {
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      received += piece.length;
      hash?.update(piece);
      yield piece;
    }
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw asStoreError(error, { what: `read ${key}`, key, storeName });
  } finally {
    discard(body);
  }
  if (received !== expected) throw bodyCutShort(key, storeName, expected, received);
  if (hash && hash.digest('hex') !== md5)
    throw new OperatorError('object-corrupt', `${key} in ${storeName} is damaged: its bytes do not have the MD5 sum that the store tells`, {
      hint: 'If it stays so when it is read again, restore from another base backup, and keep the object for inspection.',
    });
}

/** Whether the store, or somebody before it, answered that it does not do it. */
function isRefusal(error: unknown): boolean {
  const status = statusOf(error);
  return status !== undefined && status >= 300 && status < 500 && ![408, 407, 429, 499].includes(status);
}

/** Of the whole object, also where the answer has a part of it. */
function sizeOf(answer: GetObjectCommandOutput): number | undefined {
  if (isWhole(answer)) return answer.ContentLength;
  const total = /\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}

function isWhole({ $metadata }: GetObjectCommandOutput): boolean {
  return $metadata.httpStatusCode !== 206;
}

/** A body that nobody reads would keep its connection for ever. */
function discard(body: Readable | undefined): void {
  body?.on('error', () => {});
  body?.destroy();
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
