import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { readSources } from './architecture/source-file.ts';
import { packageRoot } from './support/package-root.ts';

const sources = readSources(packageRoot, ['src']).filter(({ path }) => !path.endsWith('.test.ts'));
const page = await readFile(`${packageRoot}/docs/errors.md`, 'utf8');
const described = new Set(
  [...page.matchAll(/`([a-z][a-z0-9]*(?:-[a-z0-9]+)*)`(?=[^|\n]*\|[^|\n]*\|[^|\n]*\|$)/gm)].map(([, code = '']) => code),
);
/** Kebab-case words that functions are called with first, and that are no codes. */
const otherWords = ['aes-128-ctr', 'skippable-size', 'utf-8'];
/** What checks are called by comes first, too. */
const firstWords = ({ path, code }: { readonly path: string; readonly code: string }) =>
  code.matchAll(
    path.startsWith('src/daemon/check/') ? /OperatorError\(\s*'([a-z0-9]+(?:-[a-z0-9]+)+)',/g : /\(\s*'([a-z0-9]+(?:-[a-z0-9]+)+)',/g,
  );
const thrown = new Set(sources.flatMap((source) => [...firstWords(source)].map(([, name = '']) => name)));

test('docs/errors.md describes every code that is thrown', () => {
  assert.ok(thrown.size > 50);
  const missing = [...thrown].filter((code) => !described.has(code) && !otherWords.includes(code));
  assert.deepEqual(missing.toSorted(), []);
});

test('docs/errors.md describes no code that does not exist', () => {
  const unknown = [...described].filter((code) => !sources.some((source) => source.code.includes(`'${code}'`)));
  assert.deepEqual(unknown.toSorted(), []);
});

test('docs/guide.md names every check of "pghoard check"', async () => {
  const guide = await readFile(`${packageRoot}/docs/guide.md`, 'utf8');
  const section = /### Is everything set up\?[^]*?\n## /.exec(guide)?.[0] ?? '';
  const ids = sources
    .filter(({ path }) => path.startsWith('src/daemon/check/'))
    .flatMap(({ code }) =>
      [...code.matchAll(/\b(?:ok|note|warning|failure|failed|verdict|attempt|tell)\(\s*'([a-z]+(?:-[a-z]+)*)',/g)].map(([, id = '']) => id),
    );
  assert.ok(new Set(ids).size > 50);
  assert.deepEqual(
    [...new Set(ids)].filter((id) => !section.includes(`\`${id}\``)),
    [],
  );
});
