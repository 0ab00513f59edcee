import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { waitFor } from '../../../test/support/wait-for.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { ReceivewalProcess, receivewalCommand } from './receivewal-process.ts';

/** A shell in the place of pg_receivewal. */
function start(script: string, onLine: (line: string) => void = () => {}): Promise<ReceivewalProcess> {
  return ReceivewalProcess.start({ file: '/bin/sh', args: ['-c', script], env: {} }, onLine);
}

function stateOf({ pid }: ReceivewalProcess): string {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2] as string;
}

test('the command line names directory and slot, and holds no password', () => {
  const node = { host: 'db', user: 'receiver', password: 'secret' };
  const { args, env } = receivewalCommand('pg_receivewal', { node, passwordFile: '/pgpass', directory: '/spool', slot: 'main' });
  const common = ['--status-interval', '1', '--verbose', '--no-password', '--no-loop', '--directory', '/spool', '--dbname'];
  const dbname = "dbname='replication' host='db' user='receiver'";
  assert.deepEqual(args, [...common, dbname, '--slot', 'main']);
  assert.deepEqual(env, { LC_ALL: 'C', PGPASSFILE: '/pgpass' });
  assert.deepEqual(receivewalCommand('x', { node, passwordFile: '/pgpass', directory: '/spool', slot: null }).args, [...common, dbname]);
});

test('its lines are passed on, and its end is explained by the last of them', async () => {
  const lines: string[] = [];
  await using child = await start(
    'echo one >&2; echo \'replication slot "s" does not exist\' >&2; exit 1',
    (line) => void lines.push(line),
  );
  const failure = await child.ended();
  assert.ok(isOperatorError(failure, 'slot-missing'));
  assert.deepEqual(lines, ['one', 'replication slot "s" does not exist']);
});

test('a pause stops it, and disposing ends it in a pause too', async () => {
  const child = await start('while :; do sleep 0.01; done');
  await waitFor(() => 'SR'.includes(stateOf(child)), { withinMs: 30_000, what: 'it runs' });
  child.pause();
  assert.equal(child.isPaused, true);
  await waitFor(() => stateOf(child) === 'T', { withinMs: 30_000, what: 'it is stopped' });
  child.resume();
  assert.equal(child.isPaused, false);
  await waitFor(() => 'SR'.includes(stateOf(child)), { withinMs: 30_000, what: 'it runs again' });
  child.pause();
  await child[Symbol.asyncDispose]();
  assert.match((await child.ended()).message, /SIGTERM/);
});

test('one that does not listen to SIGTERM is killed', async () => {
  const lines: string[] = [];
  const child = await start('trap "" TERM; echo deaf >&2; while :; do sleep 0.01; done', (line) => void lines.push(line));
  await waitFor(() => lines.includes('deaf'), { withinMs: 30_000, what: 'it is deaf' });
  await child[Symbol.asyncDispose]();
  assert.match((await child.ended()).message, /SIGKILL/);
});
