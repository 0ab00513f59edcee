import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { controlFileBytes } from '../../../test/support/test-backups.ts';
import { makeHistory, makeWalSegment, mebibyte } from '../../../test/support/wal-segment.ts';
import { isOperatorError, OperatorError } from '../../lib/errors.ts';
import { TimelineLine } from '../../postgres/timeline-line.ts';
import { formatWalName } from '../../postgres/wal-name.ts';
import type { Hole } from './gaps.ts';
import { archivedUpTo, findLocalWal } from './local-wal.ts';
import { type MendDeps, mendFromDirectory, mendFromNodes } from './mend.ts';
import { postgresNodes } from './wal-nodes.ts';

const line = new TimelineLine({ timeline: 1, position: BigInt(100 * mebibyte), history: [], segmentBytes: mebibyte });
const segment = (number: number) => formatWalName({ timeline: 1, number: BigInt(number) }, mebibyte);
const hole: Hole = { line, first: 5n, last: 9n, since: new Date(0), kind: 'inside', isOpen: true };
const wanted = { holes: [hole], histories: [2] };

/** A data directory without pg_control, such as one of which a part is lost. */
async function makeDataDirectory(path: string, names: readonly string[], statuses: readonly string[]): Promise<string> {
  const walDirectory = join(path, 'pg_wal');
  await mkdir(join(walDirectory, 'archive_status'), { recursive: true });
  for (const name of names) await writeFile(join(walDirectory, name), name.endsWith('.history') ? makeHistory(name) : makeWalSegment(name));
  for (const name of statuses) await writeFile(join(walDirectory, 'archive_status', name), '');
  return path;
}

test('files that are wanted and finished are found, oldest first', async () => {
  await using scratch = await makeTemporaryDirectory();
  const names = [4, 5, 6, 7, 10].map(segment);
  const statuses = [`${segment(4)}.done`, `${segment(7)}.ready`, `${segment(5)}.done`, `${segment(10)}.done`];
  await makeDataDirectory(scratch.path, [...names, '00000002.history', '00000003.history'], statuses);
  const found = await findLocalWal(scratch.path, wanted);
  assert.deepEqual(
    found.map(({ name }) => name),
    [segment(5), segment(7), '00000002.history'],
    'the server has not said that segment 6 is finished',
  );
});

test('a host without a data directory has nothing, and believes nothing', async () => {
  await using scratch = await makeTemporaryDirectory();
  assert.deepEqual(await findLocalWal(join(scratch.path, 'gone'), wanted), []);
  assert.equal(await archivedUpTo(join(scratch.path, 'gone')), undefined);
});

test('what a primary has archived ends with its last mark, and is not known while a checkpoint removes that', async () => {
  await using scratch = await makeTemporaryDirectory();
  const name = (number: number) => formatWalName({ timeline: 1, number: BigInt(number) }, 16 * mebibyte);
  await makeDataDirectory(scratch.path, [], [`${name(4)}.done`, `${name(5)}.done`, `${name(6)}.ready`]);
  await mkdir(join(scratch.path, 'global'));
  await writeFile(join(scratch.path, 'global/pg_control'), controlFileBytes());
  assert.equal((await archivedUpTo(scratch.path))?.next, name(6));
  // A name that is listed, and has nothing behind it by the time somebody looks.
  await symlink('gone', join(scratch.path, 'pg_wal/archive_status', `${name(7)}.done`));
  assert.equal(await archivedUpTo(scratch.path), undefined);
});

test('what is refused does not hold up the rest, and without nodes it is lost', async () => {
  await using scratch = await makeTemporaryDirectory();
  const names = [5, 6].map(segment);
  await makeDataDirectory(
    scratch.path,
    names,
    names.map((name) => `${name}.done`),
  );
  const archived: string[] = [];
  const deps: MendDeps = {
    dataDirectory: scratch.path,
    nodes: [],
    walNodes: postgresNodes,
    cluster: () => ({}),
    directory: scratch.path,
    archive: async (name) => {
      if (name === segment(5)) throw new OperatorError('wal-conflict', 'it is stored with other content');
      archived.push(name);
    },
    signal: new AbortController().signal,
  };
  assert.deepEqual(await mendFromDirectory(wanted, deps), { stored: 1, refused: ['it is stored with other content'] });
  assert.deepEqual(archived, [segment(6)]);
  const outcomes = [];
  for await (const { because, isLost } of mendFromNodes(wanted, deps)) outcomes.push([because, isLost]);
  assert.deepEqual(outcomes, [
    ['there is no node to ask', true],
    ['there is no node to ask', true],
  ]);
  const bug = async () => Promise.reject(new TypeError('a bug'));
  await assert.rejects(mendFromDirectory(wanted, { ...deps, archive: bug }), (error) => !isOperatorError(error));
});
