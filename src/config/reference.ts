import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { configJsonSchema } from './json-schema.ts';
import { configReference } from './reference-text.ts';

/** What is made from the options, by the path of its file in the package. */
export const referenceFiles: Readonly<Record<string, () => string>> = {
  'docs/config.md': configReference,
  'pghoard.schema.json': () => `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`,
};

/** Where a file of the package lies: the sources are two floors below its root, the compiled files three. */
export function packageFile(path: string): URL {
  const root = ['../../', '../../../']
    .map((up) => new URL(up, import.meta.url))
    .find((directory) => existsSync(new URL('package.json', directory)));
  if (root === undefined) throw new Error(`package.json not found above ${import.meta.url}`);
  return new URL(path, root);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await mkdir(packageFile('docs'), { recursive: true });
  for (const [path, render] of Object.entries(referenceFiles)) await writeFile(packageFile(path), render());
}
