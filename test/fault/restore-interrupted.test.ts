import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
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

for (const [signal, code, stderr] of interruptions) {
  test(`a restore that is ended by ${signal} half-way cannot be started on, and another one cleans up`, async () => {
    await using scratch = await makeTemporaryDirectory();
    const { config } = await manyChunks(scratch.path);
    const target = join(scratch.path, 'data');
    const [program, ...args] = commandLine('restore');
    const child = spawn(program, [...args, 'get-basebackup', '--config', config, '--target-dir', target], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let printed = '';
    child.stderr.on('data', (text: Buffer) => (printed += text.toString()));
    const ended = once(child, 'close');
    await waitFor(() => readdirSync(join(target, 'base/1')).length > 5, { withinMs: 30_000, everyMs: 2, what: 'the restore has begun' });
    child.kill(signal);
    const [exitCode] = await ended;
    assert.equal(exitCode, code);
    assert.match(printed, stderr);
    await assertUnstartable(target);

    const again = await runOurs('restore', ['get-basebackup', '--config', config, '--target-dir', target, '--overwrite']);
    assert.equal(again.code, 0, again.stderr);
    await assertComplete(target);
    assert.equal((await readFile(join(target, 'base/1/20059'))).length, 2_000_000);
  });
}

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
