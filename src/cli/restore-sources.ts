import { Catalog } from '../catalog/catalog.ts';
import { SiteKeys } from '../catalog/keys.ts';
import type { Config, SiteConfig } from '../config/config.ts';
import { selectSite } from '../config/load.ts';
import type { RestoreSource } from '../restore/restore.ts';
import { openStore } from '../storage/drivers.ts';

/** Where base backups of a site can be: its own store, then those that it was moved from. Close them with {@link closeSources}. */
export async function openSources(config: Config, site: SiteConfig): Promise<[RestoreSource, ...RestoreSource[]]> {
  const moved = site.moved_from.map((name) => selectSite(config, name));
  return Promise.all([openSource(site), ...moved.map(openSource)]);
}

export async function closeSources(sources: readonly RestoreSource[]): Promise<void> {
  await Promise.all(sources.map(({ catalog }) => catalog.store.close()));
}

async function openSource({ name, prefix, object_storage, encryption_keys, keep }: SiteConfig): Promise<RestoreSource> {
  const catalog = new Catalog(await openStore(object_storage), new SiteKeys(prefix));
  const privateKeys: Record<string, string> = {};
  for (const [id, keys] of Object.entries(encryption_keys ?? {})) if (keys.private !== null) privateKeys[id] = keys.private;
  return { site: name, catalog, storage: object_storage, privateKeys, keepsAlone: keep !== null };
}
