import type { ObjectInfo } from '../../storage/object-store.ts';

/** Of an object, from what every listing tells: evidence is of the object with this one, and says nothing of another that takes its place. */
export function fingerprintOf({ size, lastModified }: Pick<ObjectInfo, 'size' | 'lastModified'>): string {
  return `${size} ${lastModified.toISOString()}`;
}
