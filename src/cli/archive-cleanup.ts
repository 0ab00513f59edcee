import { Catalog } from '../catalog/catalog.ts';
import { SiteKeys } from '../catalog/keys.ts';
import type { SiteConfig } from '../config/config.ts';
import { loadConfig, selectSite } from '../config/load.ts';
import { relatedSites } from '../daemon/site-keys.ts';
import { cleanUpWal } from '../retention/clean-up.ts';
import type { LockedSummary } from '../storage/delete-many.ts';
import { openStore } from '../storage/drivers.ts';
import { type CleanupFlags, describeArchiveCleanup } from './archive-cleanup-flags.ts';
import { interruptible, runCommand } from './main.ts';
import { configFileOf, parseFlags } from './parse-flags.ts';

/** Deletes WAL that lies before every base backup. */
async function main(argv: string[]): Promise<number> {
  const command = describeArchiveCleanup();
  const exitCode = parseFlags(command, argv);
  if (exitCode !== undefined) return exitCode;
  await interruptible((signal) => cleanUp(command.opts<CleanupFlags>(), signal));
  return 0;
}

async function cleanUp(flags: CleanupFlags, signal: AbortSignal): Promise<void> {
  const { dryRun = false } = flags;
  const config = await loadConfig(configFileOf(flags));
  const [own, ...moved] = relatedSites(config, selectSite(config, flags.site));
  await using stores = new AsyncDisposableStack();
  const catalog = await openCatalog(own, stores);
  const movedFrom = await Promise.all(moved.map((site) => openCatalog(site, stores)));
  const { files, bytes, locked } = await cleanUpWal(catalog, movedFrom, {
    signal,
    dryRun,
    onFile: ({ key, size }) => console.log(`${dryRun ? 'Would delete' : 'Deleting'} ${key} (${size} bytes)`),
  });
  console.log(`${dryRun ? 'Would delete' : 'Deleted'} ${files} WAL files that no base backup needs, ${bytes} bytes in total`);
  if (locked.objects > 0) console.log(`${locked.objects} more are locked in the store${until(locked)}; they can be deleted after that`);
}

function until({ until: moment }: LockedSummary): string {
  return moment === undefined ? '' : ` until ${moment.toISOString()}`;
}

async function openCatalog({ object_storage, prefix }: SiteConfig, stores: AsyncDisposableStack): Promise<Catalog> {
  const store = await openStore(object_storage);
  stores.defer(() => store.close());
  return new Catalog(store, new SiteKeys(prefix));
}

runCommand('pghoard_archive_cleanup', main);
