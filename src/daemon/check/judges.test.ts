import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeyPair } from '../../codec/keys.ts';
import { inUnits } from '../../lib/bytes-in-words.ts';
import { inWords } from '../../lib/errors.ts';
import { judgeLoading, judgeRunningUser, judgeSecretFile } from './configuration.ts';
import { judgeReply, judgeState } from './daemon-state.ts';
import { judgeDirectory } from './directories.ts';
import { judgeBacklog, judgeRoom, judgeStoreDisk, judgeWalDisk, roomNeeded } from './disk.ts';
import { mayAccess } from './file-access.ts';
import { type Finding, worstOf } from './finding.ts';
import { checkKeys, judgeKeysOfBackups } from './keys.ts';

const now = new Date('2026-11-30T12:00:00Z');
const gib = 1024 ** 3;

/** `id result: first line of what mends it` */
function shown(finding: Finding): string {
  return `${finding.id} ${finding.result}: ${finding.remedy[0] ?? ''}`;
}

test('the worst of several results', () => {
  assert.equal(worstOf([]), 'ok');
  assert.equal(worstOf([{ result: 'ok' }, { result: 'note' }]), 'note');
  assert.equal(worstOf([{ result: 'failure' }, { result: 'warning' }, { result: 'ok' }]), 'failure');
});

test('an error in words has each cause once', () => {
  const cause = new Error('connect ECONNREFUSED');
  assert.equal(inWords(new Error('cannot reach it', { cause })), 'cannot reach it: connect ECONNREFUSED');
  assert.equal(inWords(new Error('cannot reach it: connect ECONNREFUSED', { cause })), 'cannot reach it: connect ECONNREFUSED');
});

test('sizes in words', () => {
  assert.deepEqual([0, 1023, 1024, 1536, 100 * 1024 ** 2, 2.5 * gib].map(inUnits), [
    '0 bytes',
    '1023 bytes',
    '1 KiB',
    '1.5 KiB',
    '100 MiB',
    '2.5 GiB',
  ]);
});

for (const [mode, uid, gids, access, may] of [
  [0o700, 5, [5], 'write', true],
  [0o700, 6, [5], 'write', false],
  [0o050, 6, [5], 'execute', true],
  [0o070, 5, [5], 'write', false],
  [0o007, 6, [6], 'write', true],
  [0o000, 0, [], 'write', true],
  [0o644, 0, [], 'execute', false],
  [0o744, 0, [], 'execute', true],
] as const) {
  test(`mode ${mode.toString(8)} of 5:5 for user ${uid} with groups ${gids.join()}: ${access} ${may}`, () => {
    assert.equal(mayAccess({ uid, gids }, { uid: 5, gid: 5, mode }, access), may);
  });
}

test('configuration: problems are failures, what the loader warns of is a warning', () => {
  const config = { file: '/etc/x.json', warnings: ['syslog has no effect'], backup_sites: {} };
  const problem = { path: 'backup_location', message: 'is missing', position: undefined };
  assert.deepEqual(
    judgeLoading(config, [problem]).map(({ result, because }) => [result, because]),
    [
      ['failure', 'backup_location: is missing'],
      ['warning', 'syslog has no effect'],
    ],
  );
  assert.equal(judgeLoading({ ...config, warnings: [] }, [])[0]?.result, 'ok');
});

for (const [mode, secrets, expected] of [
  [0o600, ['a private key'], 'secrets ok: '],
  [0o640, ['a private key'], 'secrets warning: chmod 600 /x'],
  [0o644, ['a private key'], 'secrets failure: chmod 600 /x'],
  [0o644, [], 'secrets ok: '],
] as const) {
  test(`a file of mode ${mode.toString(8)} that holds ${secrets.length} secrets: ${expected}`, () =>
    assert.equal(shown(judgeSecretFile({ path: '/x', mode, secrets })), expected));
}

test('who runs it: the owner of the data directory, somebody else, root', () => {
  const owners = [{ uid: 5, name: 'postgres' }];
  const as = 'sudo -u postgres pghoard check --config /x';
  assert.equal(shown(judgeRunningUser({ uid: 5, name: 'postgres', owners }, '/x')), 'user ok: ');
  assert.equal(shown(judgeRunningUser({ uid: 6, name: 'ann', owners }, '/x')), `user warning: ${as}`);
  assert.equal(shown(judgeRunningUser({ uid: 0, name: 'root', owners }, '/x')), `user note: ${as}`);
  assert.equal(shown(judgeRunningUser({ uid: 6, name: 'ann', owners: [] }, '/x')), 'user ok: ');
});

test('directories: writable, not writable, no directory, missing and makable, missing, not to be looked at', () => {
  const modes = { uid: 5, gid: 5, mode: 0o40700, isDirectory: true };
  const directory = { path: '/x', setting: 'backup_location', modes, isWritable: true, canBeMade: false };
  const missing = { ...directory, modes: undefined, isWritable: undefined };
  const rows = [
    directory,
    { ...directory, isWritable: false },
    { ...directory, modes: { ...modes, isDirectory: false } },
    { ...missing, canBeMade: true },
    missing,
    { ...directory, modes: 'cannot be looked at (EACCES)' },
  ];
  assert.deepEqual(
    rows.map((row) => shown(judgeDirectory(row, 'ann'))),
    [
      'directory ok: ',
      'directory failure: chown ann /x',
      'directory failure: install -d -o ann -m 700 /x',
      'directory ok: ',
      'directory failure: install -d -o ann -m 700 /x',
      'directory failure: chown ann /x',
    ],
  );
});

test('disks: how much room a base backup needs depends on its mode, and is never more than the databases', () => {
  const site = { basebackup_mode: 'local-tar', basebackup_chunk_size: gib, basebackup_chunks_in_progress: 5 } as const;
  const facts = { segmentBytes: 16, databaseBytes: 100 * gib };
  assert.equal(roomNeeded(site, facts).basebackupBytes, 5 * gib);
  assert.equal(roomNeeded(site, { ...facts, databaseBytes: gib }).basebackupBytes, gib);
  assert.equal(roomNeeded({ ...site, basebackup_mode: 'basic' }, facts).basebackupBytes, 100 * gib);
  assert.equal(roomNeeded(site, { ...facts, databaseBytes: undefined }).basebackupBytes, undefined);
});

test('disks: full, too small for a base backup, out of inodes, right', () => {
  const disk = { path: '/x', device: 1, freeBytes: 10 * gib, totalBytes: 100 * gib, freeFiles: undefined };
  const needed = { segmentBytes: gib, basebackupBytes: 5 * gib };
  assert.deepEqual(judgeRoom(disk, needed).map(shown), ['room ok: ']);
  assert.deepEqual(judgeRoom({ ...disk, freeBytes: gib }, needed).map(shown), ['room failure: make room: df -h /x']);
  assert.deepEqual(judgeRoom({ ...disk, freeBytes: 4 * gib }, needed).map(shown), [
    'room warning: make room, or lower basebackup_chunk_size or basebackup_chunks_in_progress',
  ]);
  assert.deepEqual(judgeRoom({ ...disk, freeFiles: 3 }, needed).map(shown), ['room ok: ', 'inodes failure: df -i /x']);
  assert.deepEqual(
    [50, 8, 2].map((free) => judgeWalDisk({ ...disk, freeBytes: free * gib }).result),
    ['ok', 'warning', 'failure'],
  );
  assert.deepEqual(
    [50, 8].map((free) => judgeStoreDisk({ ...disk, freeBytes: free * gib }).result),
    ['ok', 'warning'],
  );
});

test('disks: what waits for its upload is worth a warning once it is old', () => {
  assert.equal(judgeBacklog({ files: 0, bytes: 0, oldest: undefined }, now).result, 'ok');
  assert.equal(judgeBacklog({ files: 1, bytes: 5, oldest: new Date('2026-11-30T11:59:00Z') }, now).result, 'ok');
  const old = judgeBacklog({ files: 2, bytes: 2048, oldest: new Date('2026-11-30T11:00:00Z') }, now);
  assert.deepEqual(
    [old.result, old.because],
    ['warning', '2 files (2 KiB) wait for their upload, the oldest from 60 min ago (2026-11-30T11:00:00Z)'],
  );
});

test('keys: none, a usable pair, only the public half, a public half that is missing, halves of two pairs', async () => {
  const [pair, other] = await Promise.all([createKeyPair(2048), createKeyPair(2048)]);
  const check = async (keys: Record<string, { public: string | null; private: string | null }>, id: string | null = 'k') =>
    (await checkKeys({ name: 'main', encryption_key_id: id, encryption_keys: keys }, undefined, '/x')).map(shown);
  const make = 'pghoard_create_keys --site main --key-id';
  assert.deepEqual(await check({}, null), [`encryption note: ${make} 1 --config /x`]);
  assert.deepEqual(await check({ k: { public: pair.publicKey, private: pair.privateKey } }), ['encryption ok: ']);
  assert.deepEqual(await check({ k: { public: pair.publicKey, private: null } }), ['encryption note: ']);
  assert.deepEqual(await check({}), [`encryption failure: ${make} k --config /x`]);
  assert.match((await check({ k: { public: pair.publicKey, private: other.privateKey } })).join(), /^encryption failure: /);
});

test('keys of base backups: all here, one not known, one without its private half', () => {
  const keys = { a: { public: 'x', private: 'x' }, b: { public: 'x', private: null } };
  const judged = (...ids: string[]) =>
    judgeKeysOfBackups(
      { encryption_keys: keys },
      ids.map((encryptionKeyId) => ({ encryptionKeyId })),
    ).map(({ result, because }) => `${result} ${because}`);
  assert.deepEqual(judged(), []);
  assert.deepEqual(judged('a', 'a'), ['ok the private keys of all base backups are here (a)']);
  assert.deepEqual(judged('a', 'b', 'c'), [
    'failure base backups are encrypted with c, which the configuration does not know',
    'note base backups are encrypted with b, of which only the public key is here: restore where the private one is',
  ]);
});

const reply = (state: unknown) => ({ status: 200, server: 'pghoard/3', text: JSON.stringify(state) });

test('the daemon: what answers is something else, wants other credentials, has no state, tells nonsense', () => {
  const because = (answer: Parameters<typeof judgeReply>[0]) => (judgeReply(answer, 'x:1') as Finding).because;
  assert.equal(because({ status: 200, server: 'nginx', text: '{}' }), 'what answers at x:1 is not pghoard');
  assert.match(because({ status: 401, server: 'pghoard/3', text: '' }), /wants other credentials/);
  assert.match(because({ status: 500, server: 'pghoard/3', text: '' }), /does not tell its state \(HTTP status 500\)/);
  assert.match(because({ status: 200, server: 'pghoard/3', text: '<html>' }), /does not tell its state/);
  assert.match(because(reply([])), /does not tell its state/);
});

test('the daemon: version, alerts, lease, holes, and a site that it does not know', () => {
  const alerts = [
    { name: 'wal_gap', site: 'main', because: 'WAL is missing' },
    { name: 'wal_gap', site: 'another', because: 'of no interest' },
    { name: 'worker_crashed', site: null, because: 'of the daemon as a whole' },
  ];
  const holes = [
    { status: 'open', because: 'a hole' },
    { status: 'past', because: 'an old hole' },
  ];
  const main = { lease: { held: false, because: 'somebody does it' }, because: 'idle', wal: { holes } };
  const state = judgeReply(reply({ pghoard: { version: '3', alerts, sites: { main } } }), 'x:1');
  assert.ok('alerts' in state);
  const findings = judgeState(state, { version: '4', where: 'x:1', sites: ['main', 'new'] });
  assert.deepEqual(
    findings.map(({ id, result, about }) => [id, result, about]),
    [
      ['running', 'warning', undefined],
      ['alerts', 'failure', 'site main'],
      ['alerts', 'failure', undefined],
      ['lease', 'note', 'site main'],
      ['holes', 'failure', 'site main'],
      ['site', 'ok', 'site main'],
      ['site', 'failure', 'site new'],
    ],
  );
});
