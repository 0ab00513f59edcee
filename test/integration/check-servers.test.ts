import assert from 'node:assert/strict';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import type { CheckDeps } from '../../src/daemon/check/deps.ts';
import type { Finding } from '../../src/daemon/check/finding.ts';
import { checkServers } from '../../src/daemon/check/postgres/check-postgres.ts';
import { lookAtDataDirectory } from '../../src/daemon/check/postgres/local-cluster.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { MadeUpCluster } from '../support/made-up-cluster.ts';
import { TestPostgres } from '../support/postgres.ts';
import { startRawServer } from '../support/raw-server.ts';
import { systemUser } from '../support/system-user.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

let postgres: TestPostgres;
let scratch: TemporaryDirectory;

before(async () => {
  scratch = await makeTemporaryDirectory();
  const hba = ['host all guarded 127.0.0.1/32 scram-sha-256', 'local all guarded peer'];
  postgres = await TestPostgres.start({
    settings: { archive_mode: 'on', archive_command: 'false', password_encryption: 'scram-sha-256' },
    hba,
  });
  await postgres.query('CREATE ROLE weak LOGIN');
  await postgres.query(`CREATE ROLE guarded LOGIN REPLICATION PASSWORD 'right-S3cret' IN ROLE pg_read_all_settings`);
  await writeFile(join(scratch.path, 'pghoard_postgres_command'), '#!/bin/sh\nexit 3\n', { mode: 0o755 });
});

after(async () => {
  await postgres?.[Symbol.asyncDispose]();
  await scratch?.[Symbol.asyncDispose]();
});

interface Changes {
  readonly node?: Readonly<Record<string, unknown>>;
  readonly site?: Readonly<Record<string, unknown>>;
}

/** What the check says of the server, as a site that is set up in this way sees it. */
async function check({ node, site }: Changes = {}): Promise<Finding[]> {
  const file = join(scratch.path, 'pghoard.json');
  const { dataDirectory, bin, port } = postgres;
  const login = { host: '127.0.0.1', port, user: 'postgres', dbname: 'postgres' };
  const main = {
    active_backup_mode: 'archive_command',
    basebackup_mode: 'local-tar',
    nodes: [{ ...login, ...node }],
    pg_data_directory: dataDirectory,
    pg_bin_directory: bin,
    object_storage: { storage_type: 'local', directory: join(scratch.path, 'store') },
    ...site,
  };
  await writeFile(file, JSON.stringify({ backup_location: join(scratch.path, 'spool'), backup_sites: { main } }), { mode: 0o600 });
  const config = await loadConfig(file);
  const { signal } = new AbortController();
  const deps: CheckDeps = {
    config,
    quick: false,
    version: '3',
    postgresCommand: join(scratch.path, 'pghoard_postgres_command'),
    askDaemon: () => Promise.reject(new Error('not asked')),
    env: { ...process.env, HOME: scratch.path },
    clock: systemClock,
    random: systemRandom,
    signal,
  };
  const [checked] = Object.values(config.backup_sites);
  assert.ok(checked);
  const findings: Finding[] = [];
  for await (const section of checkServers(checked, await lookAtDataDirectory(checked, signal), deps)) findings.push(...section.findings);
  return findings;
}

function find(findings: readonly Finding[], id: string): Finding {
  const found = findings.filter((finding) => finding.id === id);
  assert.equal(found.length, 1, `${id} among ${JSON.stringify(findings, undefined, 1)}`);
  return found[0] as Finding;
}

/** Does what is said to mend it: all lines that are SQL. */
async function mend(finding: Finding): Promise<void> {
  for (const line of finding.remedy.filter((each) => each.endsWith(';'))) await postgres.query(line);
}

async function set(name: string, value: string): Promise<void> {
  await postgres.query(`ALTER SYSTEM SET ${name} = '${value}'`);
  await postgres.query('SELECT pg_reload_conf()');
}

test('a role that may do nothing gets what it needs by the statements that are told', async () => {
  const weak: Changes = { node: { user: 'weak' }, site: { active_backup_mode: 'pg_receivexlog' } };
  const ids = ['role-replication', 'role-backup', 'role-settings'];
  const weakly = await check(weak);
  for (const id of ids) {
    assert.equal(find(weakly, id).result, 'failure', id);
    await mend(find(weakly, id));
  }
  const then = await check(weak);
  for (const id of [...ids, 'replication-login', 'data-directory']) assert.equal(find(then, id).result, 'ok', id);
  assert.ok(!then.some(({ id }) => id === 'role-superuser'));
});

test('a wrong password, none, and one in a password file that is open to others', async () => {
  const wrong = find(await check({ node: { user: 'guarded', password: 'wrong-S3cret' } }), 'login');
  assert.deepEqual([wrong.result, wrong.remedy.at(-1)], ['failure', 'chmod 600 ~/.pgpass']);
  const without = find(await check({ node: { user: 'guarded' } }), 'login');
  assert.match(without.because, /asks for a password, and there is none/);
  assert.doesNotMatch(JSON.stringify([wrong, without]), /S3cret/);
  await writeFile(join(scratch.path, '.pgpass'), `127.0.0.1:*:*:guarded:right-S3cret\n`, { mode: 0o644 });
  const ignored = await check({ node: { user: 'guarded' } });
  assert.deepEqual(find(ignored, 'password-file').remedy, [`chmod 600 ${join(scratch.path, '.pgpass')}`]);
  await chmod(join(scratch.path, '.pgpass'), 0o600);
  assert.match(find(await check({ node: { user: 'guarded' } }), 'login').because, /^logged in with a password from the password file/);
});

test('no line in pg_hba.conf: the one that is told lets replication in', async () => {
  const file = join(postgres.dataDirectory, 'pg_hba.conf');
  const lines = await readFile(file, 'utf8');
  const receives: Changes = { node: { user: 'guarded', password: 'right-S3cret' }, site: { active_backup_mode: 'pg_receivexlog' } };
  try {
    await writeFile(file, 'local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n');
    await postgres.query('SELECT pg_reload_conf()');
    const found = find(await check(receives), 'replication-login');
    assert.equal(found.result, 'failure');
    assert.equal(found.remedy[0], `in ${file}, above other lines for the same addresses:`);
    await writeFile(file, `${found.remedy[1]}\n${await readFile(file, 'utf8')}`);
    await mend(found);
    assert.equal(find(await check(receives), 'replication-login').result, 'ok');
    const database = find(await check({ node: { user: 'guarded', password: 'right-S3cret', host: postgres.socketDirectory } }), 'login');
    assert.match(database.remedy[1] ?? '', /^local {3}postgres {2}guarded {2}peer$/);
  } finally {
    await writeFile(file, lines);
    await postgres.query('SELECT pg_reload_conf()');
  }
});

test('archive_command of another site, and none: what is told mends it', async () => {
  await set('archive_command', 'pghoard_postgres_command --mode archive --site other --xlog %f --password told-S3cret');
  const other = find(await check(), 'archive-command');
  assert.equal(other.because, 'archive_command archives for the site other, not for main');
  await set('archive_command', '/bin/sh -c "PASSWORD=told-S3cret /some/script %p"');
  const script = find(await check(), 'archive-command');
  assert.deepEqual([script.result, JSON.stringify(script).includes('S3cret')], ['warning', false]);
  await mend(script);
  assert.equal(find(await check(), 'archive-command').because, 'archive_command hands WAL to the daemon for site main');
  assert.equal(find(await check(), 'archiver').result, 'note');
  await postgres.switchWal();
  const failing = async () => find(await check(), 'archiver').result === 'failure';
  await waitFor(failing, { withinMs: 30_000, what: () => `the server tells that archiving fails:\n${postgres.log()}` });
});

test('a slot that is missing is made by the statement that is told; then nobody uses it', async () => {
  const receives: Changes = { site: { active_backup_mode: 'pg_receivexlog' } };
  const named: Changes = { ...receives, node: { slot: 'mine' } };
  const missing = find(await check(named), 'slot');
  assert.equal(missing.result, 'failure');
  await mend(missing);
  const unused = find(await check(named), 'slot');
  assert.deepEqual([unused.result, unused.remedy], ['warning', ['start pghoard']]);
  assert.match(find(await check(receives), 'slot').because, /^the node has no slot/);
});

test('settings that wait for a restart are told, and wal_level=minimal is a failure after it', async () => {
  for (const [name, value] of [
    ['wal_level', 'minimal'],
    ['max_wal_senders', '0'],
    ['archive_mode', 'off'],
    ['full_page_writes', 'off'],
  ] as const)
    await postgres.query(`ALTER SYSTEM SET ${name} = '${value}'`);
  await postgres.query('SELECT pg_reload_conf()');
  assert.match(find(await check(), 'pending-restart').because, /^changes of .*wal_level.* wait for a restart/);
  await postgres.query(`SELECT pg_drop_replication_slot('mine') FROM pg_replication_slots WHERE slot_name = 'mine'`);
  await postgres.restart();
  const minimal = await check({ site: { basebackup_mode: 'basic' } });
  for (const id of ['wal-level', 'archive-mode', 'wal-senders']) assert.equal(find(minimal, id).result, 'failure', id);
  for (const id of ['wal-level', 'archive-mode', 'wal-senders', 'full-page-writes']) await mend(find(minimal, id));
  await postgres.restart();
  const mended = await check({ site: { basebackup_mode: 'basic' } });
  for (const id of ['wal-level', 'archive-mode', 'wal-senders', 'full-page-writes', 'replication-login'])
    assert.equal(find(mended, id).result, 'ok', id);
});

test('a data directory of another cluster, and one that is not there', async () => {
  const place = join(scratch.path, 'made-up');
  await mkdir(place);
  const { dataDirectory } = await MadeUpCluster.create(place);
  const other = find(await check({ site: { pg_data_directory: dataDirectory } }), 'data-directory');
  assert.match(other.because, /is of another cluster than the server: its system identifier is \d+, not \d+$/);
  assert.deepEqual(other.remedy, [`"pg_data_directory": ${JSON.stringify(postgres.dataDirectory)}`]);
  const missing = find(await check({ site: { pg_data_directory: '/nonexistent' } }), 'data-directory');
  assert.deepEqual([missing.result, missing.remedy], ['failure', [`"pg_data_directory": ${JSON.stringify(postgres.dataDirectory)}`]]);
});

test('tablespaces and programs, as the modes need them', async () => {
  const place = join(scratch.path, 'tablespace');
  await mkdir(place);
  await chown(place, systemUser().uid, systemUser().gid);
  await postgres.query(`CREATE TABLESPACE apart LOCATION '${place}'`);
  const bySql = await check();
  assert.equal(find(bySql, 'tablespace').result, 'ok');
  assert.ok(!bySql.some(({ id }) => id === 'program'));
  const byProgram = await check({ site: { basebackup_mode: 'pipe' } });
  assert.equal(find(byProgram, 'tablespace').result, 'failure');
  assert.equal(find(byProgram, 'program').result, 'ok');
  const without = find(await check({ site: { basebackup_mode: 'pipe', pg_basebackup_path: '/nonexistent/pg_basebackup' } }), 'program');
  assert.equal(without.result, 'failure');
  await postgres.query('DROP TABLESPACE apart');
});

test('a server that is not there, and one that accepts and then says nothing, hold nobody', async () => {
  await using silent = await startRawServer(() => {});
  const hanging = await check({ node: { port: silent.port, connect_timeout: 2, sslmode: 'disable' } });
  const gone = await check({ node: { port: 9, sslmode: 'disable' } });
  for (const findings of [hanging, gone])
    assert.deepEqual(
      findings.map(({ id, result }) => [id, result]),
      [['reachable', 'failure']],
    );
});
