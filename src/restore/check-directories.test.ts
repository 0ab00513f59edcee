import assert from 'node:assert/strict';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { isOperatorError } from '../lib/errors.ts';
import { type CheckOptions, checkDirectory, checkDisjoint, type TargetDirectory } from './check-directories.ts';
import { incompleteMarker } from './layout.ts';
import { markerText, prepareDirectory, unmarkDirectory } from './prepare-directories.ts';

const uid = process.getuid?.();
const careful: CheckOptions = { overwrite: false, reuse: false, mayBeAbsent: true, uid };
const overwrite: CheckOptions = { ...careful, overwrite: true };

/** A directory that holds empty files and, where the name ends in a slash, directories. */
async function directoryWith(path: string, names: readonly string[]): Promise<string> {
  await mkdir(path, { recursive: true });
  for (const name of names) await (name.endsWith('/') ? mkdir(join(path, name)) : writeFile(join(path, name), ''));
  return path;
}

const accepted: [names: string[] | undefined, options: CheckOptions, state: TargetDirectory['state']][] = [
  [undefined, careful, 'absent'],
  [[], careful, 'empty'],
  [['lost+found/'], careful, 'empty'],
  [['lost+found/'], overwrite, 'empty'],
  [['PG_VERSION', 'base/'], overwrite, 'to-be-emptied'],
  [[incompleteMarker], careful, 'empty'],
  [[incompleteMarker, 'base/'], overwrite, 'to-be-emptied'],
];
for (const [names, options, state] of accepted) {
  test(`a data directory ${names ? `holding [${names.join()}]` : 'that does not exist'}${options.overwrite ? ' with --overwrite' : ''} is ${state}`, async () => {
    await using scratch = await makeTemporaryDirectory();
    const path = join(scratch.path, 'data');
    if (names) await directoryWith(path, names);
    assert.equal((await checkDirectory(path, 'data directory', options)).state, state);
  });
}

const refused: [what: string, names: string[], options: CheckOptions, purpose: TargetDirectory['purpose'], code: string][] = [
  ['a full data directory', ['PG_VERSION'], careful, 'data directory', 'target-not-empty'],
  ['a home directory, in spite of --overwrite', ['.bashrc', 'photos/'], overwrite, 'data directory', 'target-not-recognised'],
  ['a full tablespace', ['PG_15_202209061/'], careful, "tablespace 'a'", 'target-not-empty'],
  [
    'a full tablespace that no restore left, in spite of --overwrite',
    ['PG_15_202209061/'],
    overwrite,
    "tablespace 'a'",
    'target-not-recognised',
  ],
];
for (const [what, names, options, purpose, code] of refused) {
  test(`refused: ${what}`, async () => {
    await using scratch = await makeTemporaryDirectory();
    const path = await directoryWith(join(scratch.path, 'x'), names);
    await assert.rejects(checkDirectory(path, purpose, options), (error) => isOperatorError(error, code) && error.hint !== undefined);
    assert.deepEqual((await readdir(path)).toSorted(), names.map((name) => name.replace('/', '')).toSorted());
  });
}

test('refused: a directory that a server runs in, even with --overwrite; a stale postmaster.pid does not matter', async () => {
  await using scratch = await makeTemporaryDirectory();
  const path = await directoryWith(join(scratch.path, 'data'), ['PG_VERSION']);
  await writeFile(join(path, 'postmaster.pid'), `${process.ppid}\n${path}\n`);
  await assert.rejects(checkDirectory(path, 'data directory', overwrite), (error) => isOperatorError(error, 'target-in-use'));
  await writeFile(join(path, 'postmaster.pid'), '4194305\n');
  assert.equal((await checkDirectory(path, 'data directory', overwrite)).state, 'to-be-emptied');
});

test('refused: a file, a dangling link, the directory of somebody else', async () => {
  await using scratch = await makeTemporaryDirectory();
  await writeFile(join(scratch.path, 'file'), '');
  await symlink(join(scratch.path, 'nowhere'), join(scratch.path, 'link'));
  const check = (name: string, options: CheckOptions) => checkDirectory(join(scratch.path, name), 'data directory', options);
  await assert.rejects(check('file', overwrite), (error) => isOperatorError(error, 'target-not-a-directory'));
  await assert.rejects(check('link', overwrite), (error) => isOperatorError(error, 'target-dangling-link'));
  await assert.rejects(check('.', { ...overwrite, uid: 4711 }), (error) => isOperatorError(error, 'target-not-owned'));
});

test('refused: a tablespace directory that does not exist, unless it is to be made', async () => {
  await using scratch = await makeTemporaryDirectory();
  const path = join(scratch.path, 'base', '16385');
  await assert.rejects(checkDirectory(path, "tablespace 'a'", { ...careful, mayBeAbsent: false }), (error) =>
    isOperatorError(error, 'target-missing'),
  );
  assert.equal((await checkDirectory(path, "tablespace 'a'", careful)).state, 'absent');
});

const at = (path: string): TargetDirectory => ({ path, purpose: "tablespace 'a'", state: 'empty' });

test('refused: directories of which one lies in another, or that are the same', () => {
  checkDisjoint([at('/data'), at('/data2'), at('/ts/1'), at('/ts/2')]);
  for (const pair of [
    ['/data', '/data/ts'],
    ['/ts', '/ts'],
    ['/data/ts', '/data'],
  ] as const) {
    assert.throws(
      () => checkDisjoint(pair.map(at)),
      (error) => isOperatorError(error, 'target-overlap'),
    );
  }
});

test('preparing empties a directory but for lost+found, follows no links, closes it and marks it', async () => {
  await using scratch = await makeTemporaryDirectory();
  const outside = await directoryWith(join(scratch.path, 'outside'), ['precious']);
  const path = await directoryWith(join(scratch.path, 'data'), ['PG_VERSION', 'base/', 'lost+found/']);
  await symlink(outside, join(path, 'pg_wal'));
  await prepareDirectory(await checkDirectory(path, 'data directory', overwrite), markerText('site/basebackup/x', new Date(0)));
  assert.deepEqual((await readdir(path)).toSorted(), ['lost+found', incompleteMarker]);
  assert.deepEqual(await readdir(outside), ['precious']);
  await unmarkDirectory(path);
  assert.deepEqual(await readdir(path), ['lost+found']);
});
