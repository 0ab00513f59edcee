import { link, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describeBasebackup } from '../../src/catalog/basebackup-entry.ts';
import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { walMetadata } from '../../src/catalog/wal-entry.ts';
import { Sealer } from '../../src/codec/seal.ts';
import { formatWalName } from '../../src/postgres/wal-name.ts';
import { LocalStore } from '../../src/storage/local/driver.ts';
import { sourceOfBytes } from '../../src/storage/object-source.ts';
import { makeWalSegment, mebibyte } from '../../test/support/wal-segment.ts';

export const siteName = 'main';
const realSegments = 32;
/** Below the 65000 of ext4. */
const linksMax = 50_000;
const atOnceMax = 64;
const host = 'bench';

export function openCatalog(directory: string): Catalog {
  return new Catalog(new LocalStore({ directory }), new SiteKeys(siteName));
}

export function segmentName(number: number): string {
  return formatWalName({ timeline: 1, number: BigInt(number) }, mebibyte);
}

/**
 * A local store with so many segments, and with two base backups, which start at the first of them and in their middle. What recovery asks for first is real WAL, the
 * rest are hard links to one such object: in a listing nobody can tell them apart.
 */
export async function makeStore(directory: string, segments: number): Promise<void> {
  const catalog = openCatalog(directory);
  for (const number of [1, Math.floor(segments / 2)]) {
    for (let next = number; next < Math.min(number + realSegments, segments); next++) await putSegment(catalog, segmentName(next));
    await putBasebackup(catalog, number);
  }
  const folder = join(directory, catalog.keys.walPrefix);
  await mkdir(folder, { recursive: true });
  let model = '';
  for (let first = 1, links = linksMax; first <= segments; first += atOnceMax) {
    if (links + atOnceMax > linksMax) [model, links] = [await makeModel(catalog, folder, first), 0];
    const numbers = Array.from({ length: Math.min(atOnceMax, segments - first + 1) }, (_, index) => first + index);
    await Promise.all(numbers.map((number) => linkBoth(model, join(folder, segmentName(number)))));
    links += numbers.length;
  }
  await Promise.all(['', '.metadata'].map((suffix) => rm(model + suffix)));
}

/** Another object for links, under a name that listings leave out. */
async function makeModel(catalog: Catalog, folder: string, number: number): Promise<string> {
  const name = segmentName(number);
  await putSegment(catalog, name);
  const model = join(folder, `.model-${number}`);
  await linkBoth(join(folder, name), model);
  return model;
}

async function linkBoth(from: string, to: string): Promise<void> {
  for (const suffix of ['', '.metadata']) {
    await link(from + suffix, to + suffix).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

async function putSegment(catalog: Catalog, name: string): Promise<void> {
  const pieces: Buffer[] = [];
  const compression = { algorithm: 'zstd', level: 3 } as const;
  using sealer = new Sealer({ compression, plainHash: 'sha1' }, (bytes) => void pieces.push(Buffer.from(bytes)));
  await sealer.update(makeWalSegment(name));
  const { plainBytes, sealedBytes, plainHash } = await sealer.finish();
  const metadata = walMetadata({ compression, plainBytes, storedBytes: sealedBytes, host, hash: plainHash, hashAlgorithm: 'sha1' });
  await catalog.store.put(catalog.keys.wal(name), sourceOfBytes(Buffer.concat(pieces)), { metadata });
}

async function putBasebackup(catalog: Catalog, number: number): Promise<void> {
  const startTime = new Date(Date.UTC(2026, 10, number === 1 ? 20 : 21));
  const metadata = describeBasebackup({
    startTime,
    startWalSegment: segmentName(number),
    endTime: startTime,
    endWalSegment: segmentName(number),
    compression: 'zstd',
    plainBytes: 1,
    storedBytes: 1,
    pgVersion: 150_000,
    host,
    site: siteName,
    activeBackupMode: 'archive_command',
    basebackupMode: 'basic',
    decisionTime: startTime,
    reason: 'requested',
  });
  await catalog.store.put(catalog.keys.basebackup(`${startTime.toISOString().slice(0, 10)}_0`), sourceOfBytes(Buffer.from('x')), {
    metadata,
  });
}
