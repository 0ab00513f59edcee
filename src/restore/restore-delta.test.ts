import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertUnstartable, makeRestoreBench } from '../../test/support/restore-bench.ts';
import { clusterMembers, controlMembers, type TestBackups, type TestMember } from '../../test/support/test-backups.ts';
import { CodecPool } from '../codec/pool.ts';
import { sourceOfBytes } from '../storage/object-source.ts';

const pool = new CodecPool(2);
after(() => pool.close());

interface FileJson {
  readonly relative_path: string;
  readonly file_size: number;
  readonly stored_file_size?: number;
  readonly mtime_ns?: number;
  readonly hexdigest?: string;
  readonly content_b64?: string | null;
  readonly should_be_bundled?: boolean;
}

interface DeltaBackup {
  readonly format?: 'pghoard-delta-v1' | 'pghoard-delta-v2';
  readonly files: readonly FileJson[];
  readonly bundles?: readonly (readonly TestMember[])[];
  readonly directories?: readonly unknown[];
  readonly attributes?: object;
}

const name = '2026-11-22_10-00_0';
const mtime_ns = 1_700_000_000_123_456_768;
const digestOf = (content: string | Buffer) => createHash('blake2s256').update(content).digest('hex');

const embedded = (path: string, content: string): FileJson => ({
  relative_path: path,
  file_size: content.length,
  content_b64: Buffer.from(content).toString('base64'),
});
const hashed = (path: string, content: string | Buffer): FileJson => ({
  relative_path: path,
  file_size: content.length,
  hexdigest: digestOf(content),
});

/** Stores a file of delta backups; not a tar, but `putTar` takes any bytes. */
async function putFile(backups: TestBackups, content: string | Buffer, as = digestOf(content)): Promise<string> {
  const key = backups.keys.deltaFile(as);
  await backups.putTar(key, Buffer.from(content), {}, { format: 'pghoard-delta-v2' });
  return key;
}

async function addDelta(backups: TestBackups, backup: DeltaBackup): Promise<void> {
  const { format = 'pghoard-delta-v2', files, bundles = [], directories = ['.'], attributes } = backup;
  const chunks: object[] = [];
  for (const [index, members] of bundles.entries()) {
    const chunk_filename = `${name}/${name}.0000000${index + 1}.pghoard`;
    const put = await backups.putArchive(backups.keys.deltaChunkFile(chunk_filename), members, {}, { format: 'pghoard-bb-v2' });
    chunks.push({ chunk_filename, input_size: put.plainBytes, result_size: put.storedBytes, files: [] });
  }
  const state = { root_globs: ['**/*'], files: files.map((file) => ({ stored_file_size: 0, mtime_ns, ...file })), empty_dirs: directories };
  const manifest = {
    snapshot_result: { state, files: files.length, total_size: 0, hashes: [] },
    upload_result: { total_size: 0, total_stored_size: 0 },
  };
  const content = JSON.stringify({ tablespaces: {}, ...(bundles.length > 0 && { chunks }), ...(attributes && { attributes }), manifest });
  await backups.putArchive(
    backups.keys.basebackupMain(name),
    [{ path: '.pghoard_tar_metadata.json', content }, ...controlMembers],
    {},
    {
      'start-time': '2026-11-22T10:00:00+00:00',
      'start-wal-segment': '000000010000000000000003',
      format,
    },
  );
}

const bundled = clusterMembers('').filter(({ path }) => path !== 'PG_VERSION');
const version = embedded('PG_VERSION', '15\n');
const big = Buffer.alloc(3_000_000, 'big');

test('files come from bundles, the manifest and the store; without attributes they are closed to others', async () => {
  await using bench = await makeRestoreBench(pool);
  await putFile(bench.backups, big);
  const old = { ...embedded('base/1/empty', ''), mtime_ns: -86_400_000_000_000 };
  const files = [version, hashed('base/1/big', big), old, embedded('conf.d/two\u2028lines\n.conf', 'x = 1')];
  await addDelta(bench.backups, { files, bundles: [bundled], directories: ['.', 'base', 'base/1', 'empty'] });
  const { files: count } = await bench.restore();
  assert.equal(count, 4 + bundled.filter(({ type }) => type !== 'directory').length + 2);
  assert.deepEqual(await readFile(join(bench.target, 'base/1/big')), big);
  assert.equal(await readFile(join(bench.target, 'conf.d/two\u2028lines\n.conf'), 'utf8'), 'x = 1');
  assert.deepEqual(
    [(await stat(join(bench.target, 'base/1/empty'))).size, (await stat(join(bench.target, 'base/1/empty'))).mtimeMs],
    [0, -86_400_000],
  );
  const { mode, mtimeMs } = await stat(join(bench.target, 'base/1/big'));
  assert.equal(mode & 0o777, 0o600);
  assert.ok(Math.abs(mtimeMs - mtime_ns / 1e6) < 0.01);
  assert.equal((await stat(join(bench.target, 'empty'))).mode & 0o777, 0o700);
  assert.equal((await stat(join(bench.target, 'conf.d'))).mode & 0o777, 0o700);
  assert.equal(
    (await readdir(bench.target)).some((file) => file.startsWith('pghoard_restore')),
    false,
  );
});

test('the older format knows neither bundles nor what could be in them', async () => {
  await using bench = await makeRestoreBench(pool);
  const contents = bundled
    .filter(({ type }) => type !== 'directory')
    .map(({ path, content = '' }) => [path, Buffer.from(content)] as const);
  for (const [, content] of contents) await putFile(bench.backups, content);
  await addDelta(bench.backups, {
    format: 'pghoard-delta-v1',
    files: [version, ...contents.map(([path, content]) => hashed(path, content))],
  });
  await bench.restore();
  for (const [path, content] of contents.filter(([file]) => file.includes('/'))) {
    assert.deepEqual(await readFile(join(bench.target, path)), content);
  }
});

test('attributes of our own manifests are given back', async () => {
  await using bench = await makeRestoreBench(pool);
  await putFile(bench.backups, big);
  const { uid, gid } = await stat(bench.directory);
  const attributes = { file: { mode: 0o640, uid, gid }, directory: { mode: 0o750, uid, gid } };
  await addDelta(bench.backups, {
    files: [version, hashed('base/1/big', big)],
    bundles: [bundled],
    directories: ['.', 'base', 'own'],
    attributes,
  });
  await bench.restore();
  assert.equal((await stat(join(bench.target, 'base/1/big'))).mode & 0o777, 0o640);
  assert.equal((await stat(join(bench.target, 'PG_VERSION'))).mode & 0o777, 0o640);
  assert.equal((await stat(join(bench.target, 'own'))).mode & 0o777, 0o750);
});

type Spoil = (backups: TestBackups) => Promise<void>;
const none: Spoil = async () => {};
const outside = embedded('../outside', 'x');
const troubles: readonly [what: string, backup: Partial<DeltaBackup>, code: string, spoil?: Spoil][] = [
  ['a file that the store does not have', { files: [hashed('base/1/x', 'never stored')] }, 'basebackup-incomplete'],
  [
    'content that does not have the hash of its name',
    { files: [{ ...hashed('base/1/x', 'right one'), file_size: 9 }] },
    'object-corrupt',
    async (backups) => void (await putFile(backups, 'wrong one', digestOf('right one'))),
  ],
  [
    'content of another size',
    { files: [{ ...hashed('base/1/x', 'right one'), file_size: 8 }] },
    'object-corrupt',
    async (backups) => void (await putFile(backups, 'right one')),
  ],
  [
    'bytes that are not what their metadata says',
    { files: [hashed('base/1/x', 'right one')] },
    'object-corrupt',
    async ({ store, keys }) => {
      const metadata = { 'compression-algorithm': 'snappy' };
      await store.put(keys.deltaFile(digestOf('right one')), sourceOfBytes(Buffer.from('right one')), { metadata });
    },
  ],
  ['embedded content of another size', { files: [{ ...embedded('base/1/x', 'abc'), file_size: 4 }] }, 'object-corrupt'],
  ['a file that is nowhere', { files: [{ relative_path: 'base/1/x', file_size: 1 }] }, 'manifest-invalid'],
  ['a hash that is a path', { files: [{ relative_path: 'base/1/x', file_size: 1, hexdigest: '../../secret' }] }, 'manifest-invalid'],
  ['a negative size', { files: [{ relative_path: 'base/1/x', file_size: -1 }] }, 'manifest-invalid'],
  ['a directory that is a number', { directories: [7] }, 'manifest-invalid'],
  ['a file outside', { files: [outside] }, 'tar-unsafe'],
  ['a directory outside', { directories: ['../outside'] }, 'tar-unsafe'],
  ['a bundle that writes outside', { bundles: [[...bundled, { path: '../outside', content: 'x' }]] }, 'tar-unsafe'],
  ['a bundle that writes to the root', { bundles: [[...bundled, { path: '/outside', content: 'x' }]] }, 'tar-unsafe'],
  ['a file in the place of the list of files', { files: [embedded('pghoard_restore_files', 'x')] }, 'tar-unsafe'],
  ['a file below a file', { files: [embedded('PG_VERSION/x', 'x')] }, 'tar-unsafe'],
];
for (const [what, { files = [], bundles = [bundled], directories = ['.'] }, code, spoil = none] of troubles) {
  test(`${what} ends the restore, and nothing can be started`, async () => {
    await using bench = await makeRestoreBench(pool);
    await addDelta(bench.backups, { files: [version, ...files], bundles, directories });
    await spoil(bench.backups);
    await assert.rejects(bench.restore(), { code });
    await assertUnstartable(bench.target);
    assert.equal(existsSync(join(bench.directory, 'outside')), false);
  });
}

test('a manifest without a list of files is refused before anything is touched', async () => {
  await using bench = await makeRestoreBench(pool);
  const [key] = await bench.backups.addChunked({ chunks: [], metadata: { format: 'pghoard-delta-v2' } });
  await assert.rejects(bench.restore(), { code: 'manifest-invalid' }, key);
  assert.equal(existsSync(bench.target), false);
});

test('reusing a directory, or going on, fetches only files whose content is not there', async () => {
  await using bench = await makeRestoreBench(pool);
  const contents = ['first', 'second', 'third'].map((word) => Buffer.alloc(50_000, word));
  const files = contents.map((content, index) => hashed(`base/1/${20_000 + index}`, content));
  await addDelta(bench.backups, { files: [...files, embedded('base/1/small', 'small')], bundles: [clusterMembers('')] });
  const keys = await Promise.all(contents.map((content) => putFile(bench.backups, content)));
  await bench.restore();
  const path = (index: number) => join(bench.target, `base/1/${20_000 + index}`);
  const changed = Buffer.from(contents[1] ?? '');
  changed[40_000] = 0;
  await writeFile(path(1), changed);
  await writeFile(join(bench.target, 'base/1/small'), 'SMALL');
  await writeFile(join(bench.target, 'base/1/extra'), 'extra');

  // The first and the third could not be fetched.
  for (const key of [keys[0], keys[2]]) await bench.backups.store.delete(key ?? '');
  const whole = await readFile(bench.backups.fileOf(keys[1] ?? ''));
  await bench.backups.store.delete(keys[1] ?? '');
  await assert.rejects(bench.restore({ reuse: true }), { code: 'basebackup-incomplete' });
  await assertUnstartable(bench.target);
  await bench.backups.store.put(keys[1] ?? '', sourceOfBytes(whole), {
    metadata: { 'compression-algorithm': 'snappy', 'original-file-size': '50000', format: 'pghoard-delta-v2' },
  });
  await bench.restore();
  for (const [index, content] of contents.entries()) {
    assert.ok((await readFile(path(index))).equals(content), String(index));
    const { mode, mtimeMs } = await stat(path(index));
    assert.deepEqual([mode & 0o777, Math.round(mtimeMs)], [0o600, Math.round(mtime_ns / 1e6)]);
  }
  assert.equal(await readFile(join(bench.target, 'base/1/small'), 'utf8'), 'small');
  assert.equal(existsSync(join(bench.target, 'base/1/extra')), false);
  assert.ok(existsSync(join(bench.target, 'global/pg_control')));
});
