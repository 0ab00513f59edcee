import { OperatorError } from '../../lib/errors.ts';

/**
 * Where the original keeps the pieces of an object that is too large for one: `<directory of the key>_segments/<its last part>/<8 hex digits>`.
 * They are no objects of ours, and no listing shows them.
 */
const segmentPattern = /^(?<directory>.*)_segments\/(?<name>[^/]+)\/[0-9a-f]{8}$/s;

/** Who is about to create an object says so below `<directory of the key>_claims/<its last part>/`; see `claims.ts`. */
const claimPattern = /_claims\/[^/]+\/[0-9a-f]{16}$/;

export interface SplitKey {
  readonly directory: string;
  readonly name: string;
}

/** As Python's `os.path.split`: directly below the root the directory is `/`. */
export function splitKey(key: string): SplitKey {
  const slash = key.lastIndexOf('/');
  if (slash < 0) return { directory: '', name: key };
  return { directory: slash === 0 ? '/' : key.slice(0, slash), name: key.slice(slash + 1) };
}

/** What the segments of an object begin with. */
export function segmentsPrefix(key: string): string {
  const { directory, name } = splitKey(key);
  return `${directory}_segments/${name}/`;
}

/** What the claims to create an object begin with. */
export function claimsPrefix(key: string): string {
  const { directory, name } = splitKey(key);
  return `${directory}_claims/${name}/`;
}

export function isClaim(key: string): boolean {
  return claimPattern.test(key);
}

/** Not an object of ours, but something that belongs to one. */
export function isHidden(key: string): boolean {
  return objectOfSegment(key) !== undefined || isClaim(key);
}

/** Counts from 1. */
export function segmentKey(key: string, number: number): string {
  return segmentsPrefix(key) + number.toString(16).padStart(8, '0');
}

/** The object that a segment is a piece of; undefined for any other key. */
export function objectOfSegment(key: string): string | undefined {
  const { directory, name } = segmentPattern.exec(key)?.groups ?? {};
  if (directory === undefined || name === undefined) return undefined;
  return directory === '' || directory === '/' ? directory + name : `${directory}/${name}`;
}

/** Refuses what a listing would not show. */
export function checkNotHidden(key: string): void {
  if (isHidden(key))
    throw new OperatorError('object-key-invalid', `${JSON.stringify(key)} cannot be the key of an object: it would belong to another`);
}
