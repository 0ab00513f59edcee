import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, test } from 'node:test';
import { waitFor } from '../../test/support/wait-for.ts';
import { makeHistory, makeWalSegment, mebibyte } from '../../test/support/wal-segment.ts';
import { TestWalSite, type TestWalSiteOptions } from '../../test/support/wal-site.ts';
import { createKeyPair } from '../codec/keys.ts';
import { CodecPool } from '../codec/pool.ts';

const pool = new CodecPool(2);
after(() => pool.close());

const segment = '000000010000000000000003';
const partial = `${segment}.partial`;
const switchOffset = 0x5000;
/** Of the timeline that continues the segment there. */
const history = makeHistory('00000002.history', `0/${(3 * mebibyte + switchOffset).toString(16).toUpperCase()}`);

/** The segment up to the switch, and something else behind. */
function contentWith(filling: string, from = switchOffset): Buffer {
  const content = makeWalSegment(partial);
  content.fill(filling, from);
  return content;
}

async function siteWith(content: Buffer, options: TestWalSiteOptions = {}): Promise<TestWalSite> {
  const site = await TestWalSite.start(pool, options);
  await site.archiver.archive(partial, await site.writeBytes(partial, content));
  return site;
}

async function storeHistory(site: TestWalSite): Promise<void> {
  await site.archiver.archive('00000002.history', await site.writeBytes('00000002.history', history));
}

test('the end of a timeline may come twice, with something else behind where it was left', async () => {
  await using site = await siteWith(contentWith('of the receiver'));
  await storeHistory(site);
  const stored = site.store.count('put');
  const path = await site.writeBytes(partial, contentWith('of the server'));
  assert.equal(await site.archiver.archive(partial, path), 'already-stored');
  assert.equal(site.store.count('put'), stored);
  assert.deepEqual(await readdir(site.spool.prefetchDirectory), [], 'what was fetched to compare is gone');
});

test('WAL that differs before that is a conflict, and so is all as long as nobody knows where it was left', async () => {
  await using site = await siteWith(contentWith('of the receiver'));
  const harmless = await site.writeBytes(partial, contentWith('of the server'));
  await assert.rejects(site.archiver.archive(partial, harmless), { code: 'wal-conflict' });
  await storeHistory(site);
  const other = await site.writeBytes(partial, contentWith('of the server', switchOffset - 1));
  await assert.rejects(site.archiver.archive(partial, other), { code: 'wal-conflict' });
});

test('a whole segment has no such end', async () => {
  await using site = await TestWalSite.start(pool);
  await site.archiver.archive(segment, await site.writeBytes(segment, contentWith('of one')));
  await storeHistory(site);
  const path = await site.writeBytes(segment, contentWith('of another'));
  await assert.rejects(site.archiver.archive(segment, path), { code: 'wal-conflict' });
});

test('encrypted, it takes the private key to compare them', async () => {
  const { publicKey, privateKey } = await createKeyPair(1024);
  for (const privateKeys of [{ k: privateKey }, {}]) {
    const sealing = { encryption: { keyId: 'k', publicKey } };
    await using site = await siteWith(contentWith('of the receiver'), { sealing, privateKeys });
    await storeHistory(site);
    const archiving = site.archiver.archive(partial, await site.writeBytes(partial, contentWith('of the server')));
    if ('k' in privateKeys) assert.equal(await archiving, 'already-stored');
    else await assert.rejects(archiving, { code: 'wal-conflict' });
  }
});

test('one that an earlier run left in the spool is compared as well', async () => {
  await using dead = await TestWalSite.start(pool);
  dead.store.inject({ operation: 'put', how: 'refuse' });
  const run = dead.archiver.archive(partial, await dead.writeBytes(partial, contentWith('of the server'))).catch(() => 'stopped');
  await waitFor(() => dead.store.count('put') > 0, { withinMs: 30_000, what: 'it is being stored' });
  await dead.abort();
  await run;
  await using site = await siteWith(contentWith('of the receiver'));
  await storeHistory(site);
  await using next = await TestWalSite.start(pool, { store: site.store, archiver: { spool: dead.spool } });
  await next.archiver.resume();
  assert.deepEqual(await dead.spooled(), []);
});
