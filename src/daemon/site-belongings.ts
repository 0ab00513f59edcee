import { UsedNames } from '../basebackup/used-names.ts';
import { IdentityKeeper } from '../catalog/identity-keeper.ts';
import type { SiteConfig } from '../config/load.ts';
import { isOperatorError, type OperatorError } from '../lib/errors.ts';
import { silentLog } from '../lib/log.ts';
import { Spool } from '../transfer/spool.ts';
import { clusterOfStoredWal } from '../wal/stored-cluster.ts';
import type { WalSource } from '../wal/stored-wal.ts';
import { ThrottleWatch } from './alerts/throttle-watch.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { StoreWatch } from './health/store-watch.ts';
import { RequestedBasebackup } from './requested-basebackup.ts';
import { openSources, type SiteSources, withClusters } from './site-sources.ts';

/** What lies there for a site before it begins to work: its stores, its part of the spool, and what earlier lives left in it. */
export interface SiteBelongings {
  readonly sources: SiteSources;
  readonly storeWatch: StoreWatch;
  readonly throttling: ThrottleWatch;
  readonly spool: Spool;
  /** Why nothing can be kept in the spool, nor read there. */
  readonly spoolTrouble: OperatorError | undefined;
  readonly keeper: IdentityKeeper;
  readonly requested: RequestedBasebackup;
  /** Of base backups. */
  readonly names: UsedNames;
}

/** `closing`: ends reading of WAL that is looked at to find out whose it is. */
export async function openBelongings(parts: DaemonParts, site: SiteConfig, closing: AbortSignal): Promise<SiteBelongings> {
  const storeWatch = new StoreWatch(parts.clock);
  const throttling = new ThrottleWatch(parts.clock);
  const sources = await openSources(site, parts, [storeWatch, throttling]);
  const spool = new Spool(parts.config.backup_location, site.prefix, parts.random);
  const spoolTrouble = await troubleOf(spool);
  const { walPool: pool, clock } = parts;
  // What cannot be read there now is read once it can be.
  const log = spoolTrouble === undefined ? parts.log : silentLog;
  const clusterOfStored = (source: WalSource, signal = closing) =>
    clusterOfStoredWal(source, { pool, directory: spool.prefetchDirectory, hashAlgorithm: 'sha1', signal, log });
  const [own] = sources;
  const keeper = await IdentityKeeper.open({
    site: site.name,
    catalog: own.catalog,
    memoryFile: spool.identityFile,
    clusterOfStoredWal: (signal) => clusterOfStored(own, signal),
    clock,
    log,
  });
  const requested = await RequestedBasebackup.open({ site: site.name, file: spool.requestedBasebackupFile, clock, log });
  const names = await UsedNames.open({ site: site.name, file: spool.basebackupNamesFile, log });
  const known = withClusters(sources, () => keeper.identity, clusterOfStored, clock);
  return { sources: known, storeWatch, throttling, spool, spoolTrouble, keeper, requested, names };
}

/** Makes the spool ready for a new life. Resolves to why that cannot be done. */
export async function troubleOf(spool: Spool): Promise<OperatorError | undefined> {
  try {
    await spool.ensure();
    await spool.removeDebris();
    return undefined;
  } catch (error) {
    if (isOperatorError(error, 'spool-unusable')) return error;
    throw error;
  }
}
