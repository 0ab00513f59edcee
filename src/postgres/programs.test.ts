import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { explain, isOperatorError, type OperatorError } from '../lib/errors.ts';
import { findProgram, type ProgramName, type ProgramSearch } from './programs.ts';

let root: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'pghoard-'));
  await program('16/pg_basebackup', 'pg_basebackup (PostgreSQL) 16.14');
  await program('15/pg_basebackup', 'pg_basebackup (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)');
  await program('13/pg_basebackup', 'pg_basebackup (PostgreSQL) 13.23');
  await program('9.6/pg_receivexlog', 'pg_receivexlog (PostgreSQL) 9.6.24');
  await program('broken/pg_basebackup', 'error while loading shared libraries', 127);
  await program('other/pg_basebackup', 'GNU coreutils 9.1');
  await program('locked/pg_basebackup', 'pg_basebackup (PostgreSQL) 15.18', 0, 0o644);
});

after(() => rm(root, { recursive: true }));

async function program(path: string, says: string, exitCode = 0, mode = 0o755): Promise<void> {
  const file = join(root, path);
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, `#!/bin/sh\necho '${says}'\nexit ${exitCode}\n`);
  await chmod(file, mode);
}

/** With nothing of this machine in the way: no version is wanted that could be installed. */
function find(where: ProgramSearch, name: ProgramName = 'pg_basebackup'): ReturnType<typeof findProgram> {
  return findProgram(name, { binDirectory: join(root, 'empty'), searchPath: '', ...where });
}

async function failure(where: ProgramSearch, code = 'program-missing'): Promise<OperatorError> {
  const error: unknown = await find(where).catch((reason: unknown) => reason);
  assert(isOperatorError(error, code), String(error));
  return error;
}

test('the path of the site, then the one for all, is taken before anything else', async () => {
  const [site, all] = [join(root, '15/pg_basebackup'), join(root, '16/pg_basebackup')];
  assert.deepEqual(await find({ sitePath: site, globalPath: all, binDirectory: join(root, '13') }), { path: site, version: 150_018 });
  assert.deepEqual(await find({ globalPath: all, binDirectory: join(root, '13') }), { path: all, version: 160_014 });
});

test('the bin directory, and the name of old versions', async () => {
  assert.equal((await find({ binDirectory: join(root, '15'), major: '15' })).version, 150_018);
  assert.equal((await find({ binDirectory: join(root, '9.6'), major: '9.6' }, 'pg_receivewal')).path, join(root, '9.6/pg_receivexlog'));
});

test('PATH comes last, and its relative parts not at all', async () => {
  const searchPath = `.:${root}/missing:${root}/13:${root}/15:${root}/16`;
  assert.equal((await find({ searchPath, major: '15' })).path, join(root, '15/pg_basebackup'));
  assert.equal((await find({ searchPath, binDirectory: join(root, '16'), major: '16' })).path, join(root, '16/pg_basebackup'));
});

test('a newer program will do where there is none of the same version, an older one will not', async () => {
  assert.equal((await find({ searchPath: `${root}/13:${root}/16`, major: '14' })).version, 160_014);
  const error = await failure({ searchPath: `${root}/13`, binDirectory: join(root, '16'), major: '99' }, 'program-too-old');
  assert.match(explain(error), /PostgreSQL 99.*13\/pg_basebackup: is of PostgreSQL 13.*hint/s);
});

test('a configured path must work, and be new enough', async () => {
  assert.match((await failure({ sitePath: join(root, '13/pg_basebackup'), major: '15' }, 'program-too-old')).message, /too old/);
  assert.equal((await find({ sitePath: join(root, '16/pg_basebackup'), major: '15' })).version, 160_014);
  for (const [directory, why] of [
    ['missing', /is not there/],
    ['broken', /shared libraries/],
    ['other', /coreutils/],
    ['locked', /may not be run/],
  ] as const) {
    const error = await failure({ sitePath: join(root, directory, 'pg_basebackup'), binDirectory: join(root, '15') });
    assert.match(explain(error), why);
  }
});

test('what does not work is passed over, and named if nothing does', async () => {
  const searchPath = `${root}/broken:${root}/locked:${root}/other`;
  assert.equal((await find({ searchPath: `${searchPath}:${root}/15`, major: '15' })).version, 150_018);
  const error = await failure({ searchPath, major: '99' });
  assert.match(explain(error), /shared libraries/);
  assert.match(explain(error), /may not be run/);
  assert.match(explain(error), new RegExp(`looked in ${root}/empty, `));
});

test('a program that does not answer is given up, also one that has been stopped', async () => {
  const file = join(root, 'hanging/pg_basebackup');
  await program('hanging/pg_basebackup', 'nothing');
  await writeFile(file, '#!/bin/sh\nkill -STOP $$\n');
  const error = await failure({ sitePath: file, answerMsMax: 300 });
  assert.match(explain(error), /cannot use .*hanging\/pg_basebackup as pg_basebackup\n {2}because: has not told its version within 0\.3 s/);
});
