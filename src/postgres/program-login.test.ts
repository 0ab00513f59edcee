import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { isOperatorError } from '../lib/errors.ts';
import { findPassword } from './pgpass.ts';
import { lendPassword, programLogin } from './program-login.ts';

test('a password is neither on the command line nor in the environment, and comes before other password files', () => {
  const login = programLogin('pg_basebackup', { host: 'h', password: 'secret', passfile: '/other' }, '/spool/pgpass');
  assert.deepEqual(login, { dbname: "dbname='replication' host='h'", env: { LC_ALL: 'C', PGPASSFILE: '/spool/pgpass' } });
});

test('without a password the environment and password files decide', () => {
  const login = programLogin('pg_basebackup', { host: 'h', passfile: '/other' }, '/spool/pgpass');
  assert.deepEqual(login, { dbname: "dbname='replication' host='h' passfile='/other'", env: { LC_ALL: 'C' } });
});

test('a lent password is read by libpq as it is meant, by nobody else, and is gone afterwards', async () => {
  await using scratch = await makeTemporaryDirectory();
  const file = join(scratch.path, 'pgpass');
  for (const password of ['plain', String.raw`co:lon\back:\\`, ' blank ', '#', 'ünï']) {
    await using _lent = await lendPassword({ password }, file);
    const key = { host: 'h', port: '5432', dbname: 'replication', user: 'u' };
    assert.equal(findPassword(await readFile(file, 'utf8'), key), password);
    assert.equal(statSync(file).mode & 0o777, 0o600);
  }
  assert.equal(existsSync(file), false);
  await using _nothing = await lendPassword({ host: 'h' }, file);
  assert.equal(existsSync(file), false);
});

test('a password that no file can hold is refused without being repeated', async () => {
  await assert.rejects(
    lendPassword({ password: 'two\nlines' }, '/nonexistent/pgpass'),
    (error) => isOperatorError(error, 'conninfo-unsupported') && !error.message.includes('two'),
  );
});
