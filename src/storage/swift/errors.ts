import { OperatorError, systemErrorCode } from '../../lib/errors.ts';
import { storeDenied, storeThrottled, storeUnreachable } from '../store-errors.ts';
import type { HttpAnswer, HttpClient, HttpRequest } from './http-client.ts';

/** What went wrong, for messages. */
export interface Attempt {
  /** What was to be done: `store xlog/…`. */
  readonly what: string;
  readonly storeName: string;
}

/** The store no longer takes the token, or never did. */
export class TokenRefusedError extends OperatorError {}

/** Of the text that comes with a refusal. */
const explanationBytesMax = 4096;
const explanationCharactersMax = 300;

/** What an answer means that was not asked for. Reads its body. */
export async function refusalOf(answer: HttpAnswer, attempt: Attempt): Promise<OperatorError> {
  const text = await explanationIn(answer);
  const cause = new Error(`HTTP ${answer.status} ${answer.statusText}${text === '' ? '' : `: ${text}`}`);
  return meaningOf(answer.status, text, retryAfterMsIn(answer), cause, attempt);
}

function meaningOf(
  status: number,
  text: string,
  retryAfterMs: number | undefined,
  cause: Error,
  { what, storeName }: Attempt,
): OperatorError {
  if (status === 507 || (/quota/i.test(text) && (status === 403 || status === 413))) return storeFull(what, storeName, cause);
  if (status === 401) return tokenRefused(what, storeName, cause);
  if (status === 403) return storeDenied(what, storeName, cause);
  if (status === 413) return tooLarge(what, storeName, cause);
  if (status === 429 || status === 498 || (status === 503 && retryAfterMs !== undefined))
    return storeThrottled(what, storeName, retryAfterMs, cause);
  if (status === 408 || status === 499 || (status >= 500 && status !== 501)) return storeUnreachable(what, storeName, cause);
  const retryable = status === 409 || status === 422;
  return new OperatorError('store-failed', `${storeName} refuses to ${what}`, { cause, retryable });
}

/** Turns errors of the network into what a store promises. Aborts, OperatorErrors and bugs pass. */
function asStoreError(error: unknown, { what, storeName }: Attempt): unknown {
  const code = systemErrorCode(error);
  if (code === undefined) return error;
  if (/CERT|TLS|SSL|UNABLE_TO_/.test(code) && code !== 'ERR_TLS_HANDSHAKE_TIMEOUT')
    return new OperatorError('store-unreachable', `cannot ${what}: ${storeName} shows a certificate that is not trusted`, {
      cause: error,
      retryable: true,
      hint: 'Name the file of the authority that signed it in cert_path.',
    });
  return storeUnreachable(what, storeName, error);
}

/** Sends a request; what becomes of its body means the same as what becomes of the request. */
export async function askStore(http: HttpClient, request: HttpRequest, attempt: Attempt): Promise<HttpAnswer> {
  try {
    const answer = await http.send(request);
    return { ...answer, bytes: withStoreErrors(answer.bytes, attempt) };
  } catch (error) {
    throw asStoreError(error, attempt);
  }
}

async function* withStoreErrors(bytes: AsyncIterable<Uint8Array>, attempt: Attempt): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    throw asStoreError(error, attempt);
  }
}

function tokenRefused(what: string, storeName: string, cause: Error): OperatorError {
  const { code, message, hint } = storeDenied(what, storeName);
  return new TokenRefusedError(code, message, { cause, ...(hint !== undefined && { hint }) });
}

function storeFull(what: string, storeName: string, cause: Error): OperatorError {
  return new OperatorError('store-full', `cannot ${what}: ${storeName} is full`, {
    cause,
    retryable: true,
    hint: 'Make room in the store, or raise the quota of the account or the container.',
  });
}

function tooLarge(what: string, storeName: string, cause: Error): OperatorError {
  return new OperatorError('object-too-large', `cannot ${what}: ${storeName} takes no object of this size`, {
    cause,
    hint: 'Set segment_size to less than what the cluster takes (max_file_size in its /info).',
  });
}

async function explanationIn({ bytes }: HttpAnswer): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const piece of bytes) {
      pieces.push(piece);
      size += piece.length;
      if (size >= explanationBytesMax) break;
    }
  } catch {
    // The status says enough.
  }
  const text = Buffer.concat(pieces).toString('utf8');
  return text
    .replace(/<[^>]*>/g, ' ')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, explanationCharactersMax);
}

function retryAfterMsIn({ headers }: HttpAnswer): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const until = Date.parse(text) - Date.parse(headers.date ?? '');
  return Number.isNaN(until) ? undefined : Math.max(0, until);
}
