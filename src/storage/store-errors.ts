import { OperatorError } from '../lib/errors.ts';

export function objectMissing(key: string, storeName: string, cause?: unknown): OperatorError {
  return new OperatorError('object-missing', `there is no object ${key} in ${storeName}`, { cause });
}

/** Of a store that keeps the two apart. */
export function objectIncomplete(key: string, storeName: string, metadataPath: string): OperatorError {
  return new OperatorError('object-incomplete', `${key} in ${storeName} cannot be read: its metadata file ${metadataPath} is missing`, {
    hint: 'Bring that file back from a copy of the store. If the object was never stored to its end, move what there is of it away.',
  });
}

export function objectExists(key: string, storeName: string): OperatorError {
  return new OperatorError('object-exists', `${storeName} already has an object ${key}`, {
    hint: 'It was left as it is. Compare the two before removing either.',
  });
}

/** The source gave more or fewer bytes than announced: it changed under our hands, so what was read must not be kept. */
export function sourceSizeWrong(key: string, expected: number, actual: number): OperatorError {
  return new OperatorError('store-failed', `cannot store ${key}: its source has ${actual} bytes instead of the ${expected} announced`, {
    hint: 'Something changed the file while it was being stored. Nothing was stored.',
  });
}

/** Fewer bytes came than the store promised. */
export function bodyCutShort(key: string, storeName: string, expected: number, actual: number): OperatorError {
  return new OperatorError('store-unreachable', `${storeName} sent ${actual} of ${expected} bytes of ${key}`, { retryable: true });
}

/** More bytes came than there can be: they are not those that were asked for, nor may those before them be. */
export function bodyTooLong(key: string, storeName: string, expected: number): OperatorError {
  return new OperatorError('store-failed', `${storeName} sent more than the ${expected} bytes of ${key} that were asked for`, {
    hint: 'Does something between this host and the store answer in its place?',
  });
}

export function objectChanged(key: string, storeName: string): OperatorError {
  return new OperatorError('store-failed', `${key} in ${storeName} was replaced while it was being read`, { retryable: true });
}

/** The bucket or container is not there. Nothing is known of what was in it. */
export function storeMissing(storeName: string, cause?: unknown): OperatorError {
  return new OperatorError('store-missing', `${storeName} does not exist`, {
    cause,
    hint: 'Was it deleted or renamed? Check bucket_name (or container_name) and region. A site that never stored anything has it made by the daemon.',
  });
}

export function storeDenied(what: string, storeName: string, cause?: unknown): OperatorError {
  return new OperatorError('store-denied', `${storeName} does not allow to ${what}`, {
    cause,
    hint: 'Check the credentials in object_storage, and what they may do.',
  });
}

/** Too many requests, or too much at once. */
export function storeThrottled(what: string, storeName: string, retryAfterMs: number | undefined, cause?: unknown): OperatorError {
  return new OperatorError('store-throttled', `${storeName} asks for fewer requests: cannot ${what} now`, {
    cause,
    retryable: true,
    retryAfterMs,
  });
}

export function storeUnreachable(what: string, storeName: string, cause?: unknown): OperatorError {
  return new OperatorError('store-unreachable', `cannot ${what}: ${storeName} cannot be reached, or broke off`, { cause, retryable: true });
}

/** What the store has after an upload is not what was sent. */
export function uploadDiffers(key: string, storeName: string, difference: string): OperatorError {
  return new OperatorError('store-failed', `${storeName} did not keep ${key} as it was sent: ${difference}`, { retryable: true });
}
