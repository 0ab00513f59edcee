import type { ObjectEntry } from './object-store.ts';

/** Whether two answers are about the same content, not about what has replaced it. */
export function isSameObject(a: ObjectEntry, b: ObjectEntry): boolean {
  const sameDigest = a.digest === undefined || b.digest === undefined || a.digest === b.digest;
  return sameDigest && a.size === b.size && a.lastModified.getTime() === b.lastModified.getTime();
}
