import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/lib/clock.ts';
import { openStore } from '../../src/storage/drivers.ts';
import { storageOptions } from '../../src/storage/options.ts';

export interface ListingFigure {
  readonly keys: number;
  readonly seconds: number;
  /** The most that this process held at once. */
  readonly peakBytes: number;
  /** The same after a tenth of the keys. */
  readonly earlyBytes: number;
}

/** A listing of S3 with more keys than anybody could store for it, made up page by page by another process. */
export async function measureListing(keys: number): Promise<ListingFigure> {
  const server = fork(fileURLToPath(new URL('./listing-process.js', import.meta.url)), [String(keys)]);
  const [{ port }] = (await once(server, 'message')) as [{ readonly port: number }];
  const own = { storage_type: 's3', bucket_name: 'b', host: '127.0.0.1', port };
  const store = await openStore(storageOptions.parse({ ...own, aws_access_key_id: 'k', aws_secret_access_key: 's' }));
  const startedMs = systemClock.monotonicMs();
  let [listed, peakBytes, earlyBytes] = [0, 0, 0];
  for await (const _ of store.list('site/')) {
    listed++;
    if (listed % 10_000 !== 0) continue;
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
    if (listed <= keys / 10) earlyBytes = peakBytes;
  }
  await store.close();
  server.disconnect();
  return { keys: listed, seconds: (systemClock.monotonicMs() - startedMs) / 1000, peakBytes, earlyBytes };
}

export function listingLine({ keys, seconds, peakBytes, earlyBytes }: ListingFigure): string {
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
  return `s3       list ${keys} keys: ${seconds.toFixed(1)} s, at most ${mib(peakBytes)} MiB in memory (${mib(earlyBytes)} MiB after a tenth)`;
}
