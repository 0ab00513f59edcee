import { isRestError, type RestError } from '@azure/storage-blob';
import { isOperatorError, messageOf, OperatorError, systemErrorCode } from '../../lib/errors.ts';
import { untilAborted } from '../abortable.ts';
import { ObjectLockedError } from '../delete-many.ts';
import { retryAfterMsOf } from '../retry-after.ts';
import {
  objectExists,
  objectMissing,
  storeDenied,
  storeMissing,
  storeThrottled,
  storeUnreachable,
  uploadDiffers,
} from '../store-errors.ts';

/** What was tried, for the message. */
export interface Attempt {
  /** As in "cannot …". */
  readonly what: string;
  readonly storeName: string;
  /** Of the object it is about; without it a missing blob is no missing object. */
  readonly key?: string;
  /** Refuses to replace. */
  readonly createOnly?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs requests and turns what they throw into what {@link ObjectStore} promises. Bugs and OperatorErrors pass, and an abort is its reason, at once:
 * whoever hands out tokens does not know of the signal.
 */
export async function withStoreErrors<T>(attempt: Attempt, work: () => Promise<T>): Promise<T> {
  attempt.signal?.throwIfAborted();
  try {
    return await untilAborted(work(), attempt.signal);
  } catch (error) {
    throw asStoreError(attempt, error);
  }
}

export function asStoreError(attempt: Attempt, error: unknown): unknown {
  if (attempt.signal?.aborted) return attempt.signal.reason;
  if (isOperatorError(error)) return error;
  if (isIdentityError(error)) return identityRefused(attempt, error);
  if (isRestError(error)) return error.statusCode === undefined ? noAnswer(attempt, error) : refusal(attempt, error, error.statusCode);
  if (systemErrorCode(error) !== undefined || isBrokenAnswer(error)) return storeUnreachable(attempt.what, attempt.storeName, error);
  return error;
}

/** Azure's name of the failure, such as `BlobNotFound`. */
export function azureCodeOf(error: unknown): string | undefined {
  if (!isRestError(error) || error.statusCode === undefined) return undefined;
  // An answer to HEAD has no body to name it.
  return error.code ?? error.response?.headers.get('x-ms-error-code');
}

/** The SDK's own checks of an answer, and its end of a request that was cut. */
function isBrokenAnswer(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === 'AbortError' || error instanceof RangeError || error.message.startsWith('Data corruption failure'))
  );
}

function refusal(attempt: Attempt, error: RestError, status: number): OperatorError {
  const { what, storeName, key } = attempt;
  const code = azureCodeOf(error) ?? '';
  const cause = causeOf(error, status, code);
  if (code === 'BlobNotFound' && key !== undefined) return objectMissing(key, storeName, cause);
  if (attempt.createOnly && key !== undefined && isRefusalToReplace(code)) return objectExists(key, storeName);
  if (/^Container(NotFound|BeingDeleted|Disabled)$/.test(code)) return storeMissing(storeName, cause);
  if (/Immutable|LegalHold/.test(code) && key !== undefined) return new ObjectLockedError(key, storeName, undefined, cause);
  if (/^BlobArchived|^BlobBeingRehydrated/.test(code)) return archived(attempt, cause);
  if (/Quota|InsufficientStorage/.test(code) || status === 507) return full(attempt, cause);
  if (/^(Md5|Crc64)Mismatch$/.test(code) && key !== undefined) return uploadDiffers(key, storeName, `${code}: it was damaged on the way`);
  if (code === 'ServerBusy' || status === 429 || status === 503)
    return storeThrottled(what, storeName, retryAfterMsOf(error.response?.headers.get('retry-after')), cause);
  if (status === 401 || status === 403) return denied(attempt, code, cause);
  if (status === 408 || (status >= 500 && status !== 501)) return storeUnreachable(what, storeName, cause);
  if (/^InvalidBlockList$|^Lease/.test(code)) return disturbed(attempt, cause);
  return new OperatorError('store-failed', `cannot ${what}: ${storeName} answers ${status} ${code || 'without saying why'}`, { cause });
}

/** 409 in general, 412 where two came at the same moment. */
function isRefusalToReplace(code: string): boolean {
  return ['BlobAlreadyExists', 'ConditionNotMet', 'TargetConditionNotMet'].includes(code);
}

/** Without the request, whose URL and headers carry secrets, and only the first line: the rest is identifiers and times. */
function causeOf(error: RestError, status: number, code: string): Error {
  const requestId = error.response?.headers.get('x-ms-request-id');
  const said = (error.message.split('\n')[0] ?? '').trim();
  return new Error(`${status} ${code} ${said}${requestId === undefined ? '' : ` (request ${requestId})`}`.replaceAll(/ +/g, ' '));
}

function denied({ what, storeName }: Attempt, code: string, cause: Error): OperatorError {
  const hint = deniedHints[code];
  if (hint === undefined) return storeDenied(what, storeName, cause);
  return new OperatorError('store-denied', `${storeName} does not allow to ${what}`, { cause, hint });
}

const deniedHints: Readonly<Record<string, string>> = {
  AuthenticationFailed:
    'Check account_key, sas_token and its end, and the clock of this host: Azure refuses requests that are more than 15 minutes off.',
  AccountIsDisabled: 'The storage account is disabled: check the subscription.',
  AuthorizationPermissionMismatch:
    'The identity or signature is known, but lacks the right: it needs the role Storage Blob Data Contributor on the container.',
  AuthorizationFailure: 'Check the rights of the identity or signature, and the firewall of the storage account.',
};

function archived({ what, storeName }: Attempt, cause: Error): OperatorError {
  return new OperatorError('store-failed', `cannot ${what}: it is in the archive tier of ${storeName}, or on its way back from there`, {
    cause,
    hint: 'Set its tier to Hot or Cool (az storage blob set-tier) and wait until it is there, up to 15 hours; then try again.',
  });
}

function full({ what, storeName }: Attempt, cause: Error): OperatorError {
  return new OperatorError('store-full', `cannot ${what}: ${storeName} has no room`, {
    cause,
    retryable: true,
    hint: 'Raise the quota, or make room.',
  });
}

/** Somebody else works on the same object; the next attempt finds out what came of it. */
function disturbed({ what, storeName }: Attempt, cause: Error): OperatorError {
  return new OperatorError('store-failed', `cannot ${what}: somebody else was at it in ${storeName} at the same time`, {
    cause,
    retryable: true,
  });
}

function noAnswer({ what, storeName }: Attempt, error: RestError): OperatorError {
  const cause = new Error(`${error.code ?? 'no answer'}: ${error.message}`);
  const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME/.test(error.code ?? '');
  if (!untrusted) return storeUnreachable(what, storeName, cause);
  return new OperatorError('store-unreachable', `cannot ${what}: the certificate of ${storeName} is not to be trusted`, {
    cause,
    retryable: true,
    hint: 'Name the authority’s certificate as cert_path if it is yours; else somebody stands between you and the store.',
  });
}

const identityErrors = ['CredentialUnavailableError', 'AuthenticationError', 'AggregateAuthenticationError', 'AuthenticationRequiredError'];

function isIdentityError(error: unknown): error is Error {
  return error instanceof Error && identityErrors.includes(error.name);
}

/** Retryable: who hands out tokens may not be up yet, and nobody falls back to another identity meanwhile. */
function identityRefused({ what, storeName }: Attempt, error: Error): OperatorError {
  return new OperatorError('store-denied', `cannot ${what}: there is no token for ${storeName}`, {
    cause: new Error(messageOf(error).split('\n')[0]),
    retryable: true,
    hint: 'Give this machine or workload an identity with the role Storage Blob Data Contributor, or set account_key, sas_token or connection_string.',
  });
}
