import { join } from 'node:path';
import { needyBackups } from '../../src/catalog/needy-backups.ts';
import { CodecPool } from '../../src/codec/pool.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { OperatorError } from '../../src/lib/errors.ts';
import { silentLog } from '../../src/lib/log.ts';
import { noMetrics } from '../../src/lib/metrics.ts';
import { chooseBasebackup } from '../../src/restore/choose.ts';
import { prune } from '../../src/retention/prune.ts';
import { WalFetcher } from '../../src/wal/fetch.ts';
import { ArchiveMap } from '../../src/wal/gaps/archive-map.ts';
import { findGaps } from '../../src/wal/gaps/gaps.ts';
import { mebibyte } from '../../test/support/wal-segment.ts';
import { openCatalog, segmentName, siteName } from './made-store.ts';

export const disciplines = ['gap check', 'restore start', 'retention'] as const;
export type StoreDiscipline = (typeof disciplines)[number];

const signal = new AbortController().signal;

/** What is measured of a store. Resolves to what came of it, in words. */
export const works: Readonly<Record<StoreDiscipline, (directory: string) => Promise<string>>> = {
  'gap check': checkGaps,
  'restore start': startRestore,
  retention: runRetention,
};

async function checkGaps(directory: string): Promise<string> {
  const catalog = openCatalog(directory);
  const map = new ArchiveMap({
    relatives: async () => [catalog],
    segmentBytes: () => mebibyte,
    readHistory: async () => undefined,
    signal,
  });
  await map.survey();
  const { entries } = await catalog.basebackups();
  if (typeof map.view === 'string') throw new OperatorError('bench-failed', map.view);
  const { holes, runs } = findGaps(map.view, needyBackups(entries, mebibyte));
  const segments = runs.reduce((total, { first, last }) => total + Number(last - first) + 1, 0);
  return `${segments} segments, ${holes.length} holes`;
}

/** Up to the moment at which PostgreSQL has its first segment. */
async function startRestore(directory: string): Promise<string> {
  const catalog = openCatalog(directory);
  const { entries } = await catalog.basebackups();
  const { backup } = chooseBasebackup(entries, { basebackup: 'latest', target: { kind: 'latest' } }, systemClock.now());
  const source = { site: siteName, catalog, privateKeyOf: () => undefined };
  await using pool = { pool: new CodecPool(2), [Symbol.asyncDispose]: () => pool.pool.close() };
  const fetcher = new WalFetcher({
    sources: [source],
    pool: pool.pool,
    directory: join(directory, '..', 'prefetch'),
    segmentsAhead: { start: 4, max: 4 },
    transfersMax: 4,
    metrics: noMetrics,
    log: silentLog,
  });
  try {
    await using wal = await fetcher.fetch(backup.startWalSegment);
    return `${wal.bytes} bytes`;
  } finally {
    await fetcher.close();
  }
}

/** One base backup goes, and the half of the WAL that only it needed. */
async function runRetention(directory: string): Promise<string> {
  const catalog = openCatalog(directory);
  const rules = { countMax: 1, ageDaysMax: undefined, countMin: 1, intervalHours: 24 };
  const manifests = { pool: new CodecPool(1), storage: { storage_type: 'local', directory } as never, privateKeys: {} };
  const { walFiles } = await prune(await catalog.basebackups(), rules, systemClock.now(), { catalog, log: silentLog, signal, manifests });
  if (await catalog.findWal(segmentName(1))) throw new OperatorError('bench-failed', 'the first segment is still there');
  return `${walFiles} files deleted`;
}
