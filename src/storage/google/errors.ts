import { isOperatorError, messageOf, OperatorError, systemErrorCode } from '../../lib/errors.ts';
import { objectMissing, storeDenied, storeMissing, storeThrottled, storeUnreachable, uploadDiffers } from '../store-errors.ts';
import type { HttpAnswer } from './http.ts';

/** A refusal of the JSON API. */
export class ApiError extends Error {
  readonly status: number;
  /** Google's word for why, such as `rateLimitExceeded`. */
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  /** Whether the store itself says so, not somebody on the way. */
  readonly isOwn: boolean;

  constructor({ status, headers, body }: Pick<HttpAnswer, 'status' | 'headers' | 'body'>) {
    const { message, reason, code } = parseRefusal(body.toString());
    super(`status ${status}${message === '' ? '' : `: ${message}`}`);
    this.status = status;
    this.reason = reason;
    this.isOwn = code === status;
    const seconds = Number(headers['retry-after']);
    this.retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
  }
}

/** A success of which nobody knows whose it is. */
export class UnexpectedAnswer extends Error {
  constructor() {
    super('the answer is not one of Cloud Storage');
  }
}

/** What was asked of the store. */
export interface Attempt {
  /** As an infinitive: `store a/b`. */
  readonly what: string;
  readonly key?: string | undefined;
  readonly storeName: string;
}

const messageCharsMax = 500;

interface RefusalBody {
  readonly error?: { readonly code?: number; readonly message?: string; readonly errors?: readonly { readonly reason?: string }[] };
}

function parseRefusal(text: string): { message: string; reason: string; code?: number | undefined } {
  try {
    const { error } = JSON.parse(text) as RefusalBody;
    return { message: (error?.message ?? '').slice(0, messageCharsMax), reason: error?.errors?.[0]?.reason ?? '', code: error?.code };
  } catch {
    return { message: text.replace(/\s+/g, ' ').slice(0, messageCharsMax), reason: '' };
  }
}

const proxyWantsLogin = 407;
const throttledReasons = ['rateLimitExceeded', 'userRateLimitExceeded', 'quotaExceeded', 'dailyLimitExceeded'];
const billingReasons = ['accountDisabled', 'billingNotEnabled', 'UserProjectAccountProblem', 'userProjectAccountProblem'];
const lockReasons = ['retentionPolicyNotMet', 'objectUnderActiveHold', 'retentionPolicyNotMetForObject'];

/** Whether a lock keeps the object as it is. */
export function isLocked(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403 && lockReasons.includes(error.reason);
}

export function isApiError(error: unknown, status: number): error is ApiError {
  return error instanceof ApiError && error.status === status;
}

/** Of a single object, or of the bucket: the words tell which. */
export function isBucketMissing(error: unknown): boolean {
  return isApiError(error, 404) && error.isOwn && /\bbucket does not exist/i.test(error.message);
}

export function isObjectMissing(error: unknown): boolean {
  return isApiError(error, 404) && error.isOwn && !isBucketMissing(error);
}

/** Whether it may have been done all the same: no answer came, or one that leaves it open. */
export function isOutcomeUnknown(error: unknown): boolean {
  if (error instanceof ApiError) return error.status >= 500;
  return error instanceof UnexpectedAnswer || systemErrorCode(error) !== undefined;
}

/** Turns what requests reject with into what {@link ObjectStore} promises. Bugs, aborts and OperatorErrors pass. */
export function asStoreError(error: unknown, attempt: Attempt): unknown {
  if (isOperatorError(error)) return error;
  if (error instanceof ApiError) return refusal(error, attempt);
  if (error instanceof UnexpectedAnswer) return unexpected(error, attempt);
  return tokenRefusal(error, attempt) ?? networkFailure(error, attempt) ?? error;
}

function refusal(error: ApiError, { what, key, storeName }: Attempt): OperatorError {
  const { status, reason, retryAfterMs } = error;
  if (throttledReasons.includes(reason) || status === 429 || status === 503) return storeThrottled(what, storeName, retryAfterMs, error);
  if (isBucketMissing(error)) return storeMissing(storeName, error);
  if (key !== undefined && isObjectMissing(error)) return objectMissing(key, storeName, error);
  if (status === proxyWantsLogin || (status === 404 && !error.isOwn)) return unexpected(error, { what, storeName });
  if (billingReasons.includes(reason)) return billing(what, storeName, error);
  if (status === 401 || status === 403) return storeDenied(what, storeName, error);
  if (status === 400 && key !== undefined && /MD5|CRC32C/.test(error.message)) return uploadDiffers(key, storeName, error.message);
  if (status === 408 || status === 410 || (status >= 500 && status !== 501)) return storeUnreachable(what, storeName, error);
  return new OperatorError('store-failed', `${storeName} refused to ${what}`, { cause: error });
}

function unexpected(cause: Error, { what, storeName }: Attempt): OperatorError {
  return new OperatorError('store-unreachable', `cannot ${what}: somebody else answers in the place of ${storeName}`, {
    cause,
    retryable: true,
    hint: 'Check api_endpoint and proxy_info (user and pass too), and what stands between this host and the store.',
  });
}

function billing(what: string, storeName: string, cause: ApiError): OperatorError {
  return new OperatorError('store-denied', `${storeName} does not allow to ${what}: the account is suspended, or not paid`, {
    cause,
    hint: 'See to the billing account of the project in the Google Cloud console. What is stored stays for a while.',
  });
}

/** Who gives out tokens has refused. Only the message is kept: the request in these errors holds secrets. */
function tokenRefusal(error: unknown, { what, storeName }: Attempt): OperatorError | undefined {
  const { response, status } = error as { response?: { status?: number }; status?: number };
  const answered = response?.status ?? status;
  const noneFound = /Could not load the default credentials|Unable to detect a Project Id/.test(messageOf(error));
  if (answered === undefined && !noneFound) return undefined;
  const cause = new Error(messageOf(error));
  if (answered === proxyWantsLogin) return unexpected(cause, { what, storeName });
  if (answered === 429) return storeThrottled(what, storeName, undefined, cause);
  if (answered !== undefined && answered >= 500) return storeUnreachable(what, storeName, cause);
  return new OperatorError('store-denied', `cannot ${what}: Google gives no access token for ${storeName}`, {
    cause,
    hint: noneFound
      ? 'Name a key file in credential_file, or run where the machine has an identity of its own.'
      : 'Is the key still valid, and the clock right? Check credential_file, or credentials, and the account that they name.',
  });
}

const networkHints: ReadonlyMap<string, string> = new Map([
  ['ENOTFOUND', 'The name of the host is not known: check DNS, api_endpoint and proxy_info.'],
  ['EAI_AGAIN', 'The name of the host cannot be looked up now: check DNS.'],
  ['ECONNREFUSED', 'Nothing listens there: check api_endpoint and proxy_info.'],
]);
const certificateHint = 'Somebody else answers in its name, or its certificate is from an authority of your own: name that in cert_path.';
const certificateCodes = /CERT|SELF_SIGNED|UNABLE_TO_|^ERR_TLS_|HOSTNAME_MISMATCH/;

function networkFailure(error: unknown, { what, storeName }: Attempt): OperatorError | undefined {
  const code = systemErrorCode(error) ?? systemErrorCode((error as { cause?: unknown }).cause);
  if (code === undefined) return undefined;
  const hint = certificateCodes.test(code) ? certificateHint : networkHints.get(code);
  const failure = storeUnreachable(what, storeName, new Error(messageOf(error)));
  if (hint === undefined) return failure;
  return new OperatorError(failure.code, failure.message, { cause: failure.cause, retryable: true, hint });
}
