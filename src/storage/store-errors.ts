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

export function objectChanged(key: string, storeName: string): OperatorError {
  return new OperatorError('store-failed', `${key} in ${storeName} was replaced while it was being read`, { retryable: true });
}
