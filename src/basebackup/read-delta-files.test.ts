import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { runHere } from '../codec/pool.ts';
import { Unsealer } from '../codec/unseal.ts';
import { readDeltaFiles } from './read-delta-files.job.ts';
import { sealDeltaFile } from './seal-delta-file.job.ts';

/** From the original's tests. */
const hashes: readonly [content: string, hexdigest: string][] = [
  ['123'.repeat(100), '0728577aecf53fd989cd4c0fc4e2fc73aaa60905fb224d4ca93d8f3eac62feeb'],
  ['some data'.repeat(100), '5cc8204133a65382a9045c82ffe166fb561e9d3f7c34babf85ed960e6195ea09'],
  ['foobar'.repeat(150), 'c6479bce75c9a573ba073af83191c280721170793da6e9e9480201de94ab0654'],
];
const compression = { algorithm: 'snappy' as const, level: 0 };

test('files are named by BLAKE2s-256 of their content, and hashed again when they are sealed', async () => {
  await using scratch = await makeTemporaryDirectory();
  for (const [content, hexdigest] of hashes) {
    const source = join(scratch.path, 'file');
    await writeFile(source, content, { mode: 0o640 });
    const [read] = await runHere(readDeltaFiles, { files: [{ source, embed: false }] });
    const { uid, gid, mode, mtimeMs } = await stat(source);
    assert.deepEqual(read, { hexdigest, size: content.length, mode: mode & 0o7777, uid, gid, mtimeNs: Math.floor(mtimeMs * 1e6) });
    const target = join(scratch.path, 'sealed');
    const sealed = await runHere(sealDeltaFile, { source, target, seal: { compression } });
    assert.ok(!('gone' in sealed) && sealed.plainHash === hexdigest && sealed.plainBytes === content.length);
    const plain: Buffer[] = [];
    using unsealer = new Unsealer({ compression: 'snappy' }, (bytes) => void plain.push(Buffer.from(bytes)));
    await unsealer.update(readFileSync(target));
    await unsealer.finish();
    assert.equal(Buffer.concat(plain).toString(), content);
  }
});

test('tiny files are read whole, also one that became tiny, and one that just outgrew that', async () => {
  await using scratch = await makeTemporaryDirectory();
  const read = async (content: string, embed: boolean) => {
    const source = join(scratch.path, 'file');
    await writeFile(source, content);
    const [file] = await runHere(readDeltaFiles, { files: [{ source, embed }] });
    return file && 'base64' in file ? Buffer.from(file.base64, 'base64').toString() : 'not embedded';
  };
  assert.equal(await read('', true), '');
  assert.equal(await read('123'.repeat(50), true), '123'.repeat(50));
  assert.equal(await read('123'.repeat(50), false), '123'.repeat(50));
  assert.equal(await read('123'.repeat(51), false), 'not embedded');
  assert.equal(await read('x'.repeat(5000), true), 'x'.repeat(5000));
  assert.equal((await read('x'.repeat(5_000_000), true)).length, 65_536);
});

test('what vanished or became something else is said to be gone', async () => {
  await using scratch = await makeTemporaryDirectory();
  await mkdir(join(scratch.path, 'directory'));
  await symlink('nowhere', join(scratch.path, 'link'));
  for (const name of ['missing', 'directory', 'link']) {
    const source = join(scratch.path, name);
    const [read] = await runHere(readDeltaFiles, { files: [{ source, embed: false }] });
    assert.ok(read && 'gone' in read, name);
    assert.ok('gone' in (await runHere(sealDeltaFile, { source, target: join(scratch.path, 'sealed'), seal: { compression } })), name);
  }
});

test('a sparse file of several buffers is read to its end', async () => {
  await using scratch = await makeTemporaryDirectory();
  const source = join(scratch.path, 'file');
  await writeFile(source, 'begin');
  await truncate(source, 40 * 1024 * 1024 + 17);
  const reports: { bytes: number; files: number }[] = [];
  const [read] = await runHere(
    readDeltaFiles,
    { files: [{ source, embed: false }] },
    { onReport: (report) => reports.push(report as never) },
  );
  const sealed = await runHere(sealDeltaFile, { source, target: join(scratch.path, 'sealed'), seal: { compression } });
  assert.ok(read && 'hexdigest' in read && !('gone' in sealed));
  assert.deepEqual([read.size, read.hexdigest], [sealed.plainBytes, sealed.plainHash]);
  assert.equal(
    reports.reduce((sum, { bytes }) => sum + bytes, 0),
    read.size,
  );
  assert.equal(
    reports.reduce((sum, { files }) => sum + files, 0),
    1,
  );
});
