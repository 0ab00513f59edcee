import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding } from '../finding.ts';
import { judgeArchiver, judgeArchiving, judgeForeignArchiving, judgeReadyWal } from './judge-archiving.ts';
import { judgeDataDirectory, judgeIdentity } from './judge-cluster.ts';
import { hbaRemedy, judgeLogin } from './judge-login.ts';
import { judgeReceiving, judgeSenders } from './judge-receiving.ts';
import { judgeRole, judgeVersion } from './judge-role.ts';
import { judgeSettings } from './judge-settings.ts';
import type { Needs } from './needs.ts';
import type { ServerFacts, SlotFacts } from './server-facts.ts';

const now = new Date('2026-11-30T12:00:00Z');

const right: ServerFacts = {
  version: 150_018,
  role: {
    name: 'pghoard',
    isSuperuser: false,
    mayReplicate: true,
    mayReadSettings: true,
    mayBackUp: true,
    method: undefined,
    address: '127.0.0.1',
  },
  settings: new Map([
    ['wal_level', 'replica'],
    ['full_page_writes', 'on'],
    ['data_checksums', 'on'],
    ['data_directory', '/data'],
    ['archive_mode', 'on'],
    ['archive_command', 'pghoard_postgres_command --mode archive --site main --xlog %f'],
    ['archive_timeout', '60'],
    ['max_wal_senders', '10'],
    ['max_slot_wal_keep_size', '102400'],
    ['wal_keep_size', '0'],
    ['synchronous_standby_names', ''],
    ['synchronous_commit', 'on'],
  ]),
  pendingRestart: [],
  isStandby: false,
  archiver: { archived: 3, lastArchived: 'A', lastArchivedAt: now, lastFailed: undefined, lastFailedAt: undefined },
  slots: [{ name: 'pghoard', type: 'physical', isActive: true, walStatus: 'reserved', heldBytes: 0 }],
  senders: 1,
  systemIdentifier: 7n,
  databaseBytes: 1,
  tablespaces: [],
  clock: { aheadMs: 0, roundTripMs: 1 },
};

const needs: Needs = {
  site: 'main',
  archiveCommand: true,
  receiving: undefined,
  backupBySql: true,
  pgBasebackup: false,
  backupByReplication: false,
  dataDirectory: true,
  walDurability: 'local',
};
const receives: Needs = { ...needs, archiveCommand: false, receiving: 'pg_receivexlog' };
const wanted = { site: 'main', host: '127.0.0.1', port: 16_000, command: 'COMMAND', wantsCredentials: false };
const slot: SlotFacts = { name: 'pghoard', type: 'physical', isActive: true, walStatus: 'reserved', heldBytes: 0 };

function withSettings(changes: Record<string, string>): ServerFacts {
  return { ...right, settings: new Map([...right.settings, ...Object.entries(changes)]) };
}

function withRole(changes: Partial<ServerFacts['role']>): ServerFacts {
  return { ...right, role: { ...right.role, ...changes } };
}

/** `id result`, of what is not ok, with the first line of what mends it. */
function complaints(findings: readonly Finding[]): string[] {
  return findings.filter(({ result }) => result !== 'ok').map(({ id, result, remedy }) => `${id} ${result}: ${remedy[0] ?? ''}`);
}

test('a server on which all is right gets no complaint', () => {
  assert.deepEqual(
    complaints([judgeVersion(right.version), ...judgeRole(right, needs), ...judgeSettings(right), ...judgeArchiving(right, wanted, now)]),
    [],
  );
  assert.deepEqual(
    complaints([judgeSenders(right, 'pghoard'), ...judgeReceiving(right, { needs: receives, slot: 'pghoard', applicationName: 'x' })]),
    [],
  );
});

for (const [version, result] of [
  [90_605, 'failure'],
  [120_020, 'failure'],
  [130_000, 'ok'],
  [180_004, 'ok'],
  [190_000, 'warning'],
] as const) {
  test(`version ${version}: ${result}`, () => assert.equal(judgeVersion(version).result, result));
}

const roles: readonly [name: string, facts: ServerFacts, needs: Needs, expected: string[]][] = [
  [
    'no REPLICATION where WAL is received',
    withRole({ mayReplicate: false, name: 'Odd "one"' }),
    receives,
    ['role-replication failure: ALTER ROLE "Odd ""one""" REPLICATION;'],
  ],
  [
    'no REPLICATION where it would only help',
    withRole({ mayReplicate: false }),
    needs,
    ['role-replication note: ALTER ROLE pghoard REPLICATION;'],
  ],
  [
    'no EXECUTE',
    withRole({ mayBackUp: false }),
    needs,
    [
      'role-backup failure: GRANT EXECUTE ON FUNCTION pg_catalog.pg_backup_start(text, boolean), pg_catalog.pg_backup_stop(boolean) TO pghoard;',
    ],
  ],
  [
    'no EXECUTE before 15',
    { ...withRole({ mayBackUp: false }), version: 140_001 },
    needs,
    [
      'role-backup failure: GRANT EXECUTE ON FUNCTION pg_catalog.pg_start_backup(text, boolean, boolean), pg_catalog.pg_stop_backup(boolean, boolean) TO pghoard;',
    ],
  ],
  [
    'EXECUTE is not needed for pg_basebackup',
    withRole({ mayBackUp: false }),
    { ...needs, backupBySql: false, pgBasebackup: true, backupByReplication: true },
    [],
  ],
  [
    'settings that cannot be read',
    { ...withRole({ mayReadSettings: false }), settings: new Map() },
    needs,
    ['role-settings failure: GRANT pg_read_all_settings TO pghoard;'],
  ],
  ['a superuser', withRole({ isSuperuser: true }), needs, ['role-superuser note: CREATE ROLE pghoard LOGIN REPLICATION;']],
];

for (const [name, facts, need, expected] of roles)
  test(`role: ${name}`, () => assert.deepEqual(complaints(judgeRole(facts, need)), expected));

const settings: readonly [name: string, facts: ServerFacts, expected: string[]][] = [
  ['wal_level minimal', withSettings({ wal_level: 'minimal' }), [`wal-level failure: ALTER SYSTEM SET wal_level = 'replica';`]],
  [
    'full_page_writes off',
    withSettings({ full_page_writes: 'off' }),
    [`full-page-writes warning: ALTER SYSTEM SET full_page_writes = 'on';`],
  ],
  [
    'full_page_writes off on a standby',
    { ...withSettings({ full_page_writes: 'off' }), isStandby: true },
    [`full-page-writes failure: ALTER SYSTEM SET full_page_writes = 'on';`, 'standby note: '],
  ],
  ['no checksums', withSettings({ data_checksums: 'off' }), ['data-checksums warning: while the server is stopped:']],
  ['changes that wait', { ...right, pendingRestart: ['archive_mode'] }, ['pending-restart warning: restart the server']],
  ['a clock that is ahead', { ...right, clock: { aheadMs: 60_000, roundTripMs: 5 } }, ['clock warning: timedatectl set-ntp true']],
  ['a clock that was slow to ask', { ...right, clock: { aheadMs: -12_000, roundTripMs: 5_000 } }, []],
];

for (const [name, facts, expected] of settings)
  test(`settings: ${name}`, () => assert.deepEqual(complaints(judgeSettings(facts)), expected));

const mend = `archive-command failure: ALTER SYSTEM SET archive_command = 'COMMAND';`;
const command = (text: string) => withSettings({ archive_command: text });
const archiving: readonly [name: string, facts: ServerFacts, expected: string[]][] = [
  ['archive_mode off', withSettings({ archive_mode: 'off' }), [`archive-mode failure: ALTER SYSTEM SET archive_mode = 'on';`]],
  ['archive_mode on, on a standby', { ...right, isStandby: true }, ['archive-mode note: ']],
  ['an empty command', command(''), [mend]],
  ['true', command('/bin/true'), [mend]],
  ['another site', command('pghoard_postgres_command --mode archive --site other --xlog %f'), [mend]],
  ['another site by curl', command('curl -X PUT http://localhost:16000/other/archive/%f'), [mend]],
  ['another port', command('pghoard_postgres_command --mode archive --site main --xlog %f --port 1'), [mend]],
  ['no file', command('pghoard_postgres_command --mode archive --site main'), [mend]],
  ['the wrong mode', command('pghoard_postgres_command --mode restore --site main --xlog %f'), [mend]],
  ['something unknown', command('cp %p /x/%f'), [`archive-command warning: ALTER SYSTEM SET archive_command = 'COMMAND';`]],
  ['a library', withSettings({ archive_library: 'basic_archive' }), [`archive-command failure: ALTER SYSTEM SET archive_library = '';`]],
  ['archive_timeout 0', withSettings({ archive_timeout: '0' }), [`archive-timeout note: ALTER SYSTEM SET archive_timeout = '60s';`]],
];

for (const [name, facts, expected] of archiving)
  test(`archiving: ${name}`, () => assert.deepEqual(complaints(judgeArchiving(facts, wanted, now)), expected));

test('archiving: a daemon that listens at one address only is to be asked there', () => {
  const at = { ...wanted, host: '10.0.0.5' };
  assert.deepEqual(complaints(judgeArchiving(right, at, now)), [mend]);
  const there = command('pghoard_postgres_command --mode archive --site main --host 10.0.0.5 --xlog %f');
  assert.deepEqual(complaints(judgeArchiving(there, at, now)), []);
  assert.deepEqual(complaints(judgeArchiving(there, wanted, now)), []);
});

test('archiving: a daemon that wants credentials which the command does not show', () => {
  const findings = judgeArchiving(right, { ...wanted, wantsCredentials: true }, now);
  assert.deepEqual(complaints(findings), [
    'archive-credentials note: PGHOARD_USERNAME and PGHOARD_PASSWORD in the environment of the server',
  ]);
});

test('archiving: tells since when it fails', () => {
  const hourAgo = new Date('2026-11-30T11:00:00Z');
  const failing = { archived: 9, lastArchived: 'A', lastArchivedAt: hourAgo, lastFailed: 'B', lastFailedAt: now };
  const found = judgeArchiver(failing, now);
  assert.equal(found.result, 'failure');
  assert.equal(
    found.because,
    'archiving fails: B was refused 0 s ago (2026-11-30T12:00:00Z), nothing was archived since 60 min ago (2026-11-30T11:00:00Z)',
  );
  assert.equal(judgeArchiver({ ...failing, lastFailedAt: new Date('2026-11-30T10:00:00Z') }, now).result, 'ok');
  assert.equal(judgeArchiver({ ...failing, lastArchivedAt: undefined }, now).result, 'failure');
  assert.equal(judgeArchiver({ ...failing, lastArchivedAt: undefined, lastFailedAt: undefined }, now).result, 'note');
});

test('archiving: WAL that waits is a failure once it has waited for minutes', () => {
  assert.equal(judgeReadyWal({ files: 0, oldest: undefined }, now).result, 'ok');
  assert.equal(judgeReadyWal({ files: 2, oldest: new Date('2026-11-30T11:57:00Z') }, now).result, 'ok');
  assert.equal(judgeReadyWal({ files: 2, oldest: new Date('2026-11-30T11:50:00Z') }, now).result, 'failure');
});

test('archive_command beside a receiver is told only where it sends the WAL to the same site', () => {
  assert.deepEqual(complaints(judgeForeignArchiving(right.settings, 'main')), [
    `archive-command note: ALTER SYSTEM SET archive_command = '';`,
  ]);
  assert.deepEqual(judgeForeignArchiving(right.settings, 'other'), []);
  assert.deepEqual(judgeForeignArchiving(command('cp %p /x').settings, 'main'), []);
});

const createSlot = (name: string) => `SELECT pg_create_physical_replication_slot('${name}', true);`;
const receiving: readonly [name: string, facts: ServerFacts, changes: { needs?: Needs; slot?: string | null }, expected: string[]][] = [
  [
    'no slot',
    right,
    { slot: null },
    [`slot warning: ${createSlot('pghoard')}`, `wal-limits warning: ALTER SYSTEM SET wal_keep_size = '10GB';`],
  ],
  ['no slot, but WAL is kept', withSettings({ wal_keep_size: '10240' }), { slot: null }, [`slot warning: ${createSlot('pghoard')}`]],
  ['a slot that is missing', right, { slot: "o'ther" }, [`slot failure: ${createSlot("o''ther")}`]],
  ['a slot that a walreceiver will make', right, { slot: 'other', needs: { ...receives, receiving: 'walreceiver' } }, []],
  ['a logical slot', { ...right, slots: [{ ...slot, type: 'logical' }] }, {}, ['slot failure: choose another name for "slot"']],
  ['a slot that is not used', { ...right, slots: [{ ...slot, isActive: false }] }, {}, ['slot warning: start pghoard']],
  [
    'a slot that is lost',
    { ...right, slots: [{ ...slot, walStatus: 'lost' }] },
    {},
    ['slot failure: nothing where the daemon runs: it makes the slot anew and takes a base backup; else:'],
  ],
  [
    'a slot that will be',
    { ...right, slots: [{ ...slot, walStatus: 'unreserved' }] },
    {},
    ['slot failure: start pghoard at once, or raise max_slot_wal_keep_size'],
  ],
  [
    'a slot that lags',
    { ...right, slots: [{ ...slot, heldBytes: 2 ** 36 }] },
    {},
    ['slot warning: look into the log of pghoard: is the store slow, or the disk full?'],
  ],
  ['archive_timeout 0', withSettings({ archive_timeout: '0' }), {}, [`archive-timeout note: ALTER SYSTEM SET archive_timeout = '60s';`]],
  [
    'archive_timeout 0 where the store gets all at once',
    withSettings({ archive_timeout: '0', synchronous_standby_names: 'us' }),
    { needs: { ...receives, receiving: 'walreceiver', walDurability: 'store' } },
    [],
  ],
  ['no limit', withSettings({ max_slot_wal_keep_size: '-1' }), {}, [`wal-limits note: ALTER SYSTEM SET max_slot_wal_keep_size = '100GB';`]],
  [
    'a small limit',
    withSettings({ max_slot_wal_keep_size: '64' }),
    {},
    [`wal-limits warning: ALTER SYSTEM SET max_slot_wal_keep_size = '100GB';`],
  ],
  [
    'commits that wait for pg_receivewal',
    withSettings({ synchronous_standby_names: 'ANY 1 (US, b)' }),
    {},
    ['synchronous failure: active_backup_mode: "walreceiver"'],
  ],
  [
    'commits that wait for an apply',
    withSettings({ synchronous_standby_names: '"us"', synchronous_commit: 'remote_apply' }),
    { needs: { ...receives, receiving: 'walreceiver' } },
    [`synchronous failure: ALTER SYSTEM SET synchronous_commit = 'on';`],
  ],
  [
    'wal_durability store for nobody',
    withSettings({ synchronous_standby_names: 'b' }),
    { needs: { ...receives, receiving: 'walreceiver', walDurability: 'store' } },
    [`synchronous note: ALTER SYSTEM SET synchronous_standby_names = 'us';`],
  ],
];

for (const [name, facts, changes, expected] of receiving) {
  test(`receiving: ${name}`, () => {
    const request = { needs: receives, slot: 'pghoard', ...changes, applicationName: 'us' };
    assert.deepEqual(complaints(judgeReceiving(facts, request)), expected);
  });
}

test('senders: none allowed, none left, all taken but one of them ours', () => {
  assert.deepEqual(complaints([judgeSenders(withSettings({ max_wal_senders: '0' }), null)]), [
    `wal-senders failure: ALTER SYSTEM SET max_wal_senders = '10';`,
  ]);
  assert.deepEqual(complaints([judgeSenders({ ...right, senders: 10 }, null)]), [
    `wal-senders failure: ALTER SYSTEM SET max_wal_senders = '15';`,
  ]);
  assert.deepEqual(complaints([judgeSenders({ ...right, senders: 10 }, 'pghoard')]), []);
});

test('the line of pg_hba.conf fits the way the connection came', () => {
  const request = { user: 'pghoard', database: 'replication', hbaFile: '/etc/pg_hba.conf' };
  assert.equal(hbaRemedy({ ...request, address: null })[1], 'local   replication  pghoard  peer');
  assert.equal(hbaRemedy({ ...request, address: '10.0.0.7' })[1], 'host    replication  pghoard  10.0.0.7/32  scram-sha-256');
  assert.equal(hbaRemedy({ ...request, address: '::1', user: 'a b' })[1], 'host    replication  "a b"  ::1/128  scram-sha-256');
});

test('a password in the configuration, and a password file that is open to others', () => {
  const login = { user: 'u', database: 'd', passwordFrom: 'configuration', notes: [], method: 'scram-sha-256' } as const;
  assert.deepEqual(complaints(judgeLogin(login)), ['login note: put it into ~/.pgpass, mode 0600, and remove it from "nodes"']);
  const notes = ['password file /home/u/.pgpass is ignored: others than its owner have access to it; its mode should be 0600'];
  assert.deepEqual(complaints(judgeLogin({ ...login, passwordFrom: undefined, notes })), [
    'password-file warning: chmod 600 /home/u/.pgpass',
  ]);
});

test('the data directory: not set, unreadable, of another cluster, right', () => {
  const server = { systemIdentifier: 7n, segmentBytes: 1 };
  assert.deepEqual(complaints(judgeDataDirectory(undefined, server, '/data', needs)), [
    'data-directory failure: "pg_data_directory": "/data"',
  ]);
  assert.deepEqual(complaints(judgeDataDirectory({ directory: '/x', why: 'cannot read' }, server, '/data', needs)), [
    'data-directory failure: "pg_data_directory": "/data"',
  ]);
  const other = { directory: '/x', cluster: { systemIdentifier: 8n, segmentBytes: 1 } };
  assert.deepEqual(complaints(judgeDataDirectory(other, server, undefined, needs)), [
    'data-directory failure: SHOW data_directory; tells the right one',
  ]);
  assert.deepEqual(complaints(judgeDataDirectory({ directory: '/x', cluster: server }, server, '/y', needs)), []);
  assert.deepEqual(complaints(judgeDataDirectory(undefined, server, '/data', { dataDirectory: false })), []);
});

test('the identity of the site: none yet, another one, the same', () => {
  const stored = { systemIdentifier: 7n, segmentBytes: 1 };
  const seen = (systemIdentifier: bigint) => [{ what: 'the server at x', cluster: { systemIdentifier } }];
  assert.equal(judgeIdentity(undefined, seen(7n))[0]?.result, 'note');
  assert.equal(judgeIdentity(stored, seen(7n))[0]?.result, 'ok');
  const [found] = judgeIdentity(stored, seen(8n));
  assert.deepEqual([found?.result, found?.about], ['failure', 'the server at x']);
});
