import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { mebibyte } from '../../test/support/wal-segment.ts';
import { TestWalSite } from '../../test/support/wal-site.ts';
import { CodecPool } from '../codec/pool.ts';
import { silentLog } from '../lib/log.ts';
import { noMetrics } from '../lib/metrics.ts';
import { WalFetcher } from './fetch.ts';

const pool = new CodecPool(1);
after(() => pool.close());

const [first, second] = ['000000010000000000000001', '000000010000000000000002'] as const;
const [oldCluster, newCluster] = [{ systemIdentifier: 1n }, { systemIdentifier: 2n }];

test('what a former site has of another cluster is neither served nor a witness; what it has of the same one is', async () => {
  for (const [cluster, isServed] of [
    [newCluster, false],
    [oldCluster, true],
    [undefined, true],
  ] as const) {
    await using old = await TestWalSite.start(pool, { site: 'old', cluster: oldCluster });
    await old.archiveNew([first, '00000002.history'], oldCluster);
    await using site = await TestWalSite.start(pool, { movedFrom: [old.source], ...(cluster && { cluster }) });
    if (isServed) {
      await site.fetchBytes('00000002.history');
      continue;
    }
    await assert.rejects(site.fetcher.fetch('00000002.history'), { code: 'store-empty' });
    await site.archiveNew([second], newCluster);
    await assert.rejects(site.fetcher.fetch('00000002.history'), { code: 'wal-missing', message: /^(?!.*old\/)/s });
  }
});

test('WAL of another cluster is refused if it came after the site had its identity, and left to PostgreSQL to judge if it was there before', async () => {
  await using site = await TestWalSite.start(pool);
  await site.archiveNew([first], { systemIdentifier: 3n });
  const { lastModified } = await site.store.head(site.catalog.walKey(first));
  for (const [since, isServed] of [
    [lastModified, true],
    [new Date(lastModified.getTime() - 1), false],
  ] as const) {
    const sources = [{ ...site.source, cluster: async () => ({ systemIdentifier: 2n, since }) }] as const;
    const fetcher = new WalFetcher({
      sources,
      pool,
      directory: site.spool.prefetchDirectory,
      segmentsAhead: { start: 0, max: 0 },
      transfersMax: 1,
      metrics: noMetrics,
      log: silentLog,
    });
    const fetched = fetcher.fetch(first).then(({ bytes }) => bytes);
    if (isServed) assert.equal(await fetched, mebibyte);
    else await assert.rejects(fetched, { code: 'cluster-mismatch', message: /is not of the cluster of its site/ });
    await fetcher.close();
  }
});
