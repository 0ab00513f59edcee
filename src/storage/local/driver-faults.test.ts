import assert from 'node:assert/strict';
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { childOf } from '../../../test/support/store-child.ts';
import { systemClock } from '../../lib/clock.ts';
import { runProgram } from '../../lib/subprocess.ts';
import { bytesOf, collect, read } from '../contract-tools.ts';
import { sourceOfFile } from '../object-source.ts';
import { withPrefix } from '../with-prefix.ts';
import { LocalStore } from './driver.ts';
import { asStoreError } from './errors.ts';
import { findObject } from './read.ts';
import { readSidecar } from './read-sidecar.ts';

/** A user who may do nothing, for a while, where the tests run as root. */
const nobody = 65_534;

class TestDirectory {
  readonly base: string;
  readonly store: LocalStore;
  constructor(base: string) {
    this.base = base;
    this.store = new LocalStore({ directory: base });
  }
  static async make(): Promise<TestDirectory> {
    return new TestDirectory(await mkdtemp(join(tmpdir(), 'pghoard-local-')));
  }
  path(...parts: string[]): string {
    return join(this.base, ...parts);
  }
  async keys(prefix = ''): Promise<string[]> {
    return (await collect(this.store.list(prefix))).map(({ key }) => key);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.base, { recursive: true });
  }
}

test('reads and lists what Python wrote, and lies where Python looks', async () => {
  await using at = await TestDirectory.make();
  await mkdir(at.path('site/xlog'), { recursive: true });
  await writeFile(at.path('site/xlog/000000010000000000000002'), 'data');
  await writeFile(at.path('site/xlog/000000010000000000000002.metadata'), '{"pg-version": "150020", "_hash": "00"}');
  assert.deepEqual(await at.keys(), ['site/xlog/000000010000000000000002']);
  assert.deepEqual((await at.store.head('site/xlog/000000010000000000000002')).metadata, { 'pg-version': '150020' });
  await at.store.put('site/xlog/000000010000000000000003', bytesOf('new'), { metadata: { host: 'vm' } });
  assert.equal(await readFile(at.path('site/xlog/000000010000000000000003'), 'utf8'), 'new');
  const sha256OfNew = '11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437';
  const sidecar = await readFile(at.path('site/xlog/000000010000000000000003.metadata'), 'utf8');
  assert.equal(sidecar, `{"host": "vm", "_hash": "${sha256OfNew}"}`);
  assert.deepEqual(
    await readdir(at.path('site/xlog')),
    (await readdir(at.path('site/xlog'))).filter((name) => !name.startsWith('.')),
  );
});

test('junk in the directory is no object and harms nothing', async () => {
  await using at = await TestDirectory.make();
  await at.store.put('dir/good', bytesOf('good'), { metadata: {} });
  for (const name of ['.DS_Store', 'lone-data', 'x.metadata_tmp', 'good.metadatak3x9.metadata_tmp', 'lone.metadata', '.hidden.metadata']) {
    await writeFile(at.path('dir', name), 'junk');
  }
  await mkdir(at.path('dir/.git/objects'), { recursive: true });
  await mkdir(at.path('dir/folder.metadata'));
  await symlink('nowhere', at.path('dir/dangling'));
  await symlink('..', at.path('dir/loop'));
  await symlink('/dev/zero', at.path('dir/device'));
  await writeFile(at.path('dir/device.metadata'), '{}');
  assert.deepEqual(await at.keys(), ['dir/good']);
  for (const key of ['dir/lone-data', 'dir/lone', 'dir/dangling', 'dir/device', 'dir/folder']) {
    await assert.rejects(at.store.head(key), { code: 'object-missing' }, key);
  }
});

test('data without metadata is not listed, but whoever wants to read it is not told that there is none', async () => {
  await using at = await TestDirectory.make();
  await at.store.put('one', bytesOf('data'), { metadata: {} });
  await rm(at.path('one.metadata'));
  assert.deepEqual(await at.keys(), []);
  await assert.rejects(at.store.get('one'), { code: 'object-incomplete', retryable: false, hint: /./ });
  await assert.rejects(at.store.get('none'), { code: 'object-missing' });
});

test('an object whose metadata is garbage is listed, and reading it names the file', async () => {
  await using at = await TestDirectory.make();
  await at.store.put('bad', bytesOf('data'), { metadata: {} });
  await writeFile(at.path('bad.metadata'), '{"half": ');
  assert.deepEqual(await at.keys(), ['bad']);
  for (const attempt of [() => at.store.head('bad'), () => at.store.get('bad')]) {
    await assert.rejects(attempt, { code: 'store-failed', message: new RegExp(`${at.base}/bad.metadata`), hint: /./ });
  }
});

test('metadata that are no file are an error, not a wait without end', async () => {
  await using at = await TestDirectory.make();
  for (const key of ['piped', 'folded', 'endless']) await writeFile(at.path(key), 'data');
  assert.equal((await runProgram('mkfifo', [at.path('piped.metadata')])).code, 0);
  await mkdir(at.path('folded.metadata'));
  await symlink('/dev/zero', at.path('endless.metadata'));
  for (const key of ['piped', 'folded', 'endless']) await assert.rejects(at.store.head(key), { code: 'store-failed', hint: /./ }, key);
  assert.deepEqual(await at.keys(), []);
});

test('a spooled file gets a second name instead of a copy, also when it is put again', async () => {
  await using at = await TestDirectory.make();
  await writeFile(at.path('.spooled'), 'sealed bytes');
  const longAgo = new Date('2001-01-01T00:00:00Z');
  await utimes(at.path('.spooled'), longAgo, longAgo);
  const source = sourceOfFile(at.path('.spooled'), 12);
  const entry = await at.store.put('dir/one', source, { metadata: { round: '1' } });
  assert.ok(Date.now() - entry.lastModified.getTime() < 60_000, 'last modified is when it was stored');
  assert.equal((await stat(at.path('dir/one'))).ino, (await stat(at.path('.spooled'))).ino);
  await at.store.put('dir/one', source, { metadata: { round: '1' } });
  await at.store.put('dir/one', source, { metadata: { round: '2' } });
  assert.equal(await read(at.store, 'dir/one'), 'sealed bytes');
  assert.equal((await at.store.head('dir/one')).metadata['round'], '2');
  assert.deepEqual((await readdir(at.path('dir'))).toSorted(), ['one', 'one.metadata']);
  await rm(at.path('.spooled'));
  assert.equal(await read(at.store, 'dir/one'), 'sealed bytes');
});

test('a spooled file on another file system, or behind a link, is copied', async () => {
  await using at = await TestDirectory.make();
  await writeFile(at.path('.real'), 'bytes');
  await symlink(at.path('.real'), at.path('.link'));
  await at.store.put('one', sourceOfFile(at.path('.link'), 5), { metadata: {} });
  assert.equal(await read(at.store, 'one'), 'bytes');
  assert.ok((await stat(at.path('one'))).isFile());
  const other = await mkdtemp('/dev/shm/pghoard-');
  try {
    await writeFile(join(other, 'spooled'), 'elsewhere');
    await at.store.put('two', sourceOfFile(join(other, 'spooled'), 9), { metadata: {} });
    assert.equal(await read(at.store, 'two'), 'elsewhere');
  } finally {
    await rm(other, { recursive: true });
  }
});

test('a spooled file of another size, or gone, is refused at once and nothing is left', async () => {
  await using at = await TestDirectory.make();
  await mkdir(at.path('.spool'));
  await writeFile(at.path('.spool/one'), 'four');
  await assert.rejects(at.store.put('one', sourceOfFile(at.path('.spool/one'), 5), { metadata: {} }), {
    code: 'store-failed',
    retryable: false,
  });
  await assert.rejects(at.store.put('one', sourceOfFile(at.path('.spool/gone'), 5), { metadata: {} }), {
    code: 'source-unreadable',
    retryable: false,
  });
  assert.deepEqual(await readdir(at.base), ['.spool']);
});

test('what a crash left of a put stands in nobody’s way', async () => {
  for (const createOnly of [false, true]) {
    await using at = await TestDirectory.make();
    await writeFile(at.path('data-only'), 'old data');
    await writeFile(at.path('metadata-only.metadata'), '{"old": "yes"}');
    for (const key of ['data-only', 'metadata-only']) {
      await assert.rejects(at.store.head(key), { code: 'object-missing' });
      await at.store.put(key, bytesOf('new data'), { metadata: { new: 'yes' }, createOnly });
      assert.equal(await read(at.store, key), 'new data');
      assert.deepEqual((await at.store.head(key)).metadata, { new: 'yes' });
    }
    assert.equal((await readdir(at.base)).length, 4);
  }
});

test('an object that is being replaced is not taken for missing, nor read with the metadata of the other', async () => {
  await using at = await TestDirectory.make();
  await at.store.put('one', bytesOf('old'), { metadata: { round: '1' } });
  await rename(at.path('one.metadata'), at.path('.aside'));
  const head = at.store.head('one');
  await link(at.path('.aside'), at.path('one.metadata'));
  assert.deepEqual((await head).metadata, { round: '1' });
  const { bytes } = await at.store.get('one');
  await at.store.put('one', bytesOf('new'), { metadata: { round: '2' } });
  await assert.rejects(collect(bytes), { code: 'store-failed', retryable: true, message: /replaced/ });
});

test('readers during many replacements always see data and metadata of one put', async () => {
  await using at = await TestDirectory.make();
  await at.store.put('one', bytesOf('round 0'), { metadata: { round: '0' } });
  const writing = { done: false };
  const write = async () => {
    try {
      for (let round = 1; round <= 60; round++)
        await at.store.put('one', bytesOf(`round ${round}`), { metadata: { round: String(round) } });
    } finally {
      writing.done = true;
    }
  };
  const readAlong = async () => {
    let reads = 0;
    while (!writing.done) {
      const { entry, bytes } = await at.store.get('one');
      try {
        assert.equal(Buffer.concat(await collect(bytes)).toString(), `round ${entry.metadata['round']}`);
        reads++;
      } catch (error) {
        if (!(error instanceof Error && /replaced/.test(error.message))) throw error;
      }
    }
    assert.ok(reads > 0);
  };
  await Promise.all([write(), readAlong()]);
});

test('data opened before a replacement is not told with the metadata read after it', async () => {
  await using at = await TestDirectory.make();
  await at.store.put('one', bytesOf('old'), { metadata: {} });
  const afterReplacement = async (path: string) => {
    if ((await at.store.head('one')).size === 3) await at.store.put('one', bytesOf('newer'), { metadata: { round: '2' } });
    return readSidecar(path);
  };
  const found = await findObject(at.path('one'), systemClock, afterReplacement);
  assert.deepEqual({ size: found?.size, metadata: found?.metadata }, { size: 5, metadata: { round: '2' } });
});

test('a body that the file no longer has ends by an error', async () => {
  await using at = await TestDirectory.make();
  await at.store.put('one', bytesOf('0123456789'), { metadata: {} });
  const { bytes } = await at.store.get('one');
  await writeFile(at.path('one'), '0123');
  await assert.rejects(collect(bytes), { retryable: true });
});

test('no room is store-full and can be retried, and nothing is left', async () => {
  await using at = await TestDirectory.make();
  const child = childOf('store-full-child');
  const { code, stdout, stderr } = await runProgram('bash', ['-c', 'ulimit -f 64; exec "$0" "$@"', process.execPath, child, at.base]);
  assert.equal(code, 0, stderr);
  const told = JSON.parse(stdout) as { code: string; retryable: boolean; message: string };
  assert.deepEqual({ code: told.code, retryable: told.retryable }, { code: 'store-full', retryable: true });
  assert.match(told.message, /dir\/large/);
  assert.deepEqual(await at.keys(), ['small']);
  assert.deepEqual(await readdir(at.path('dir')), []);
});

test('a directory that may not be written or read is store-denied', async () => {
  await using at = await TestDirectory.make();
  await at.store.put('one', bytesOf('x'), { metadata: {} });
  await chmod(at.base, 0o000);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(nobody);
  try {
    await assert.rejects(at.store.put('two', bytesOf('x'), { metadata: {} }), { code: 'store-denied', retryable: false });
    await assert.rejects(at.store.head('one'), { code: 'store-denied' });
    await assert.rejects(at.keys(), { code: 'store-denied' });
    await assert.rejects(at.store.delete('one'), { code: 'store-denied' });
  } finally {
    if (isRoot) process.seteuid?.(0);
    await chmod(at.base, 0o700);
  }
});

const meanings = [
  ['ENOSPC', 'store-full', true],
  ['EDQUOT', 'store-full', true],
  ['EACCES', 'store-denied', false],
  ['EROFS', 'store-denied', false],
  ['EPERM', 'store-denied', false],
  ['EIO', 'store-unreachable', true],
  ['ESTALE', 'store-unreachable', true],
  ['EMFILE', 'store-unreachable', true],
  ['ENAMETOOLONG', 'store-failed', false],
] as const;

for (const [system, code, retryable] of meanings) {
  test(`${system} is ${code}`, () => {
    const cause = Object.assign(new Error('from the system'), { code: system, errno: -1 });
    const error = asStoreError('store x', cause) as { code: string; retryable: boolean; cause: unknown };
    assert.deepEqual({ code: error.code, retryable: error.retryable, cause: error.cause }, { code, retryable, cause });
  });
}

test('bugs and aborts pass as they are', () => {
  for (const error of [new TypeError('a bug'), new DOMException('stopped', 'AbortError'), 'text'])
    assert.equal(asStoreError('x', error), error);
});

test('a name too long for the file system is an error, not a crash', async () => {
  await using at = await TestDirectory.make();
  await assert.rejects(at.store.put('n'.repeat(300), bytesOf('x'), { metadata: {} }), { code: 'store-failed' });
});

test('a key below another object is an error, and that object stays', async () => {
  await using at = await TestDirectory.make();
  await at.store.put('one', bytesOf('x'), { metadata: {} });
  await assert.rejects(at.store.put('one/two', bytesOf('y'), { metadata: {} }), { code: 'store-failed' });
  assert.equal(await read(at.store, 'one'), 'x');
});

test('data that lost their metadata are told while listing, and stay what they were', async () => {
  await using at = await TestDirectory.make();
  for (const key of ['dir/whole', 'dir/half']) await at.store.put(key, bytesOf('data'), { metadata: {} });
  await rm(at.path('dir/half.metadata'));
  const incomplete: string[] = [];
  const listed = await collect(withPrefix(at.store, 'dir/').list('', { onIncomplete: (key) => incomplete.push(key) }));
  assert.deepEqual([listed.map(({ key }) => key), incomplete], [['whole'], ['half']]);
});
