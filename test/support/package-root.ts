import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The directory with package.json, from the sources and from what they are compiled to. */
export const packageRoot = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(from: string): string {
  return existsSync(`${from}/package.json`) ? from : findRoot(dirname(from));
}
