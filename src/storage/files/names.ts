import { join } from 'node:path';
import { type Random, systemRandom } from '../../lib/random.ts';

/** `<key>.metadata` beside the data. */
export function sidecarOf(path: string): string {
  return `${path}.metadata`;
}

const temporaryPattern = /^\.pghoard-[0-9a-f]{12}\.tmp$/;

/** A name in `directory` that listings, ours and the original's, leave out because it begins with a dot. Does not grow with the object's name. */
export function temporaryIn(directory: string, random: Random = systemRandom): string {
  return join(directory, `.pghoard-${random.hex(6)}.tmp`);
}

export function isTemporary(name: string): boolean {
  return temporaryPattern.test(name);
}

/** Whether a directory entry can be an object or a directory of objects; as the original decides. */
export function isObjectName(name: string): boolean {
  return !name.startsWith('.') && !name.endsWith('.metadata') && !name.includes('.metadata_tmp');
}
