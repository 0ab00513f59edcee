import { isOperatorError } from '../lib/errors.ts';
import type { ObjectEntry, ObjectStore } from './object-store.ts';

/** `undefined` only where the store said that it has no such object. */
export async function headIfThere(store: ObjectStore, key: string, signal?: AbortSignal): Promise<ObjectEntry | undefined> {
  try {
    return await store.head(key, { signal });
  } catch (error) {
    if (isOperatorError(error, 'object-missing')) return undefined;
    throw error;
  }
}
