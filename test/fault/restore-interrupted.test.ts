import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../../src/lib/subprocess.ts';
import { commandLine, runOurs } from '../support/commands.ts';
import { assertComplete, assertUnstartable } from '../support/restore-bench.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { clusterMembers, TestBackups, type TestMember } from '../support/test-backups.ts';
import { waitFor } from '../support/wait-for.ts';

/** Enough objects that a restore is in the middle of them for a while. */
const chunks = 60;

async function manyChunks(directory: string): Promise<{ config: string; backups: TestBackups }> {
  const backups = await TestBackups.open(directory);
  await backups.addChunked({ chunks: [clusterMembers('pgdata/'), ...Array.from({ length: chunks }, (_, index) => filler(index))] });
  return { backups, config: await backups.writeConfig() };
}

const interruptions: [signal: NodeJS.Signals, code: number | null, stderr: RegExp][] = [
  ['SIGKILL', null, /^$/],
  ['SIGINT', 1, /\*\*\* interrupted by keyboard \*\*\*/],
];
function filler(index: number): TestMember[] {
  return [{ path: `pgdata/base/1/${20_000 + index}`, content: Buffer.alloc(2_000_000, `filler ${index}`) }];
}

/** Starts a restore and sends it a signal once so many objects of the backup are in place. Returns what it printed. */
async function interrupt(
  args: readonly string[],
  target: string,
  signal: NodeJS.Signals,
  parts: number,
): Promise<{ code: unknown; stderr: string }> {
  const [program, ...first] = commandLine('restore');
  const child = spawn(program, [...first, 'get-basebackup', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const ended = once(child, 'close');
  await waitFor(() => finishedParts(target).length >= parts, { withinMs: 30_000, everyMs: 2, what: `${parts} objects are in place` });
  child.kill(signal);
  const [code] = await ended;
  return { code, stderr };
}

function finishedParts(target: string): string[] {
  const lines = readFileSync(join(target, 'pghoard_restore_journal'), 'utf8').split('\n');
  return lines.flatMap((line) => /^\{"part":"([^"]+)".*\}$/.exec(line)?.[1] ?? []);
}

/** With programs of these names before all others. */
async function withPrograms(directory: string, programs: Readonly<Record<string, string>>): Promise<NodeJS.ProcessEnv> {
  const bin = join(directory, 'bin');
  await mkdir(bin, { recursive: true });
  for (const [name, script] of Object.entries(programs)) await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
}

for (const [signal, code, stderr] of interruptions) {
  test(`a restore that is ended by ${signal} half-way cannot be started on, and the same command fetches only the rest`, async () => {
    await using scratch = await makeTemporaryDirectory();
    const { config, backups } = await manyChunks(scratch.path);
    const target = join(scratch.path, 'data');
    const args = ['--config', config, '--target-dir', target];
    for (const parts of signal === 'SIGKILL' ? [3, 20] : [20]) {
      const ended = await interrupt(args, target, signal, parts);
      assert.equal(ended.code, code);
      assert.match(ended.stderr, stderr);
      await assertUnstartable(target);
    }
    // What is in place is not fetched again: it could not be.
    const finished = finishedParts(target);
    for (const key of finished) if (key.includes('_chunk/')) await backups.store.delete(key);
    assert.ok(finished.length >= 20 && finished.length <= chunks, String(finished.length));

    const again = await runOurs('restore', ['get-basebackup', ...args]);
    assert.equal(again.code, 0, again.stdout + again.stderr);
    assert.match(
      again.stdout,
      new RegExp(`Going on with the restore that was stopped: ${finished.length} of ${chunks + 2} objects are in place`),
    );
    assert.match(again.stdout, new RegExp(`^${chunks + 7} files are in`, 'm'));
    await assertComplete(target);
    for (let index = 0; index < chunks; index++) {
      const content = await readFile(join(target, `base/1/${20_000 + index}`));
      assert.ok(content.equals(filler(index)[0]?.content as Buffer), String(index));
    }
    assert.deepEqual(
      (await readdir(target)).filter((name) => name.startsWith('pghoard')),
      [],
    );
  });
}

test('a restore that reuses a directory and is killed half-way cannot be started on, and goes on', async () => {
  await using scratch = await makeTemporaryDirectory();
  const { config } = await manyChunks(scratch.path);
  const target = join(scratch.path, 'data');
  const args = ['--config', config, '--target-dir', target];
  assert.equal((await runOurs('restore', ['get-basebackup', ...args])).code, 0);
  await writeFile(join(target, 'base/1/20030'), 'changed');
  await writeFile(join(target, 'base/1/99999'), 'extra');
  for (const parts of [0, 10]) {
    assert.equal((await interrupt([...args, '--reuse'], target, 'SIGKILL', parts)).code, null);
    await assertUnstartable(target);
  }
  const again = await runOurs('restore', ['get-basebackup', ...args, '--reuse']);
  assert.equal(again.code, 0, again.stdout + again.stderr);
  await assertComplete(target);
  assert.equal((await readFile(join(target, 'base/1/20030'))).length, 2_000_000);
  assert.equal((await readdir(join(target, 'base/1'))).length, chunks + 1);
  assert.deepEqual(
    (await readdir(target)).filter((name) => name.startsWith('pghoard')),
    [],
  );
});

test('killed or failing while everything is made durable, it cannot be started on; what is written in the end is what was wished for last', async () => {
  await using scratch = await makeTemporaryDirectory();
  const backups = await TestBackups.open(scratch.path);
  const link: TestMember = { path: 'pgdata/logs', type: 'symlink', linkTarget: '/var/log/pg' };
  await backups.addChunked({ chunks: [[...clusterMembers('pgdata/'), link]] });
  const args = ['get-basebackup', '--config', await backups.writeConfig()];
  const target = join(scratch.path, 'data');
  const whole = join(scratch.path, 'whole');
  assert.equal((await runOurs('restore', [...args, '--target-dir', whole, '--restore-to-primary'])).code, 0);

  const killing = await withPrograms(scratch.path, { sync: 'kill -9 $PPID' });
  const named = ['--target-dir', target, '--recovery-target-name', 'before_the_mistake'];
  const killed = await runOurs('restore', [...args, ...named], { env: killing }).catch((error: unknown) => error);
  assert.notEqual((killed as { code?: unknown }).code, 0);
  await assertUnstartable(target);
  assert.match(await readFile(join(target, 'postgresql.auto.conf'), 'utf8'), /before_the_mistake/);

  const failing = await withPrograms(scratch.path, { sync: 'echo "sync: Input/output error" >&2; exit 1' });
  const failed = await runOurs('restore', [...args, ...named], { env: failing });
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /FATAL: file-unwritable: cannot make what was written to \S+ durable: .*Input\/output error/);
  await assertUnstartable(target);

  const again = await runOurs('restore', [...args, '--target-dir', target, '--restore-to-primary']);
  assert.equal(again.code, 0, again.stdout + again.stderr);
  await assertComplete(target);
  assert.match(again.stdout, /logs is a symbolic link/);
  assert.deepEqual((await readdir(target)).toSorted(), (await readdir(whole)).toSorted());
  assert.equal(await readFile(join(target, 'postgresql.auto.conf'), 'utf8'), await readFile(join(whole, 'postgresql.auto.conf'), 'utf8'));
});

test('a newer base backup, or other places, are not mixed with what was stopped', async () => {
  await using scratch = await makeTemporaryDirectory();
  const { config, backups } = await manyChunks(scratch.path);
  const target = join(scratch.path, 'data');
  const args = ['--config', config, '--target-dir', target];
  await interrupt(args, target, 'SIGKILL', 2);
  await backups.addChunked({
    name: '2026-11-23_10-00_0',
    chunks: [clusterMembers('pgdata/')],
    metadata: { 'start-time': '2026-11-23T10:00:00+00:00' },
  });
  const refused = await runOurs('restore', ['get-basebackup', ...args]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /FATAL: restore-journal-foreign: .*it is of the base backup main\/basebackup\/2026-11-22_10-00_0/);
  const both = await runOurs('restore', ['get-basebackup', ...args, '--overwrite', '--reuse']);
  assert.equal(both.code, 2);
  const anew = await runOurs('restore', ['get-basebackup', ...args, '--overwrite']);
  assert.equal(anew.code, 0, anew.stderr);
  await assertComplete(target);
  assert.deepEqual(await readdir(join(target, 'base/1')), ['1259']);
});

test('a disk that fills up half-way is said, and nothing can be started', async () => {
  await using scratch = await makeTemporaryDirectory();
  const backups = await TestBackups.open(scratch.path);
  // The backup says that it is small, so that the check beforehand lets it pass.
  const big: TestMember = { path: 'pgdata/base/1/20000', content: Buffer.alloc(40_000_000, 'filler') };
  await backups.addChunked({ chunks: [clusterMembers('pgdata/'), [big]], metadata: { 'total-size-plain': '1000000' } });
  const config = await backups.writeConfig();
  const mount = join(scratch.path, 'small');
  const command = commandLine('restore').map((word) => `'${word}'`);
  const script = `mkdir ${mount} && mount -t tmpfs -o size=24m tmpfs ${mount} || exit 99
    ${command.join(' ')} get-basebackup --config ${config} --target-dir ${mount}/data
    code=$?
    ls ${mount}/data ${mount}/data/global
    exit $code`;
  const { code, stdout, stderr } = await runProgram('unshare', [...namespaceFlags(), 'sh', '-c', script]);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /FATAL: disk-full: cannot restore from \S+00000002\.pghoard: there is no room left to write \S+\/20000/);
  assert.match(stdout, /^pghoard_restore_incomplete$/m);
  assert.doesNotMatch(stdout, /^pg_control$/m);
});

/** A mount that nobody else sees, and that is gone with its processes. */
function namespaceFlags(): string[] {
  return process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--user', '--map-root-user'];
}
