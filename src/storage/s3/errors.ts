import { isOperatorError, OperatorError, systemErrorCode } from '../../lib/errors.ts';
import { retryAfterMsOf } from '../retry-after.ts';
import { objectExists, objectMissing, storeDenied, storeMissing, storeThrottled, storeUnreachable } from '../store-errors.ts';

/** What was being done, for messages: `store site/xlog/1`, and to which object. */
export interface Attempt {
  readonly what: string;
  readonly storeName: string;
  readonly key?: string;
}

/** What the SDK throws where the store answered with an error, as far as we look at it. */
interface ServiceError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> };
  readonly Code?: string;
  readonly Region?: string;
}

type Meaning = (attempt: Attempt, error: ServiceError, cause: Error) => OperatorError;

const denied =
  (hint: string, retryable = false): Meaning =>
  ({ what, storeName }, _, cause) =>
    new OperatorError('store-denied', `${storeName} does not allow to ${what}`, { cause, hint, retryable });

const failed =
  (hint: string): Meaning =>
  ({ what, storeName }, _, cause) =>
    new OperatorError('store-failed', `${storeName} refuses to ${what}`, { cause, hint });

const throttled: Meaning = ({ what, storeName }, error, cause) =>
  storeThrottled(what, storeName, retryAfterMsOf(error.$response?.headers?.['retry-after']), cause);
const full: Meaning = ({ what, storeName }, _, cause) =>
  new OperatorError('store-full', `${storeName} has no room: cannot ${what}`, {
    cause,
    hint: 'Raise the quota of the bucket or of its owner, or delete what is not needed.',
    retryable: true,
  });
/** It may succeed later, but nothing is wrong with the way to the store. */
const passing: Meaning = ({ what, storeName }, _, cause) =>
  new OperatorError('store-failed', `${storeName} could not ${what} now`, { cause, retryable: true });
const unavailable: Meaning = ({ what, storeName }, error, cause) => {
  const retryAfterMs = retryAfterMsOf(error.$response?.headers?.['retry-after']);
  return new OperatorError('store-unreachable', `cannot ${what}: ${storeName} is out of order`, { cause, retryable: true, retryAfterMs });
};
const unclear: Meaning = ({ what, storeName }, _, cause) => unintelligible({ what, storeName }, cause);
const strange: Meaning = ({ what, storeName }, _, cause) =>
  new OperatorError('store-unreachable', `cannot ${what}: what answers for ${storeName} is no object store`, {
    cause,
    hint: 'Check host, port and proxy_info of object_storage. Does a proxy or a portal answer in its place?',
    retryable: true,
  });
const elsewhere: Meaning = ({ storeName }, error, cause) => {
  const region = error.Region ?? error.$response?.headers?.['x-amz-bucket-region'];
  return new OperatorError('store-failed', `${storeName} is in another region${region ? `: ${region}` : ''}`, {
    cause,
    hint: `Set region of object_storage to ${region ? `"${region}"` : 'the one of the bucket'}.`,
  });
};

const skewed = denied('The clocks of this machine and of the store differ: set this one right (NTP).', true);
const unknownKey = denied('Check aws_access_key_id of object_storage, or the credentials of the environment. Was the key deleted?');
const expired = denied(
  'The temporary credentials have expired: give new ones, or have them renewed by the environment, profile or role.',
  true,
);
const cold = failed(
  'It is in a storage class that must be thawed first: restore it in the bucket (S3 Glacier), wait for that, and try again.',
);

const meanings: ReadonlyMap<string, Meaning> = new Map([
  ['NoSuchKey', ({ key, what, storeName }, _, cause) => objectMissing(key ?? what, storeName, cause)],
  ['NoSuchBucket', ({ storeName }, _, cause) => storeMissing(storeName, cause)],
  ['AccessDenied', ({ what, storeName }, _, cause) => storeDenied(what, storeName, cause)],
  ['AllAccessDisabled', denied('Is the account suspended?')],
  ['AccountProblem', denied('Is the account suspended?')],
  ['InvalidAccessKeyId', unknownKey],
  ['SignatureDoesNotMatch', denied('Check aws_secret_access_key of object_storage: it does not fit the access key.')],
  ['RequestTimeTooSkewed', skewed],
  ['RequestExpired', skewed],
  ['ExpiredToken', expired],
  ['ExpiredTokenException', expired],
  ['InvalidToken', expired],
  ['TokenRefreshRequired', expired],
  ['SlowDown', throttled],
  ['TooManyRequests', throttled],
  ['Throttling', throttled],
  ['ThrottlingException', throttled],
  ['RequestLimitExceeded', throttled],
  ['BandwidthLimitExceeded', throttled],
  ['ServiceUnavailable', throttled],
  ['QuotaExceeded', full],
  ['XMinioStorageFull', full],
  ['InvalidObjectState', cold],
  ['PermanentRedirect', elsewhere],
  ['TemporaryRedirect', elsewhere],
  ['AuthorizationHeaderMalformed', elsewhere],
  ['IllegalLocationConstraintException', failed('Set region of object_storage to one that this store has.')],
  ['InvalidLocationConstraint', failed('Set region of object_storage to one that this store has.')],
  ['BucketAlreadyExists', denied('The name of the bucket belongs to somebody else: choose another bucket_name.')],
  ['InvalidRequest', failed('See what the store says. With object_lock_days the bucket must have been made with object lock.')],
  ['MetadataTooLarge', failed('S3 keeps 2 KiB of metadata per object. With many tablespaces take base backups in the mode local-tar.')],
  ['RequestTimeout', ({ what, storeName }, _, cause) => storeUnreachable(what, storeName, cause)],
  ['InternalError', unavailable],
  ['OperationAborted', passing],
  ['PreconditionFailed', ({ key, what, storeName }) => objectExists(key ?? what, storeName)],
  ['ConditionalRequestConflict', passing],
  ['NoSuchUpload', unavailable],
  ['BadDigest', passing],
  ['XAmzContentSHA256Mismatch', passing],
  ['IncompleteBody', passing],
]);

/** Turns what the SDK throws into what {@link ObjectStore} promises. OperatorErrors pass. */
export function asStoreError(error: unknown, attempt: Attempt): OperatorError {
  if (isOperatorError(error)) return error;
  if (!(error instanceof Error)) return unintelligible(attempt, new Error(String(error)));
  const status = statusOf(error);
  if (status !== undefined) return fromAnswer(error, status, attempt);
  if (isCredentialsError(error)) return credentialsMissing(attempt, error);
  if (isConnectionError(error)) return unreachable(attempt, error);
  if (error.message.includes('Region is missing')) return failed('Set region of object_storage.')(attempt, error, error);
  return unintelligible(attempt, error);
}

/** The name that S3 gives to what went wrong. Stores answer a HEAD without it. */
export function s3CodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || isOperatorError(error)) return undefined;
  return (error as ServiceError).Code ?? error.name;
}

/** Of the answer; undefined where none came, or none that could be understood. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const { $metadata, $response } = error as ServiceError;
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

function fromAnswer(error: ServiceError, status: number, attempt: Attempt): OperatorError {
  const cause = plainCause(error, status);
  const meaning = meanings.get(s3CodeOf(error) ?? '') ?? meaningOfStatus(status);
  return meaning(attempt, error, cause);
}

function meaningOfStatus(status: number): Meaning {
  if (status === 301 || status === 307) return elsewhere;
  if (status === 401 || status === 403) return ({ what, storeName }, _, cause) => storeDenied(what, storeName, cause);
  if (status === 407) return denied('Check proxy_info of object_storage: the proxy wants other credentials.');
  if (status === 408) return ({ what, storeName }, _, cause) => storeUnreachable(what, storeName, cause);
  if (status === 429 || status === 503) return throttled;
  if (status === 404) return strange;
  if (status === 507) return full;
  if (status === 501) return failed('This store lacks something that is needed.');
  if (status >= 500) return unavailable;
  // A success that is an error, or cannot be understood, comes from a gateway between the store and us, or was cut off.
  if (status < 300) return unclear;
  if (status === 409 || status === 499) return passing;
  return failed('See what the store says.');
}

/** The SDK's own errors hold the request with its headers, which nobody should log. */
function plainCause(error: ServiceError, status: number): Error {
  const code = s3CodeOf(error);
  const text = error.message === '' || error.message === 'UnknownError' ? '' : `: ${error.message}`;
  const id = error.$metadata?.requestId;
  return new Error(`${code ?? 'Error'}${text} (HTTP ${status}${id ? `, request ${id}` : ''})`);
}

function isCredentialsError(error: Error): boolean {
  return error.name === 'CredentialsProviderError' || error.name === 'TokenProviderError' || error.name === 'ProviderError';
}

/** Whoever gives out the credentials may be down for a while, so it is tried again. */
function credentialsMissing({ what, storeName }: Attempt, cause: Error): OperatorError {
  return new OperatorError('store-denied', `no credentials for ${storeName}: cannot ${what}`, {
    cause: new Error(cause.message),
    hint: 'Give aws_access_key_id and aws_secret_access_key in object_storage, or credentials in the environment, a profile, the container or the instance.',
    retryable: true,
  });
}

const tlsCode = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO$)/;

function isConnectionError(error: Error): boolean {
  return (
    systemErrorCode(error) !== undefined ||
    ['TimeoutError', 'NetworkingError'].includes(error.name) ||
    /socket hang up|proxy/i.test(error.message)
  );
}

function unreachable({ what, storeName }: Attempt, cause: Error): OperatorError {
  const code = systemErrorCode(cause) ?? '';
  if (tlsCode.test(code))
    return new OperatorError('store-unreachable', `cannot ${what}: no trusted TLS connection to ${storeName}`, {
      cause,
      hint: 'Check is_secure and host, and give the certificate of its authority in cert_path. Does somebody stand between?',
      retryable: true,
    });
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new OperatorError('store-unreachable', `cannot ${what}: the name of ${storeName} cannot be resolved`, {
      cause,
      hint: 'Check host and region of object_storage, and the name server of this machine.',
      retryable: true,
    });
  return storeUnreachable(what, storeName, cause);
}

function unintelligible({ what, storeName }: Attempt, cause: Error): OperatorError {
  return new OperatorError('store-unreachable', `cannot ${what}: ${storeName} gave no answer that can be understood`, {
    cause,
    retryable: true,
  });
}
