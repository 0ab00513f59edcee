import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { makeWalSegment, mebibyte, testSystemIdentifier } from '../../test/support/wal-segment.ts';
import { TestWalSite } from '../../test/support/wal-site.ts';
import { createKeyPair } from '../codec/keys.ts';
import { CodecPool } from '../codec/pool.ts';
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import { clusterOfStoredWal } from './stored-cluster.ts';

const pool = new CodecPool(1);
after(() => pool.close());

const [first, second] = ['000000010000000000000005', '000000010000000000000002'] as const;

function ask(site: TestWalSite, source = site.source) {
  const { signal } = new AbortController();
  return clusterOfStoredWal(source, { pool, directory: site.spool.prefetchDirectory, hashAlgorithm: 'sha1', signal, log: silentLog });
}

/** A store in which each object comes a second after the one before. */
function storeWithTime(): MemoryStore {
  let seconds = 0;
  const clock: Clock = { ...systemClock, now: () => new Date(Date.UTC(2026, 10, 23) + 1000 * seconds++) };
  return new MemoryStore(clock);
}

test('a store without WAL tells nothing', async () => {
  await using site = await TestWalSite.start(pool);
  assert.equal(await ask(site), undefined);
  await site.archiveNew(['00000002.history']);
  assert.equal(await ask(site), undefined);
});

test('the segment that was stored last tells, whatever its name; nothing is left on the disk', async () => {
  await using site = await TestWalSite.start(pool, { store: storeWithTime() });
  await site.archiveNew([first], { systemIdentifier: 1n });
  await site.archiveNew([second], { segmentBytes: 2 * mebibyte });
  const { systemIdentifier, segmentBytes, major } = (await ask(site)) ?? {};
  assert.deepEqual(
    { systemIdentifier, segmentBytes, major },
    { systemIdentifier: testSystemIdentifier, segmentBytes: 2 * mebibyte, major: '15' },
  );
  assert.deepEqual(await site.prefetched(), []);
});

test('what cannot be read is passed over', async () => {
  await using site = await TestWalSite.start(pool, { store: storeWithTime() });
  await site.archiveNew([second]);
  await site.store.put(`main/xlog/${first}`, sourceOfBytes(makeWalSegment(second)), { metadata: {} });
  await site.store.put('main/xlog/DS_Store', sourceOfBytes(Buffer.from('x')), { metadata: {} });
  assert.equal((await ask(site))?.systemIdentifier, testSystemIdentifier);
});

test('WAL that is encrypted tells only who has the key', async () => {
  const { publicKey, privateKey } = await createKeyPair(1024);
  const sealing = { encryption: { keyId: 'k', publicKey } };
  await using site = await TestWalSite.start(pool, { sealing, privateKeys: { k: privateKey } });
  await site.archiveNew([first]);
  assert.equal((await ask(site))?.systemIdentifier, testSystemIdentifier);
  assert.equal(await ask(site, { ...site.source, privateKeyOf: () => undefined }), undefined);
});

test('a store that does not answer is not taken for one that has nothing', async () => {
  await using site = await TestWalSite.start(pool);
  await site.archiveNew([first]);
  site.store.inject({ operation: 'get', how: 'refuse' });
  await assert.rejects(ask(site), { code: 'store-unreachable' });
  site.store.inject({ operation: 'list', how: 'refuse' });
  await assert.rejects(ask(site), { code: 'store-unreachable' });
});
