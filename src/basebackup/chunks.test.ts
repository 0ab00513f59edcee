import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Chunk, splitIntoChunks } from './chunks.ts';
import type { FoundEntry } from './walk.ts';

const noLimit = Number.POSITIVE_INFINITY;

function entry(path: string, type: FoundEntry['type'], size = 0): FoundEntry {
  return { path, type, size, source: `/${path}`, mode: 0o600, uid: 0, gid: 0, mtime: 0 };
}

/** `a/` is a directory, `a/b:5` a file of five bytes. */
async function split(names: readonly string[], limits: { targetBytes: number; membersMax: number }): Promise<Chunk[]> {
  async function* entries() {
    for (const name of names) {
      const [path = '', size] = name.split(':');
      yield path.endsWith('/') ? entry(path.slice(0, -1), 'directory') : entry(path, 'file', Number(size ?? 0));
    }
  }
  const chunks: Chunk[] = [];
  for await (const chunk of splitIntoChunks(entries(), limits)) chunks.push(chunk);
  return chunks;
}

const pathsOf = (chunks: readonly Chunk[]) => chunks.map(({ members }) => members.map(({ path }) => path));

test('a chunk is closed before it gets too large, and the next repeats the enclosing directories', async () => {
  const tree = [
    'top/',
    'top/f1:50000',
    'top/f2:50000',
    'top/f3:50000',
    'top/sub/',
    'top/sub/f1:50000',
    'top/sub/f2:50000',
    'top/sub/f3:50000',
  ];
  const chunks = await split(tree, { targetBytes: 110_000, membersMax: noLimit });
  assert.deepEqual(pathsOf(chunks), [
    ['top', 'top/f1', 'top/f2'],
    ['top', 'top/f3', 'top/sub', 'top/sub/f1'],
    ['top', 'top/sub', 'top/sub/f2', 'top/sub/f3'],
  ]);
  assert.deepEqual(
    chunks.map(({ number }) => number),
    [1, 2, 3],
  );
  assert.equal(
    chunks.reduce((sum, { members, repeated }) => sum + members.length - repeated, 0),
    8,
  );
});

test('a directory that was left is not repeated', async () => {
  const chunks = await split(['a/', 'a/sub/', 'a/sub/f:900', 'ab/', 'ab/f:900', 'ab/g:900'], { targetBytes: 2600, membersMax: noLimit });
  assert.deepEqual(pathsOf(chunks), [
    ['a', 'a/sub', 'a/sub/f'],
    ['ab', 'ab/f'],
    ['ab', 'ab/g'],
  ]);
});

test('a file larger than a chunk gets one that holds at most a fifth of the target beside it', async () => {
  const chunks = await split(['small:100', 'huge:1000000', 'after:100'], { targetBytes: 10_000, membersMax: noLimit });
  assert.deepEqual(pathsOf(chunks), [['small', 'huge'], ['after']]);
});

test('the number of members is bounded too', async () => {
  const chunks = await split(['d/', 'd/1', 'd/2', 'd/3', 'd/4'], { targetBytes: noLimit, membersMax: 3 });
  assert.deepEqual(pathsOf(chunks), [
    ['d', 'd/1', 'd/2'],
    ['d', 'd/3', 'd/4'],
  ]);
});

test('even directories nested deeper than the bound come through', async () => {
  const chunks = await split(['a/', 'a/b/', 'a/b/c/', 'a/b/c/1', 'a/b/c/2'], { targetBytes: noLimit, membersMax: 2 });
  assert.deepEqual(pathsOf(chunks).at(-1), ['a', 'a/b', 'a/b/c', 'a/b/c/2']);
});

test('nothing found makes no chunk', async () => assert.deepEqual(await split([], { targetBytes: 1, membersMax: 1 }), []));

test('chunks are cut as the walk goes on, not after it', async () => {
  let walked = 0;
  async function* endless() {
    for (;;) yield entry(`f${walked++}`, 'file', 10);
  }
  const chunks = splitIntoChunks(endless(), { targetBytes: noLimit, membersMax: 10 });
  assert.equal((await chunks.next()).value?.members.length, 10);
  assert.ok(walked <= 11);
  await chunks.return(undefined);
});

const files = 200_000;
/** A chunk has some four. */
const growthBytesMax = 8 * 1024 * 1024;

test('many files take no more memory than the chunk that is being filled', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  async function* entries() {
    yield entry('pgdata/base', 'directory');
    for (let number = 0; number < files; number++) yield entry(`pgdata/base/${number}`, 'file', 8192);
  }
  const held: number[] = [];
  let seen = 0;
  for await (const { members } of splitIntoChunks(entries(), { targetBytes: noLimit, membersMax: 10_000 })) {
    seen += members.filter(({ type }) => type === 'file').length;
    collectGarbage();
    held.push(process.memoryUsage().heapUsed);
  }
  assert.equal(seen, files);
  const growth = (held.at(-1) ?? 0) - (held[1] ?? 0);
  assert.ok(growth < growthBytesMax, `grew by ${Math.round(growth / 1024)} KiB over ${held.length} chunks`);
});
