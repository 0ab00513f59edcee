import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { PgBasebackup, type PgBasebackupCommand, pgBasebackupCommand } from './pg-basebackup.ts';

const never = new AbortController().signal;
const options = { passwordFile: '/spool/pgpass', pgdata: '-', withWal: false };

/** A shell in the place of pg_basebackup. */
function script(text: string): PgBasebackupCommand {
  return { file: '/bin/sh', args: ['-c', text], env: {} };
}

async function drain(program: PgBasebackup): Promise<string> {
  let text = '';
  for await (const bytes of program.stdout) text += String(bytes);
  return text;
}

test('the command line holds no password; the environment says where it is', () => {
  const node = { host: "it's here", port: '5433', user: 'backup', password: 'secret', dbname: 'postgres' };
  const { args, env } = pgBasebackupCommand('/usr/bin/pg_basebackup', { ...options, node });
  assert.deepEqual(args, [
    '--format=tar',
    '--label=pghoard_base_backup',
    '--verbose',
    '--no-password',
    '--pgdata=-',
    '--wal-method=none',
    '--checkpoint=fast',
    String.raw`--dbname=dbname='replication' host='it\'s here' port='5433' user='backup'`,
  ]);
  assert.deepEqual(env, { LC_ALL: 'C', PGPASSFILE: '/spool/pgpass' });
});

test('without a password of its own the environment and password files decide', () => {
  const { env } = pgBasebackupCommand('pg_basebackup', { ...options, node: { host: 'h' } });
  assert.equal('PGPASSFILE' in env, false);
});

test('WAL is fetched where the backup is to stand alone; a directory gets no sync, nor checksums in the manifest', () => {
  const { args } = pgBasebackupCommand('pg_basebackup', { ...options, node: {}, pgdata: '/spool/x', withWal: true });
  for (const arg of ['--wal-method=fetch', '--manifest-checksums=NONE', '--no-sync', '--pgdata=/spool/x'])
    assert.ok(args.includes(arg), arg);
});

test('secrets that cannot be hidden are refused without being repeated', () => {
  const node = { host: 'h', sslpassword: 'hidden' };
  assert.throws(
    () => pgBasebackupCommand('pg_basebackup', { ...options, node }),
    (error) => isOperatorError(error, 'conninfo-unsupported') && !error.message.includes('hidden'),
  );
});

test('success is exit code 0, also when it comes some time after the end of the output', async () => {
  await using program = new PgBasebackup(script('echo tar; exec >&-; sleep 0.2'), never, () => {});
  assert.equal(await drain(program), 'tar\n');
  await program.succeeded();
});

test('a failure quotes the end of what the program said', async () => {
  const text = 'for i in $(seq 5000); do echo noise >&2; done; echo "pg_basebackup: error: could not connect" >&2; exit 1';
  await using program = new PgBasebackup(script(text), never, () => {});
  await drain(program);
  await assert.rejects(program.succeeded(), (error) => {
    assert.ok(isOperatorError(error, 'pg-basebackup-failed'));
    assert.match(String(error.cause), /could not connect$/);
    assert.ok(String(error.cause).length < 10_000);
    return error.retryable;
  });
});

test('tablespaces that cannot be streamed lead to the mode that can store them', async () => {
  await using program = new PgBasebackup(
    script('echo "pg_basebackup: error: can only write single tablespace to stdout, database has 2" >&2; exit 1'),
    never,
    () => {},
  );
  await drain(program);
  await assert.rejects(program.succeeded(), (error) => isOperatorError(error) && /local-tar/.test(error.hint ?? ''));
});

test('warnings are passed on line by line', async () => {
  const warnings: string[] = [];
  const text = 'printf "NOTICE: x\\nWARNING:  still wai" >&2; sleep 0.1; printf "ting\\n" >&2';
  await using program = new PgBasebackup(script(text), never, (line) => void warnings.push(line));
  await drain(program);
  await program.succeeded();
  assert.deepEqual(warnings, ['WARNING:  still waiting']);
});

test('an abort ends the program, and is the reason given', async () => {
  const stop = new AbortController();
  await using program = new PgBasebackup(script('echo begun; exec sleep 600'), stop.signal, () => {});
  await new Promise((resolve) => program.stdout.once('data', resolve));
  stop.abort(new Error('called off'));
  await drain(program);
  await assert.rejects(program.succeeded(), { message: 'called off' });
});

test('a program that is not there is named', async () => {
  await using program = new PgBasebackup({ file: '/nowhere/pg_basebackup', args: [], env: {} }, never, () => {});
  await assert.rejects(program.succeeded(), (error) => isOperatorError(error, 'program-missing') && /nowhere/.test(error.message));
});
