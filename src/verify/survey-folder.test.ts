import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FolderBook } from './folder-book.ts';
import { type FolderEvidence, nothingProven } from './proven.ts';
import { RunBuilder, type StoredFile, surveyFolder } from './survey-folder.ts';

const when = new Date('2026-11-30T12:00:00Z');
const nameOf = (number: number) => number.toString(16).toUpperCase().padStart(24, '0');
const follows = (name: string, before: string) => Number.parseInt(name, 16) === Number.parseInt(before, 16) + 1;

function fileOf(number: number, { size = 100, ms = number } = {}): StoredFile {
  return { name: nameOf(number), size, lastModified: new Date(ms) };
}

async function* listed(files: readonly StoredFile[]): AsyncGenerator<StoredFile> {
  yield* files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** What is noted once all of them have been read and are sound. */
function proven(files: readonly StoredFile[]): FolderEvidence {
  const builder = new RunBuilder();
  let before = '';
  for (const file of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (before !== '' && !follows(file.name, before)) builder.interrupt();
    builder.add(file, when);
    before = file.name;
  }
  return { runs: builder.finish(), damaged: [] };
}

async function unprovenOf(files: readonly StoredFile[], evidence: FolderEvidence): Promise<number> {
  const { blocks } = await surveyFolder(listed(files), evidence);
  return blocks.filter(({ provenAt }) => provenAt === undefined).reduce((sum, { objects }) => sum + objects, 0);
}

const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 40 });

test('what was read and has not changed is proven, whichever of it is gone', async () => {
  await fc.assert(
    fc.asyncProperty(numbers, numbers, async (all, gone) => {
      const files = all.map((number) => fileOf(number));
      const left = files.filter(({ name }) => !gone.some((number) => nameOf(number) === name));
      assert.equal(await unprovenOf(left, proven(files)), 0);
    }),
  );
});

test('what came later, or was replaced, is unproven: it, or all of its run', async () => {
  await fc.assert(
    fc.asyncProperty(numbers, fc.nat(), fc.boolean(), async (all, which, isYounger) => {
      const files = all.map((number) => fileOf(number));
      const evidence = proven(files);
      const at = which % files.length;
      const changed = files.map((file, index) =>
        index === at ? { ...file, size: 7, ...(isYounger && { lastModified: new Date(10 ** 6) }) } : file,
      );
      const { blocks } = await surveyFolder(listed(changed), evidence);
      const { name } = files[at] as StoredFile;
      const own = blocks.find(({ first, last }) => first <= name && name <= last);
      assert.equal(own?.provenAt, undefined);
      if (isYounger) assert.equal(await unprovenOf(changed, evidence), 1);
    }),
  );
});

test('two million segments are some hundred runs, and survey and notes agree', async () => {
  const count = 20_000;
  const files = Array.from({ length: count }, (_, number) => fileOf(number));
  const survey = await surveyFolder(listed(files), nothingProven);
  const book = new FolderBook(survey, nothingProven, follows);
  for (const block of survey.blocks) {
    const runs = proven(files.filter(({ name }) => block.first <= name && name <= block.last)).runs;
    book.checked(block, { runs, damaged: [], objects: block.objects, end: 'finished', tooLarge: 0 });
  }
  const { runs } = book.evidence;
  assert.equal(runs.length, Math.ceil(count / 4096));
  assert.equal(await unprovenOf(files, book.evidence), 0);
  assert.equal(book.oldest.unprovenObjects, 0);
});
