import assert from 'node:assert/strict';
import { createReadStream, truncateSync } from 'node:fs';
import { appendFile, chmod, mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BroadcastChannel } from 'node:worker_threads';
import { sealChunk } from '../../src/basebackup/seal-chunk.job.ts';
import { sealStream } from '../../src/basebackup/seal-raw.job.ts';
import { filesRead, sealSingle } from '../../src/basebackup/seal-single.job.ts';
import type { FoundEntry } from '../../src/basebackup/walk.ts';
import { runHere } from '../../src/codec/pool.ts';
import { Unsealer } from '../../src/codec/unseal.ts';
import { isOperatorError } from '../../src/lib/errors.ts';
import { runProgram } from '../../src/lib/subprocess.ts';
import { encodeTarHeader, tarEnd } from '../../src/tar/header.ts';
import { openArchive } from '../support/sealed-archive.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';

const MiB = 1024 * 1024;
const seal = { compression: { algorithm: 'snappy' as const, level: 0 } };

/** A directory to read from, and the path of a chunk to make. */
async function scratch(t: TestContext): Promise<{ source: string; target: string }> {
  const directory = await makeTemporaryDirectory();
  t.after(() => directory[Symbol.asyncDispose]());
  const source = join(directory.path, 'source');
  await mkdir(source);
  await mkdir(join(directory.path, 'spool'));
  return { source, target: join(directory.path, 'spool', 'chunk') };
}

function file(source: string, name: string, size = 0): FoundEntry {
  return { path: `pgdata/${name}`, source: join(source, name), type: 'file', size, mode: 0o600, uid: 0, gid: 0, mtime: 0 };
}

const opened = (path: string) => openArchive(createReadStream(path), { compression: 'snappy' });

/** What the main thread does when a worker has read all files. */
function tell(channel: string): (message: unknown) => void {
  return (message) => {
    if (message !== filesRead) return;
    const sender = new BroadcastChannel(channel);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    sender.postMessage({ backupLabel: 'LABEL', controlFile: Buffer.from('control') });
    sender.close();
  };
}

test('a file that shrinks while it is read is filled with zeros to the size its header states', async (t) => {
  const { source, target } = await scratch(t);
  await writeFile(join(source, '1'), Buffer.alloc(12 * MiB, 'x'));
  await writeFile(join(source, '2'), 'behind it');
  let cut = false;
  const onReport = () => {
    if (!cut) truncateSync(join(source, '1'), 6 * MiB + 100);
    cut = true;
  };
  const result = await runHere(sealChunk, { members: [file(source, '1'), file(source, '2')], target, seal }, { onReport });
  assert.deepEqual(result.shrunk, ['pgdata/1']);
  const [first, second] = await opened(target);
  assert.equal(first?.content.length, 12 * MiB);
  assert.ok(first?.content.subarray(0, 6 * MiB + 100).every((byte) => byte === 0x78));
  assert.ok(first?.content.subarray(6 * MiB + 100).every((byte) => byte === 0));
  assert.equal(second?.content.toString(), 'behind it');
});

test('a file that grows while it is read is cut at the size it had', async (t) => {
  const { source, target } = await scratch(t);
  await writeFile(join(source, '1'), Buffer.alloc(6 * MiB, 'x'));
  let growing: Promise<void> | undefined;
  const onReport = () => void (growing ??= appendFile(join(source, '1'), Buffer.alloc(MiB, 'y')));
  const result = await runHere(sealChunk, { members: [file(source, '1', 5), file(source, '2')], target, seal }, { onReport });
  await growing;
  assert.deepEqual([result.filesTaken, result.shrunk], [1, []]);
  const [only] = await opened(target);
  assert.deepEqual(only?.content, Buffer.alloc(6 * MiB, 'x'));
});

test('what is no longer the file that was found is left out: gone, a directory, a link, a pipe', async (t) => {
  const { source, target } = await scratch(t);
  await mkdir(join(source, 'directory'));
  await symlink('/etc/passwd', join(source, 'link'));
  await runProgram('mkfifo', [join(source, 'pipe')]);
  await writeFile(join(source, 'file'), 'content', { mode: 0o640 });
  await chmod(join(source, 'file'), 0o640);
  const names = ['gone', 'directory', 'link', 'pipe', 'file'];
  const result = await runHere(sealChunk, { members: names.map((name) => file(source, name, 7)), target, seal });
  assert.deepEqual(result.skipped, [
    { path: join(source, 'gone'), why: 'it vanished' },
    { path: join(source, 'directory'), why: 'it is no longer a file' },
    { path: join(source, 'link'), why: 'it is no longer a file' },
    { path: join(source, 'pipe'), why: 'it is no longer a file' },
  ]);
  const members = await opened(target);
  assert.deepEqual(
    members.map(({ path, mode, content }) => [path, mode, content.toString()]),
    [['pgdata/file', 0o640, 'content']],
  );
  assert.equal(result.sealedBytes, (await stat(target)).size);
  assert.equal(result.plainBytes, 10_240);
});

test('an aborted chunk leaves no file', async (t) => {
  const { source, target } = await scratch(t);
  await writeFile(join(source, '1'), Buffer.alloc(12 * MiB));
  const stop = new AbortController();
  const onReport = () => stop.abort(new Error('called off'));
  await assert.rejects(runHere(sealChunk, { members: [file(source, '1')], target, seal }, { signal: stop.signal, onReport }), {
    message: 'called off',
  });
  await assert.rejects(stat(target), { code: 'ENOENT' });
});

test('other tar programs read a chunk', async (t) => {
  const { source, target } = await scratch(t);
  const long = `${'d'.repeat(150)}/${'ö'.repeat(60)}`;
  await mkdir(join(source, 'd'.repeat(150)));
  await writeFile(join(source, long), 'content');
  await runHere(sealChunk, { members: [file(source, long)], target, seal });
  const plain: Buffer[] = [];
  using unsealer = new Unsealer({ compression: 'snappy' }, (bytes) => void plain.push(Buffer.from(bytes)));
  for await (const bytes of createReadStream(target)) await unsealer.update(bytes as Buffer);
  await unsealer.finish();
  const listed = await runProgram('tar', ['-xOf', '-', `pgdata/${long}`], { input: Buffer.concat(plain) });
  assert.deepEqual([listed.code, listed.stdout], [0, 'content']);
});

test('a single archive waits for the end of the backup, and gives up when it is called off meanwhile', async (t) => {
  const { source, target } = await scratch(t);
  await writeFile(join(source, 'PG_VERSION'), '15\n');
  const owner = { uid: 0, gid: 0, mtime: 1_700_000_000 };
  const directories = [{ path: 'pgdata/pg_wal', type: 'directory' as const, size: 0, mode: 0o700, ...owner }];
  const input = { dataDirectory: source, major: '15', tablespaces: [], manifest: '{}', directories, owner, seal };
  await runHere(sealSingle, { ...input, target, channel: 'a' }, { onReport: tell('a') });
  const members = await opened(target);
  assert.deepEqual(
    members.map(({ path }) => path.replace(/\/$/, '')),
    ['.pghoard_tar_metadata.json', 'pgdata/pg_wal', 'pgdata/PG_VERSION', 'pgdata/global/pg_control', 'pgdata/backup_label'],
  );
  assert.equal(members.at(-1)?.content.toString(), 'LABEL');

  const stop = new AbortController();
  const onReport = (message: unknown) => void (message === filesRead && stop.abort(new Error('called off')));
  const second = runHere(sealSingle, { ...input, target: `${target}2`, channel: 'b' }, { signal: stop.signal, onReport });
  await assert.rejects(second, { message: 'called off' });
  assert.deepEqual(await readdir(join(target, '..')), ['chunk']);
});

test('a stream without a backup label, a damaged one and one whose writer fails leave nothing', async (t) => {
  const { source, target } = await scratch(t);
  const archive = join(source, 'base.tar');
  const header = encodeTarHeader({ path: 'PG_VERSION', type: 'file', size: 0, mode: 0o600, uid: 0, gid: 0, mtime: 0 });
  await writeFile(archive, Buffer.concat([header, tarEnd(header.length)]));
  const run = (text: string) =>
    runHere(sealStream, { command: { file: '/bin/sh', args: ['-c', text], env: { ARCHIVE: archive } }, target, seal });
  await assert.rejects(run('cat "$ARCHIVE"'), (error) => isOperatorError(error, 'backup-label-missing'));
  await assert.rejects(run('cat "$ARCHIVE" | tr "P" "Q"'), (error) => isOperatorError(error, 'tar-corrupt'));
  await assert.rejects(run('cat "$ARCHIVE"; exit 3'), (error) => isOperatorError(error, 'pg-basebackup-failed'));
  await assert.rejects(run('kill -9 $$'), (error) => isOperatorError(error, 'pg-basebackup-failed') && /SIGKILL/.test(error.message));
  await assert.rejects(stat(target), { code: 'ENOENT' });
  await rm(archive);
});
