import { mkdir, writeFile } from 'node:fs/promises';
import { configJsonSchema } from './json-schema.ts';
import { configReference } from './reference-text.ts';

/** What is made from the options, by the path of its file in the package. */
export const referenceFiles: Readonly<Record<string, () => string>> = {
  'docs/config.md': configReference,
  'pghoard.schema.json': () => `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`,
};

/** Where a file of the package lies, from the sources. */
export function packageFile(path: string): URL {
  return new URL(`../../${path}`, import.meta.url);
}

if (import.meta.main) {
  await mkdir(packageFile('docs'), { recursive: true });
  for (const [path, render] of Object.entries(referenceFiles)) await writeFile(packageFile(path), render());
}
