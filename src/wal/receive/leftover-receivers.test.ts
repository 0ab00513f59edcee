import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { waitFor } from '../../../test/support/wait-for.ts';
import { systemClock } from '../../lib/clock.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { endLeftoverReceivers, receiverMark } from './leftover-receivers.ts';

const never = new AbortController().signal;
const directory = `/spool/of/test-${process.pid}`;
const children: ChildProcess[] = [];
after(() => children.forEach((child) => child.kill('SIGKILL')));

/** A process that looks like a receiver. */
async function pretend(into: string, env: Record<string, string>): Promise<ChildProcess> {
  const args = ['-e', 'setInterval(() => {}, 1000)', '--', '--verbose', '--directory', into, '--dbname', 'x'];
  const child = spawn(process.execPath, args, { argv0: '/usr/bin/pg_receivewal', env: { ...env }, stdio: 'ignore' });
  children.push(child);
  const isThere = async () => (await readFile(`/proc/${child.pid}/cmdline`, 'utf8')).includes(into);
  await waitFor(isThere, { withinMs: 30_000, what: 'the process shows its command line' });
  return child;
}

const refused = (error: unknown) => isOperatorError(error, 'receiver-running') && error.retryable;

test('a receiver whose daemon is gone is ended, one into another directory is not', async () => {
  const [other, leftover] = [await pretend(`${directory}/other`, {}), await pretend(directory, { PGHOARD_RECEIVER_OF: '1' })];
  leftover.kill('SIGSTOP');
  const exit = once(leftover, 'exit');
  assert.deepEqual(await endLeftoverReceivers(directory, systemClock, never), [leftover.pid]);
  assert.equal((await exit)[1], 'SIGKILL');
  assert.equal(other.exitCode ?? other.signalCode, null);
  assert.deepEqual(await endLeftoverReceivers(directory, systemClock, never), []);
});

test('a receiver whose daemon lives, or that is not ours, is left alone and reported', async () => {
  for (const env of [receiverMark(), {}]) {
    const child = await pretend(directory, env);
    await assert.rejects(endLeftoverReceivers(directory, systemClock, never), refused);
    assert.equal(child.signalCode, null);
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }
});
