import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Fault, FaultyStore } from '../../../../test/support/store.ts';
import { makeTemporaryDirectory } from '../../../../test/support/temporary-directory.ts';
import { Catalog } from '../../../catalog/catalog.ts';
import { SiteKeys } from '../../../catalog/keys.ts';
import { systemClock } from '../../../lib/clock.ts';
import { OperatorError } from '../../../lib/errors.ts';
import { systemRandom } from '../../../lib/random.ts';
import { collect } from '../../../storage/contract-tools.ts';
import { openStore } from '../../../storage/drivers.ts';
import { MemoryStore } from '../../../storage/memory/driver.ts';
import { sourceOfBytes } from '../../../storage/object-source.ts';
import type { ObjectStore } from '../../../storage/object-store.ts';
import { type StorageOptions, storageOptions } from '../../../storage/options.ts';
import { passOn } from '../../../storage/pass-on.ts';
import type { Finding } from '../finding.ts';
import { judgeArchived, judgeBasebackups, judgeItsWal } from './check-backups.ts';
import { tryContract } from './contract.ts';
import { judgeClock, judgeContract, judgePrivilege, judgeProbe, judgeReach, judgeUnreachable } from './judge-store.ts';
import { probe } from './probe.ts';
import { removeAbandoned, Scratch } from './scratch.ts';
import { describeLogin } from './store-login.ts';

const keys = new SiteKeys('site');
const never = new AbortController().signal;
const s3 = storageOptions.parse({ storage_type: 's3', bucket_name: 'b' });

async function keysIn(store: ObjectStore): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list('')) found.push(key);
  return found;
}

function shown({ id, about, result }: Finding): string {
  return `${id}${about === undefined ? '' : ` ${about}`} ${result}`;
}

/** What the probe makes of a store with faults. */
async function probed(...faults: Fault[]): Promise<string[]> {
  return judgeProbe(await probe(new FaultyStore(new MemoryStore(), faults), systemClock)).map(shown);
}

const denied = (operation: Fault['operation']): Fault => ({
  operation,
  how: 'refuse',
  error: new OperatorError('store-denied', 'may not'),
});

test('a store that works, and one that refuses one kind of request', async () => {
  assert.deepEqual(await probed(), ['requests ok', 'clock ok']);
  assert.deepEqual(await probed(denied('put')), ['requests ok', 'requests put failure']);
  assert.deepEqual(await probed(denied('get')), ['requests ok', 'requests get failure', 'clock ok']);
  assert.deepEqual(await probed(denied('list')), ['requests ok', 'requests list failure', 'clock ok']);
  assert.deepEqual(await probed(denied('delete')), ['requests ok', 'requests delete failure', 'clock ok']);
});

test('a lock is told, and is no failure', async () => {
  const locked: Fault = { operation: 'delete', how: 'refuse', error: new OperatorError('object-locked', 'locked') };
  assert.deepEqual(await probed(locked), ['requests ok', 'clock ok', 'lock note']);
});

test('a store that answers with something else than what was stored', async () => {
  const store: ObjectStore = { ...passOn(new MemoryStore()), list: async function* () {} };
  const [, finding] = judgeProbe(await probe(store, systemClock));
  assert.deepEqual([finding?.about, finding?.because], ['list', 'the listing does not have what was stored']);
});

test('the contract holds for a store that keeps it, all of it or the essential facts, and nothing is left', async () => {
  for (const quick of [false, true]) {
    const store = new MemoryStore();
    const scratch = await Scratch.open({ store, keys, storage: s3, random: systemRandom });
    const outcome = await tryContract(scratch, quick, systemClock, never);
    assert.deepEqual(judgeContract(outcome, quick).map(shown), ['contract ok', 'create-only ok']);
    assert.ok(quick ? outcome.outcomes.length < 20 : outcome.outcomes.length > 35);
    await scratch.clear();
    assert.deepEqual(await keysIn(store), []);
  }
});

test('a store that ignores create-only is told apart, with what it means', async () => {
  const inner = new MemoryStore();
  const store: ObjectStore = { ...passOn(inner), put: (key, source, { metadata, signal }) => inner.put(key, source, { metadata, signal }) };
  const scratch = await Scratch.open({ store, keys, storage: s3, random: systemRandom });
  const findings = judgeContract(await tryContract(scratch, true, systemClock, never), true);
  assert.deepEqual(findings.map(shown), ['contract ok', 'create-only failure']);
  assert.match(findings[1]?.because ?? '', /Two daemons could both take the lease/);
});

test('a fact that does not hold has a line of its own', async () => {
  const inner = new MemoryStore();
  const store: ObjectStore = {
    ...passOn(inner),
    list: async function* (prefix, options) {
      yield* (await collect(inner.list(prefix, options))).toReversed();
    },
  };
  const scratch = await Scratch.open({ store, keys, storage: s3, random: systemRandom });
  const findings = judgeContract(await tryContract(scratch, true, systemClock, never), true);
  assert.ok(findings.map(shown).includes('contract keys come back in ascending byte order, whatever the nesting failure'));
  assert.equal(findings[0]?.result, 'note');
});

test('the scratch of a local store is gone with its directories, and everything that was there stays', async () => {
  await using directory = await makeTemporaryDirectory();
  const storage: StorageOptions = storageOptions.parse({ storage_type: 'local', directory: directory.path, prefix: 'pre' });
  await using stack = new AsyncDisposableStack();
  const store = await openStore(storage);
  stack.defer(() => store.close());
  const scratch = await Scratch.open({ store, keys, storage, random: systemRandom });
  await tryContract(scratch, true, systemClock, never);
  await scratch.clear();
  assert.deepEqual(await readdir(directory.path), []);
  await store.put('site/xlog/1', sourceOfBytes(Buffer.from('x')), { metadata: {} });
  const again = await Scratch.open({ store, keys, storage, random: systemRandom });
  await again.part('a').put('x/y', sourceOfBytes(Buffer.from('x')), { metadata: {} });
  await again.clear();
  assert.deepEqual(await readdir(join(directory.path, 'pre/site')), ['xlog']);
});

test('what an interrupted check is still storing is waited for, and removed', async () => {
  const inner = new MemoryStore();
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const store = new FaultyStore(inner, [{ operation: 'put', how: 'wait', until: held }]);
  const scratch = await Scratch.open({ store, keys, storage: s3, random: systemRandom });
  const stop = new AbortController();
  const trying = tryContract(scratch, true, systemClock, stop.signal);
  stop.abort(new Error('Ctrl-C'));
  await assert.rejects(trying, /Ctrl-C/);
  const cleared = scratch.clear();
  release();
  await cleared;
  assert.deepEqual(await keysIn(inner), []);
});

test('a store that never answers does not hold the facts for ever', async () => {
  const store = new FaultyStore(new MemoryStore(), [{ operation: 'put', how: 'wait', until: new Promise(() => {}) }]);
  const scratch = await Scratch.open({ store, keys, storage: s3, random: systemRandom });
  const signal = AbortSignal.timeout(50);
  await assert.rejects(tryContract(scratch, true, systemClock, signal), { name: 'TimeoutError' });
});

test('what a killed check left is removed an hour later, and what runs beside us is not', async () => {
  const store = new MemoryStore();
  for (const key of ['site/check_scratch/a/1', 'site/xlog/1']) await store.put(key, sourceOfBytes(Buffer.from('x')), { metadata: {} });
  const inMinutes = (minutes: number) => new Date(systemClock.now().getTime() + minutes * 60_000);
  assert.equal(await removeAbandoned({ store, keys, storage: s3 }, inMinutes(50), never), 0);
  assert.equal(await removeAbandoned({ store, keys, storage: s3 }, inMinutes(70), never), 1);
  assert.deepEqual(await keysIn(store), ['site/xlog/1']);
});

test('what a killed check left in a local store goes with its directories', async () => {
  await using directory = await makeTemporaryDirectory();
  const storage: StorageOptions = storageOptions.parse({ storage_type: 'local', directory: directory.path });
  await using stack = new AsyncDisposableStack();
  const store = await openStore(storage);
  stack.defer(() => store.close());
  await store.put('site/check_scratch/a/b/1', sourceOfBytes(Buffer.from('x')), { metadata: {} });
  const later = new Date(systemClock.now().getTime() + 7_200_000);
  assert.equal(await removeAbandoned({ store, keys, storage }, later, never), 1);
  assert.deepEqual(await readdir(join(directory.path, 'site/check_scratch')), []);
});

test('a scratch does not make an empty store look like one with backups', async () => {
  const store = new MemoryStore();
  await store.put('site/check_scratch/a/1', sourceOfBytes(Buffer.from('x')), { metadata: {} });
  assert.equal(await new Catalog(store, keys).isEmpty(), true);
});

test('clocks: agreed, off, too far off for cloud stores, measured inexactly', () => {
  const judged = (aheadMs: number, inexactMs = 0) => judgeClock({ aheadMs, inexactMs }).result;
  assert.deepEqual([judged(0), judged(90_000), judged(-1_000_000), judged(90_000, 40_000)], ['ok', 'warning', 'failure', 'ok']);
});

test('reach and privilege', () => {
  assert.deepEqual([judgeReach(5).result, judgeReach(3_000).result], ['ok', 'warning']);
  assert.deepEqual(judgeUnreachable(new OperatorError('store-missing', 'no such bucket', { hint: 'Make it.' })).remedy[0], 'Make it.');
  assert.equal(judgeUnreachable(new OperatorError('store-denied', 'no', { cause: new Error('403') })).because, 'no: 403');
  assert.deepEqual(
    (['refused', 'nothing', 'objects', 'unknown'] as const).map((beyond) => judgePrivilege(beyond, 'p/').result),
    ['ok', 'note', 'note', 'note'],
  );
});

test('base backups: none, on time, late, much too late, only on request', () => {
  const now = new Date('2026-11-30T12:00:00Z');
  const schedule = { isActive: true, intervalHours: 24, request: 'REQUEST' };
  const judged = (hours: number, changes = {}) => {
    const { result, remedy } = judgeBasebackups(
      [{ name: 'b', startTime: new Date(now.getTime() - hours * 3_600_000) }],
      { ...schedule, ...changes },
      now,
    );
    return `${result} ${remedy[0] ?? ''}`;
  };
  assert.equal(judgeBasebackups([], schedule, now).result, 'warning');
  assert.equal(judgeBasebackups([], { ...schedule, isActive: false }, now).result, 'note');
  assert.deepEqual(
    [judged(1), judged(36), judged(40), judged(80), judged(800, { intervalHours: null }), judged(800, { isActive: false })],
    ['ok ', 'ok ', 'warning REQUEST', 'failure REQUEST', 'ok ', 'ok '],
  );
  assert.deepEqual(
    [judgeItsWal({ name: 'b' }, undefined, '').result, judgeItsWal({ name: 'b' }, { kind: 'missing', segment: 'A' }, '').result],
    ['ok', 'failure'],
  );
  assert.deepEqual([judgeArchived('A', true, '').result, judgeArchived('A', false, 'SYNC').remedy], ['ok', ['SYNC']]);
  assert.equal(judgeItsWal({ name: 'b' }, { kind: 'end-unknown' }, '').result, 'note');
});

const secret = 'S3cret-S3cret';
const logins: readonly [input: Record<string, unknown>, expected: string][] = [
  [{ storage_type: 'local', directory: '/x' }, 'as the user ann of this host'],
  [{ storage_type: 's3', bucket_name: 'b' }, 'with what the environment, the profile or the instance gives'],
  [
    { storage_type: 's3', bucket_name: 'b', aws_access_key_id: 'AKIAEXAMPLEKEY', aws_secret_access_key: secret },
    'with the access key AKIA…',
  ],
  [
    { storage_type: 'google', bucket_name: 'b', credentials: { type: 'service_account', client_email: 'a@b', private_key: secret } },
    'as a@b',
  ],
  [{ storage_type: 'azure', bucket_name: 'b', account_name: 'acc', account_key: secret }, 'to the account acc, with its key'],
  [
    { storage_type: 'azure', bucket_name: 'b', account_name: 'acc', sas_token: secret },
    'to the account acc, with a shared access signature',
  ],
  [
    { storage_type: 'swift', container_name: 'c', user: 'u', tenant_name: 't', key: secret, auth_url: `https://x:${secret}@auth/v2` },
    'as t:u at auth',
  ],
  [{ storage_type: 'sftp', server: 's', username: 'u', password: secret }, 'as u at s:22, with a password'],
];

for (const [input, expected] of logins) {
  test(`as whom: ${expected}`, () => assert.equal(describeLogin(storageOptions.parse(input), 'ann'), expected));
}
