import type { S3Client } from '@aws-sdk/client-s3';
import { untilAborted } from '../abortable.ts';
import { asStoreError, s3CodeOf } from './errors.ts';

/** Of one request. */
export interface Asking {
  /** For messages: `store site/xlog/1`. */
  readonly what: string;
  readonly key?: string;
  readonly signal?: AbortSignal | undefined;
}

interface SendOptions {
  readonly abortSignal?: AbortSignal;
}

/** Codes of S3 for temporary credentials that are no longer good, whatever their date says. */
const staleCodes = new Set(['ExpiredToken', 'ExpiredTokenException', 'InvalidToken', 'TokenRefreshRequired']);

export function s3StoreName(bucket: string): string {
  return `s3 bucket ${bucket}`;
}

/** A bucket and the client to ask for it. */
export class S3Connection {
  readonly storeName: string;
  readonly bucket: string;
  readonly #client: S3Client;
  /** The last time that new credentials were asked for because the store no longer took those that we had. */
  #renewal: Promise<unknown> | undefined;

  constructor(client: S3Client, bucket: string) {
    this.#client = client;
    this.bucket = bucket;
    this.storeName = s3StoreName(bucket);
  }

  /** Makes a request, with errors as {@link ObjectStore} promises them. */
  async ask<T>(asking: Asking, request: (client: S3Client, options: SendOptions) => Promise<T>): Promise<T> {
    try {
      return await this.askPlainly(asking.signal, request);
    } catch (error) {
      throw this.explain(error, asking);
    }
  }

  /** What to throw for an error of the SDK. */
  explain(error: unknown, { signal, ...attempt }: Asking): unknown {
    return signal?.aborted ? signal.reason : asStoreError(error, { ...attempt, storeName: this.storeName });
  }

  /** The region that the options, the environment or the profile name. */
  region(signal: AbortSignal | undefined): Promise<string> {
    return this.ask({ what: 'find the region', signal }, (client) => client.config.region());
  }

  /** The same with the errors of the SDK. Credentials that the store no longer takes are asked for anew, once. */
  async askPlainly<T>(signal: AbortSignal | undefined, request: (client: S3Client, options: SendOptions) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const options = signal ? { abortSignal: signal } : {};
    // Whoever gives out the credentials does not know of the signal, and may hang.
    const send = () => untilAborted(request(this.#client, options), signal);
    const renewal = this.#renewal;
    try {
      return await send();
    } catch (error) {
      if (!staleCodes.has(s3CodeOf(error) ?? '')) throw error;
      // Of several requests that were refused at once the first one asks.
      if (this.#renewal === renewal) this.#renewal = this.#client.config.credentials({ forceRefresh: true });
      await untilAborted(Promise.resolve(this.#renewal), signal);
      return send();
    }
  }

  close(): void {
    this.#client.destroy();
  }
}
