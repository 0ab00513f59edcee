import { Catalog } from '../catalog/catalog.ts';
import { SiteKeys } from '../catalog/keys.ts';
import { readSiteIdentity } from '../catalog/site-identity.ts';
import type { SiteConfig } from '../config/load.ts';
import type { Clock } from '../lib/clock.ts';
import { isOperatorError } from '../lib/errors.ts';
import type { RequestObserver } from '../storage/request-observer.ts';
import { type SourceCluster, sourcesOfOneCluster, type WalSource } from '../wal/stored-wal.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { storeMetrics } from './metrics/store-metrics.ts';
import { privateKeyFinder, relatedSites } from './site-keys.ts';

/** The site itself first, then the sites that it was moved from. */
export type SiteSources = readonly [WalSource, ...WalSource[]];

type SourceParts = Pick<DaemonParts, 'config' | 'log' | 'metrics' | 'openStore'>;
type Signal = AbortSignal | undefined;
type ClusterOf = (source: WalSource, signal: Signal) => Promise<SourceCluster | undefined>;

/** A site without an identity may get one at any time, from a daemon on another host. */
const unknownMsMax = 600_000;

/** What belongs to the cluster of the site, itself first. */
export async function catalogsOfOneCluster(sources: SiteSources, signal: Signal): Promise<readonly [Catalog, ...Catalog[]]> {
  const [own] = sources;
  const others: Catalog[] = [];
  for await (const source of sourcesOfOneCluster(sources, signal)) if (source !== own) others.push(source.catalog);
  return [own.catalog, ...others];
}

/** `watches` hear of what is asked of the site's own store. */
export async function openSources(site: SiteConfig, parts: SourceParts, watches: readonly RequestObserver[]): Promise<SiteSources> {
  const [own, ...moved] = relatedSites(parts.config, site);
  const open = (each: SiteConfig, ...others: RequestObserver[]) => openSource(each, parts, others);
  return [await open(own, ...watches), ...(await Promise.all(moved.map((each) => open(each))))];
}

/** The same sources, each able to tell of which cluster it is. `own`: what the site knows of itself already. `clusterOfStored`: costs a listing. */
export function withClusters(
  [first, ...moved]: SiteSources,
  own: () => SourceCluster | undefined,
  clusterOfStored: ClusterOf,
  clock: Clock,
): SiteSources {
  const asked = ([source, find]: [WalSource, ClusterOf]) => remembering((signal) => find(source, signal), clock);
  const readOrDerive: ClusterOf = async (source, signal) => (await read(source, signal)) ?? clusterOfStored(source, signal);
  // Where there is nothing to compare with, it is not worth a listing.
  const ask = asked([first, moved.length === 0 ? read : readOrDerive]);
  return [
    { ...first, cluster: async (signal) => own() ?? ask(signal) },
    ...moved.map((source) => ({ ...source, cluster: asked([source, readOrDerive]) })),
  ];
}

/** What a newer version has written there keeps nobody from restoring. */
async function read({ catalog }: WalSource, signal: Signal): Promise<SourceCluster | undefined> {
  try {
    return await readSiteIdentity(catalog, signal);
  } catch (error) {
    if (isOperatorError(error, 'identity-unreadable')) return undefined;
    throw error;
  }
}

function remembering(find: (signal: Signal) => Promise<SourceCluster | undefined>, clock: Clock): NonNullable<WalSource['cluster']> {
  let found: SourceCluster | undefined;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  return async (signal) => {
    if (found !== undefined || clock.monotonicMs() - askedAtMs < unknownMsMax) return found;
    found = await find(signal);
    askedAtMs = clock.monotonicMs();
    return found;
  };
}

async function openSource(
  site: SiteConfig,
  { log, metrics, openStore }: SourceParts,
  others: readonly RequestObserver[],
): Promise<WalSource> {
  const store = await openStore(site.object_storage, log.child({ site: site.name }), [storeMetrics(metrics, site), ...others]);
  return { site: site.name, catalog: new Catalog(store, new SiteKeys(site.prefix)), privateKeyOf: privateKeyFinder(site) };
}
