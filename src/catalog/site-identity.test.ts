import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatJson } from '../lib/json.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import { Catalog } from './catalog.ts';
import { SiteKeys } from './keys.ts';
import { claimSite, formatSiteIdentity, parseSiteIdentity, readSiteIdentity, type SiteIdentity } from './site-identity.ts';

const identity: SiteIdentity = {
  systemIdentifier: 2n ** 64n - 1n,
  segmentBytes: 16 * 1024 * 1024,
  majors: ['9.6', '15'],
  since: new Date('2026-11-23T12:03:59.123Z'),
};

test('what is written is read again, to the last digit', async () => {
  const catalog = new Catalog(new MemoryStore(), new SiteKeys('main'));
  assert.equal(await readSiteIdentity(catalog), undefined);
  assert.equal(await claimSite(catalog, identity), true);
  assert.deepEqual(await readSiteIdentity(catalog), identity);
  assert.equal(await claimSite(catalog, { ...identity, systemIdentifier: 1n }), false);
  assert.deepEqual(await readSiteIdentity(catalog), identity);
  assert.equal((await catalog.store.head('main/site_identity')).size, formatJson(formatSiteIdentity(identity)).length);
});

test('names that are not known are passed over', () => {
  const text = JSON.stringify({ ...formatSiteIdentity(identity), more: { of: 'it' } });
  assert.deepEqual(parseSiteIdentity(text, 'x'), identity);
});

const bad: [what: string, change: Record<string, unknown> | string, says: RegExp][] = [
  ['nothing', '', /does not tell/],
  ['half of it', '{"format": 1, "system_', /does not tell/],
  ['a list', '[1]', /does not tell/],
  ['null', 'null', /does not tell/],
  ['no format', { format: undefined }, /does not tell/],
  ['a format of later', { format: 2 }, /format 2, of which this version knows nothing/],
  ['a number that JSON has rounded', { system_identifier: 2 ** 63 }, /does not tell/],
  ['no number', { system_identifier: '0x12' }, /does not tell/],
  ['no size', { wal_segment_size: '16MB' }, /does not tell/],
  ['a size that is none', { wal_segment_size: 16_000_000 }, /does not tell/],
  ['versions that are none', { major_versions: [15] }, /does not tell/],
  ['a time that is none', { since: 'yesterday' }, /does not tell/],
];
for (const [what, change, says] of bad) {
  test(`refused: ${what}`, () => {
    const text = typeof change === 'string' ? change : JSON.stringify({ ...formatSiteIdentity(identity), ...change });
    assert.throws(() => parseSiteIdentity(text, 'main/site_identity in memory'), { code: 'identity-unreadable', message: says });
  });
}

test('an object that is too large to be one is not read', async () => {
  const catalog = new Catalog(new MemoryStore(), new SiteKeys('main'));
  await catalog.store.put(catalog.keys.identity, sourceOfBytes(Buffer.alloc(100_000, ' ')), { metadata: {} });
  await assert.rejects(readSiteIdentity(catalog), { code: 'identity-unreadable' });
});
