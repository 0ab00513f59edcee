import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { resolveConninfo } from './conninfo.ts';
import { findPassword } from './pgpass.ts';
import { findService } from './service-file.ts';

let home = '';
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'conninfo-'));
});
after(() => rm(home, { recursive: true, force: true }));

const key = { host: 'db', port: '5432', dbname: 'main', user: 'backup' };
const passwordTable: readonly (readonly [name: string, file: string, password: string | undefined])[] = [
  ['a plain line', 'db:5432:main:backup:secret', 'secret'],
  ['wildcards', '*:*:*:*:secret', 'secret'],
  ['the first match wins', 'db:5432:main:backup:first\n*:*:*:*:second', 'first'],
  ['comments and empty lines', '# db:5432:main:backup:no\n\ndb:5432:main:backup:secret\n', 'secret'],
  ['lines of other operating systems', 'db:5432:main:backup:secret\r\n', 'secret'],
  ['escaped colons and backslashes in the password', String.raw`db:5432:main:backup:a\:b\\c`, String.raw`a:b\c`],
  ['colons in the password without escapes', 'db:5432:main:backup:a:b', 'a:b'],
  ['another host', 'other:5432:main:backup:secret', undefined],
  ['another port', 'db:5433:main:backup:secret', undefined],
  ['another database', 'db:5432:other:backup:secret', undefined],
  ['another user', 'db:5432:main:other:secret', undefined],
  ['a star is only a wildcard alone', 'd*:5432:main:backup:secret', undefined],
  ['an escaped star is a star', String.raw`\*:5432:main:backup:secret`, undefined],
  ['too few fields', 'db:5432:main:secret', undefined],
  ['an empty password', 'db:5432:main:backup:', undefined],
  ['nothing', '', undefined],
];

for (const [name, file, password] of passwordTable) {
  test(`password file: ${name}`, () => assert.equal(findPassword(file, key), password));
}

test('password file: an escaped field matches its plain value', () => {
  const odd = { ...key, user: String.raw`a:b\c` };
  assert.equal(findPassword(String.raw`db:5432:main:a\:b\\c:secret`, odd), 'secret');
});

const serviceTable: readonly (readonly [name: string, file: string, info: Record<string, string> | undefined])[] = [
  ['its section', '[other]\nhost=x\n[main]\nhost=db\nport=5433\n[later]\nhost=y\n', { host: 'db', port: '5433' }],
  ['comments, blanks and empty lines', '# c\n  [main]  \n\n  host=db  \n#x=y\n', { host: 'db' }],
  ['the first of repeated keywords', '[main]\nhost=a\nhost=b\n', { host: 'a' }],
  ['values with equals signs', '[main]\npassword=a=b\n', { password: 'a=b' }],
  ['an empty section', '[main]\n', {}],
  ['no such section', '[other]\nhost=x\n', undefined],
  ['nothing', '', undefined],
];

for (const [name, file, info] of serviceTable) {
  test(`service file: ${name}`, () => assert.deepEqual(findService(file, 'main', 'f'), info));
}

const badServices: readonly (readonly [line: string, message: RegExp])[] = [
  ['host', /f, line 2: not of the form keyword=value/],
  ['=x', /not of the form/],
  ['service=other', /cannot name another service/],
  ['ldap://x', /LDAP/],
  ['host =x', /f, line 2: bad service file/],
];

for (const [line, message] of badServices) {
  test(`service file: "${line}" is refused`, () => assert.throws(() => findService(`[main]\n${line}\n`, 'main', 'f'), message));
}

test('what is not given comes from the environment, then from the defaults', async () => {
  const info = await resolveConninfo({ host: 'db' }, { HOME: home, PGHOST: 'no', PGUSER: 'envuser', PGSSLMODE: 'require', PGPORT: '' });
  assert.deepEqual(info, { host: 'db', user: 'envuser', sslmode: 'require', port: '5432', dbname: 'envuser' });
});

test('without anything it is the socket of the local server and the own user', async () => {
  const info = await resolveConninfo({}, { HOME: home });
  const { username } = userInfo();
  assert.match(info.host ?? '', /^(\/var\/run\/postgresql|\/tmp)$/);
  assert.deepEqual([info.port, info.user, info.dbname], ['5432', username, username]);
});

test('a service fills in what is not given, before the environment does', async () => {
  await writeFile(join(home, '.pg_service.conf'), '[main]\nhost=fromservice\nuser=fromservice\n');
  const info = await resolveConninfo({ service: 'main', user: 'given' }, { HOME: home, PGHOST: 'fromenv', PGDATABASE: 'fromenv' });
  assert.deepEqual(info, { host: 'fromservice', user: 'given', dbname: 'fromenv', port: '5432' });
});

test('services are found through PGSERVICE, PGSERVICEFILE and PGSYSCONFDIR', async () => {
  const system = join(home, 'system');
  await mkdir(system);
  await writeFile(join(system, 'pg_service.conf'), '[system]\nhost=system\n');
  await writeFile(join(home, 'services'), '[own]\nhost=own\n');
  const env = { HOME: home, PGSERVICEFILE: join(home, 'services'), PGSYSCONFDIR: system };
  assert.equal((await resolveConninfo({}, { ...env, PGSERVICE: 'own' })).host, 'own');
  assert.equal((await resolveConninfo({}, { ...env, PGSERVICE: 'system' })).host, 'system');
  await assert.rejects(resolveConninfo({ service: 'none' }, env), /definition of service "none" not found/);
  await assert.rejects(
    resolveConninfo({ service: 'own' }, { HOME: home, PGSERVICEFILE: join(home, 'missing') }),
    /cannot read service file/,
  );
});

test('the password comes from the password file, unless it is given or in the environment', async () => {
  const passfile = join(home, 'passwords');
  await writeFile(passfile, 'db:5432:main:u:fromfile\nlocalhost:*:*:*:fromsocket\n*:*:replication:*:forreplication\n', { mode: 0o600 });
  const env = { HOME: home, PGPASSFILE: passfile };
  const given = { host: 'db', dbname: 'main', user: 'u' };
  assert.equal((await resolveConninfo(given, env)).password, 'fromfile');
  assert.equal((await resolveConninfo(given, { HOME: home, PGPASSFILE: join(home, 'missing') })).password, undefined);
  assert.equal((await resolveConninfo({ ...given, passfile }, { HOME: home })).password, 'fromfile');
  assert.equal((await resolveConninfo({ ...given, password: 'given' }, env)).password, 'given');
  assert.equal((await resolveConninfo(given, { ...env, PGPASSWORD: 'fromenv' })).password, 'fromenv');
  assert.equal((await resolveConninfo({ ...given, host: '/tmp' }, env)).password, 'fromsocket');
  assert.equal((await resolveConninfo(given, env, { replication: true })).password, 'forreplication');
  assert.equal((await resolveConninfo({ ...given, replication: 'true' }, env)).password, 'forreplication');
  assert.equal((await resolveConninfo({ ...given, replication: 'database' }, env)).password, 'fromfile');
});

test('with several hosts a password is taken from the file only if it is the same for all', async () => {
  const passfile = join(home, 'several');
  await writeFile(passfile, 'a:*:*:*:one\nb:*:*:*:one\nc:*:*:*:other\n', { mode: 0o600 });
  assert.equal((await resolveConninfo({ host: 'a,b', passfile }, { HOME: home })).password, 'one');
  assert.equal((await resolveConninfo({ host: 'a,c', passfile }, { HOME: home })).password, undefined);
});

test('a password file that others can read is ignored with a note', async () => {
  const passfile = join(home, 'open');
  await writeFile(passfile, '*:*:*:*:secret\n');
  await chmod(passfile, 0o640);
  const notes: string[] = [];
  const onNote = (note: string) => void notes.push(note);
  assert.equal((await resolveConninfo({ host: 'db', passfile }, { HOME: home }, { onNote })).password, undefined);
  assert.equal((await resolveConninfo({ host: 'db', passfile: home }, { HOME: home }, { onNote })).password, undefined);
  assert.equal((await resolveConninfo({ host: 'db', passfile: join(home, 'nothing') }, { HOME: home }, { onNote })).password, undefined);
  assert.deepEqual(notes, [
    `password file ${passfile} is ignored: others than its owner have access to it; its mode should be 0600`,
    `password file ${home} is ignored: it is not a plain file`,
  ]);
});
