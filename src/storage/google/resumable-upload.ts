import { OperatorError } from '../../lib/errors.ts';
import type { ObjectSource, PutOptions } from '../object-store.ts';
import { type Part, uploadInParts } from '../parts.ts';
import { storeUnreachable } from '../store-errors.ts';
import type { ApiRequest } from './api.ts';
import { ApiError, asStoreError, isApiError } from './errors.ts';
import type { HttpAnswer } from './http.ts';
import { Crc32c, type ObjectResource, parseAnswer } from './resource.ts';
import { contentType, type Uploaded, type UploadTarget, uploadRequest } from './upload.ts';

/** How long the end of a session may take when nobody waits for its outcome. */
const cancelMsMax = 10_000;
/** Not an error: the session wants more. */
const incomplete = 308;

/** Chunks of one session, one after the other; the object appears with the last one. A chunk that was cut off goes on where the store says. */
export async function uploadResumably(target: UploadTarget, source: ObjectSource, options: PutOptions): Promise<Uploaded> {
  const session = await ResumableSession.begin(target, source.size, options);
  const upload = { key: target.key, partBytes: target.chunkBytes, parallel: 1, signal: options.signal };
  try {
    await uploadInParts(source, upload, (part, signal) => session.send(part, signal));
    return session.finished();
  } catch (error) {
    await session.cancel();
    throw error;
  }
}

class ResumableSession {
  readonly #target: UploadTarget;
  readonly #address: Pick<ApiRequest, 'path' | 'query'>;
  readonly #size: number;
  readonly #crc = new Crc32c();
  /** The last chunk whose bytes are in the checksum. */
  #summed = 0;
  /** The last chunk that was sent: the store may have some of it. */
  #tried = 0;
  #stored: ObjectResource | undefined;

  private constructor(target: UploadTarget, address: Pick<ApiRequest, 'path' | 'query'>, size: number) {
    this.#target = target;
    this.#address = address;
    this.#size = size;
  }

  static async begin(target: UploadTarget, size: number, options: PutOptions): Promise<ResumableSession> {
    const { api, key, attributes } = target;
    const { headers } = await api.exchange({
      ...uploadRequest(target, 'resumable', options),
      headers: {
        'content-type': 'application/json; charset=UTF-8',
        'x-upload-content-type': contentType,
        'x-upload-content-length': String(size),
      },
      body: [Buffer.from(JSON.stringify({ ...attributes, name: key, metadata: options.metadata }))],
    });
    if (headers.location === undefined)
      throw new OperatorError('store-failed', `${target.storeName} began an upload, but did not say where`);
    return new ResumableSession(target, api.pathOf(headers.location), size);
  }

  async send(part: Part, signal: AbortSignal): Promise<void> {
    if (this.#summed < part.number) this.#crc.update(part.bytes);
    this.#summed = part.number;
    try {
      const from = this.#tried === part.number ? await this.#persisted(signal) : part.position;
      this.#tried = part.number;
      await this.#sendFrom(from, part, signal);
    } catch (error) {
      throw this.#asStoreError(error);
    }
  }

  finished(): Uploaded {
    if (!this.#stored) throw this.#broken('the last chunk was not acknowledged');
    return { stored: this.#stored, checksum: this.#crc.toString() };
  }

  /** What was sent would be kept for a week. */
  async cancel(): Promise<void> {
    if (this.#stored) return;
    await this.#ask({ method: 'DELETE', signal: AbortSignal.timeout(cancelMsMax) }, 499).catch(() => {});
  }

  /** Goes on until the store has the whole chunk: it may take less than it was sent. */
  async #sendFrom(position: number, part: Part, signal: AbortSignal): Promise<void> {
    const end = part.position + part.bytes.length;
    for (let from = position; from < end && !this.#stored; ) {
      if (from < part.position) throw this.#lost(from);
      const persisted = await this.#sendBytes(part.bytes.subarray(from - part.position), from, signal);
      if (persisted <= from && !this.#stored) throw this.#lost(persisted);
      from = persisted;
    }
  }

  async #sendBytes(bytes: Buffer, from: number, signal: AbortSignal): Promise<number> {
    const end = from + bytes.length;
    const isLast = end === this.#size;
    const headers = {
      'content-range': `bytes ${from}-${end - 1}/${this.#size}`,
      ...(isLast && { 'x-goog-hash': `crc32c=${this.#crc.toString()}` }),
    };
    return this.#progress(await this.#ask({ method: 'PUT', headers, body: [bytes], signal }, incomplete));
  }

  /** How far the store has it. A success means that the object is complete: only the answer had been lost. */
  async #persisted(signal: AbortSignal): Promise<number> {
    const headers = { 'content-range': `bytes */${this.#size}` };
    return this.#progress(await this.#ask({ method: 'PUT', headers, signal }, incomplete));
  }

  #progress({ status, headers, body }: HttpAnswer): number {
    if (status === incomplete) return Number(/^bytes=0-(\d+)$/.exec(headers.range ?? '')?.[1] ?? -1) + 1;
    this.#stored = parseAnswer('storage#object', body);
    return this.#size;
  }

  #lost(persisted: number): OperatorError {
    return this.#broken(`the store has ${persisted} bytes, fewer than it had acknowledged`);
  }

  #broken(why: string, cause?: unknown): OperatorError {
    return storeUnreachable(this.#what, this.#target.storeName, new Error(why, { cause }));
  }

  /** What has an answer of its own, such as that the object is there already, is passed on. */
  #asStoreError(error: unknown): unknown {
    if (error instanceof ApiError && (error.status === 404 || error.status === 410)) return this.#broken('the upload is gone', error);
    return isApiError(error, 412) ? error : asStoreError(error, { what: this.#what, storeName: this.#target.storeName });
  }

  get #what(): string {
    return `store ${this.#target.key}`;
  }

  #ask(request: Partial<ApiRequest>, ...expected: readonly number[]): Promise<HttpAnswer> {
    return this.#target.api.exchange({ ...this.#address, ...request }, ...expected);
  }
}
