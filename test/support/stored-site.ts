import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { MemoryStore } from '../../src/storage/memory/driver.ts';
import { sourceOfBytes } from '../../src/storage/object-source.ts';
import type { Metadata, ObjectStore } from '../../src/storage/object-store.ts';

export const storedSiteName = 'site';

/** On a base backup: its WAL is kept elsewhere, so that none is missing here. */
export const walElsewhere = { 'active-backup-mode': 'basic' };

/**
 * The objects of a site by name and metadata only: chunked base backups (name → start segment) that begin on the day of their name and are not judged by their WAL, and WAL
 * files.
 */
export async function makeStoredSite(
  backups: Readonly<Record<string, string>>,
  wal: readonly string[],
  store: ObjectStore = new MemoryStore(),
): Promise<Catalog> {
  const catalog = new Catalog(store, new SiteKeys(storedSiteName));
  for (const [name, startWalSegment] of Object.entries(backups)) {
    await putObject(catalog, catalog.keys.basebackupMain(name), {
      'start-time': `${name.slice(0, 10)}T00:00:00+00:00`,
      'start-wal-segment': startWalSegment,
      ...walElsewhere,
      'compression-algorithm': 'snappy',
      format: 'pghoard-bb-v2',
    });
    await putObject(catalog, catalog.keys.chunk(name, 1), {});
  }
  for (const name of wal) await putObject(catalog, catalog.walKey(name), {});
  return catalog;
}

/** One byte. */
export async function putObject(catalog: Catalog, key: string, metadata: Metadata): Promise<void> {
  await catalog.store.put(key, sourceOfBytes(Buffer.from('x')), { metadata });
}

/** Of the site, without its prefix, ascending. */
export async function storedKeys(catalog: Catalog): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of catalog.store.list(`${catalog.keys.prefix}/`)) keys.push(key.slice(catalog.keys.prefix.length + 1));
  return keys;
}
