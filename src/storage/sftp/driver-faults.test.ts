import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Sshd } from '../../../test/support/services/sshd.ts';
import { makeSmallDisk } from '../../../test/support/small-disk.ts';
import { bytesOf, collect, read } from '../contract-tools.ts';
import { sourceOfBytes } from '../object-source.ts';
import { SftpStore } from './driver.ts';

const openssh = await Sshd.start();
const plain = await Sshd.start({ refuses: ['posix-rename', 'hardlink', 'fsync', 'statvfs', 'limits'] });
after(async () => {
  await openssh[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
});

let directories = 0;

/** A directory on a server, seen through the store and directly. */
class At implements AsyncDisposable {
  readonly base: string;
  readonly store: SftpStore;

  static async make(sshd: Sshd = openssh, namesHeldMax?: number): Promise<At> {
    const directory = `at-${directories++}`;
    await mkdir(join(sshd.root, directory));
    return new At(sshd, directory, namesHeldMax);
  }
  private constructor(sshd: Sshd, directory: string, namesHeldMax: number | undefined) {
    this.base = join(sshd.root, directory);
    this.store = new SftpStore({ storage: sshd.storage(), directory, ...(namesHeldMax !== undefined && { namesHeldMax }) });
  }
  path(...parts: string[]): string {
    return join(this.base, ...parts);
  }
  async keys(prefix = ''): Promise<string[]> {
    return (await collect(this.store.list(prefix))).map(({ key }) => key);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
  }
}

test('reads and lists what Python wrote, and lies where Python looks', async () => {
  await using at = await At.make();
  await mkdir(at.path('site/xlog'), { recursive: true });
  await writeFile(at.path('site/xlog/000000010000000000000002'), 'data');
  await writeFile(at.path('site/xlog/000000010000000000000002.metadata'), '{"pg-version": "150020", "Content-Length": "4"}');
  assert.deepEqual(await at.keys(), ['site/xlog/000000010000000000000002']);
  assert.deepEqual((await at.store.head('site/xlog/000000010000000000000002')).metadata, { 'pg-version': '150020', 'Content-Length': '4' });
  await at.store.put('site/xlog/000000010000000000000003', bytesOf('new'), { metadata: { host: 'vm' } });
  assert.equal(await readFile(at.path('site/xlog/000000010000000000000003'), 'utf8'), 'new');
  assert.equal(await readFile(at.path('site/xlog/000000010000000000000003.metadata'), 'utf8'), '{"host": "vm"}');
  assert.deepEqual(
    (await readdir(at.path('site/xlog'))).filter((name) => name.startsWith('.')),
    [],
  );
});

test('junk in the directory is no object and harms nothing', async () => {
  await using at = await At.make();
  await at.store.put('dir/good', bytesOf('good'), { metadata: {} });
  for (const name of ['.DS_Store', 'lone-data', 'x.metadata_tmp', 'lone.metadata', '.hidden.metadata'])
    await writeFile(at.path('dir', name), 'junk');
  await mkdir(at.path('dir/.git/objects'), { recursive: true });
  await mkdir(at.path('dir/folder.metadata'));
  await symlink('nowhere', at.path('dir/dangling'));
  await symlink('..', at.path('dir/loop'));
  assert.deepEqual(await at.keys(), ['dir/good']);
  for (const key of ['dir/lone-data', 'dir/lone', 'dir/dangling', 'dir/folder'])
    await assert.rejects(at.store.head(key), { code: 'object-missing' }, key);
});

test('data without metadata is told of while listing, and whoever wants to read it is not told that there is none', async () => {
  await using at = await At.make();
  await at.store.put('dir/whole', bytesOf('data'), { metadata: {} });
  await at.store.put('dir/half', bytesOf('data'), { metadata: {} });
  await rm(at.path('dir/half.metadata'));
  const incomplete: string[] = [];
  const listed = await collect(at.store.list('dir/', { onIncomplete: (key) => incomplete.push(key) }));
  assert.deepEqual([listed.map(({ key }) => key), incomplete], [['dir/whole'], ['dir/half']]);
  await assert.rejects(at.store.get('dir/half'), { code: 'object-incomplete', retryable: false, hint: /./ });
  await assert.rejects(at.store.get('dir/none'), { code: 'object-missing' });
});

test('an object whose metadata is garbage is listed, and reading it names the file', async () => {
  await using at = await At.make();
  await at.store.put('bad', bytesOf('data'), { metadata: {} });
  await at.store.put('folded', bytesOf('data'), { metadata: {} });
  await writeFile(at.path('bad.metadata'), '{"half": ');
  await rm(at.path('folded.metadata'));
  await mkdir(at.path('folded.metadata'));
  assert.deepEqual(await at.keys(), ['bad']);
  for (const key of ['bad', 'folded'])
    await assert.rejects(at.store.head(key), { code: 'store-failed', message: new RegExp(`${key}.metadata`), hint: /./ });
});

test('metadata of any length that can be meant come back', async () => {
  await using at = await At.make();
  const metadata = { long: 'x'.repeat(100_000) };
  await at.store.put('one', bytesOf('data'), { metadata });
  assert.deepEqual((await at.store.head('one')).metadata, metadata);
});

for (const [name, sshd] of [
  ['OpenSSH', openssh],
  ['a server without extensions', plain],
] as const) {
  test(`what a crash left of a put stands in nobody’s way: ${name}`, async () => {
    for (const createOnly of [false, true]) {
      await using at = await At.make(sshd);
      await writeFile(at.path('data-only'), 'old data');
      await writeFile(at.path('metadata-only.metadata'), '{"old": "yes"}');
      for (const key of ['data-only', 'metadata-only']) {
        await at.store.put(key, bytesOf('new data'), { metadata: { new: 'yes' }, createOnly });
        assert.equal(await read(at.store, key), 'new data');
        assert.deepEqual((await at.store.head(key)).metadata, { new: 'yes' });
      }
      assert.equal((await readdir(at.base)).length, 4);
    }
  });

  test(`readers during many replacements always see data and metadata of one put: ${name}`, async () => {
    await using at = await At.make(sshd);
    await at.store.put('one', bytesOf('round 10'), { metadata: { round: '10' } });
    const writing = { done: false };
    const write = async () => {
      try {
        for (let round = 11; round <= 25; round++)
          await at.store.put('one', bytesOf(`round ${round}`), { metadata: { round: String(round) } });
      } finally {
        writing.done = true;
      }
    };
    let reads = 0;
    const readAlong = async () => {
      while (!writing.done) {
        try {
          const { entry, bytes } = await at.store.get('one');
          assert.equal(Buffer.concat(await collect(bytes)).toString(), `round ${entry.metadata['round']}`);
          reads++;
        } catch (error) {
          if (!(error instanceof Error && /replaced/.test(error.message))) throw error;
        }
      }
    };
    await Promise.all([write(), readAlong(), readAlong()]);
    assert.ok(reads > 0);
  });
}

test('a body that is not what was found any more ends by an error that can be retried', async () => {
  await using at = await At.make();
  await at.store.put('one', bytesOf('0123456789'), { metadata: {} });
  for (const change of [() => writeFile(at.path('one'), '0123'), () => rm(at.path('one'))]) {
    const { bytes } = await at.store.get('one');
    await change();
    await assert.rejects(collect(bytes), { code: 'store-failed', retryable: true, message: /replaced/ });
  }
});

test('where nothing may be written it is store-denied', async () => {
  await using store = Object.assign(new SftpStore({ storage: openssh.storage(), directory: '/sys/pghoard' }), {
    [Symbol.asyncDispose]: () => store.close(),
  });
  await assert.rejects(store.put('one', bytesOf('x'), { metadata: {} }), { code: 'store-denied', retryable: false, hint: /mode/ });
  await assert.rejects(store.create(), { code: 'store-denied' });
});

test('no room is store-full and can be retried, nothing is left, and it goes on when there is room again', async () => {
  await using sshd = await Sshd.start();
  await using disk = await makeSmallDisk(join(sshd.root, 'small'), 4 * 1024 * 1024);
  await using store = Object.assign(new SftpStore({ storage: sshd.storage(), directory: 'small' }), {
    [Symbol.asyncDispose]: () => store.close(),
  });
  await store.put('small', bytesOf('x'), { metadata: {} });
  const large = sourceOfBytes(Buffer.alloc(3 * 1024 * 1024, 'x'));
  for (const pid of sshd.sessions) await disk.fill(pid, 1024 * 1024);
  const meetsItself = process.getuid?.() === 0;
  await assert.rejects(
    store.put('dir/large', large, { metadata: {} }),
    meetsItself ? { code: 'store-full', retryable: true } : { code: 'store-failed' },
  );
  assert.deepEqual(await readdir(join(sshd.root, 'small', 'dir')), []);
  assert.equal(await read(store, 'small'), 'x');
  for (const pid of sshd.sessions.slice(0, 1)) await disk.makeRoom(pid);
  await store.put('dir/large', large, { metadata: {} });
  assert.equal((await store.head('dir/large')).size, large.size);
});

test('a name too long, or below another object, is an error, and what is there stays', async () => {
  await using at = await At.make();
  await at.store.put('one', bytesOf('x'), { metadata: {} });
  await assert.rejects(at.store.put('n'.repeat(300), bytesOf('x'), { metadata: {} }), { code: 'store-failed', hint: /long/ });
  await assert.rejects(at.store.put('one/two', bytesOf('y'), { metadata: {} }), { code: 'store-failed' });
  assert.equal(await read(at.store, 'one'), 'x');
});

test('1 200 objects are listed in order with few names in memory, and deleted in one go', async () => {
  await using at = await At.make(openssh, 400);
  await mkdir(at.path('many'));
  const names = Array.from({ length: 1_200 }, (_, i) => String((i * 7919) % 1_200).padStart(5, '0'));
  for (const name of names) {
    await writeFile(at.path('many', name), name);
    await writeFile(at.path('many', `${name}.metadata`), '{}');
  }
  const keys = names.toSorted().map((name) => `many/${name}`);
  assert.deepEqual(await at.keys(), keys);
  assert.deepEqual(await at.store.deleteMany(keys.slice(0, 1_000)), []);
  assert.deepEqual(await at.keys('many/'), keys.slice(1_000));
  assert.equal((await readdir(at.path('many'))).length, 400);
});

test('old temporary files of ours go, below the prefix only; young ones and those of others stay', async () => {
  await using at = await At.make();
  await at.store.put('site/xlog/one', bytesOf('x'), { metadata: {} });
  await at.store.put('other/one', bytesOf('x'), { metadata: {} });
  const old = new Date('2001-01-01T00:00:00Z');
  for (const [path, time] of [
    ['site/.pghoard-00112233aabb.tmp', old],
    ['site/xlog/.pghoard-00112233aabb.tmp', old],
    ['site/xlog/.pghoard-00112233aabc.tmp', new Date('2026-01-01T00:00:00Z')],
    ['site/xlog/.somebody.tmp', old],
    ['other/.pghoard-00112233aabb.tmp', old],
  ] as const) {
    await writeFile(at.path(path), 'rest');
    await utimes(at.path(path), time, time);
  }
  const before = new Date('2002-01-01T00:00:00Z');
  assert.equal(await at.store.removeUnfinished('none/', { before }), 0);
  assert.equal(await at.store.removeUnfinished('site/xl', { before }), 1);
  assert.equal(await at.store.removeUnfinished('site/', { before }), 1);
  assert.equal(await at.store.removeUnfinished('site/', { before }), 0);
  assert.deepEqual((await readdir(at.path('site/xlog'))).toSorted(), ['.pghoard-00112233aabc.tmp', '.somebody.tmp', 'one', 'one.metadata']);
  assert.equal(await at.store.removeUnfinished('', { before }), 1);
});

test('directories with nothing in them can be removed, and those with something stay', async () => {
  await using at = await At.make();
  for (const path of ['a/b/c', 'a/d', 'a/full/e', 'beside']) await mkdir(at.path(path), { recursive: true });
  await writeFile(at.path('a/full/file'), 'x');
  await at.store.removeEmptyDirectories('a/');
  await at.store.removeEmptyDirectories('none/');
  assert.deepEqual((await readdir(at.base, { recursive: true })).toSorted(), ['a', 'a/full', 'a/full/file', 'beside']);
  await rm(at.path('a/full/file'));
  await at.store.removeEmptyDirectories('a/');
  assert.deepEqual(await readdir(at.base), ['beside']);
});

test('create makes the directory of the store, and those above it', async () => {
  const directory = 'made/by/create';
  const store = new SftpStore({ storage: openssh.storage(), directory });
  await store.create();
  await store.create();
  assert.deepEqual(await readdir(join(openssh.root, directory)), []);
  await store.close();
});
