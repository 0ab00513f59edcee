import type { SiteConfig } from '../../config/load.ts';
import type { SeenCluster } from '../../postgres/seen-cluster.ts';
import type { DaemonParts } from '../daemon-parts.ts';
import { ServerWatch, type ServerWatchDeps } from './server-watch.ts';

/** Watches the servers of a site; of one that is not active, none. */
export function openServerWatch(
  parts: DaemonParts,
  site: SiteConfig,
  deps: Pick<ServerWatchDeps, 'alerts' | 'onChange'> & { readonly expected: () => SeenCluster },
): ServerWatch {
  const { clock, random, metrics, log } = parts;
  const nodes = site.active ? site.nodes : [];
  return new ServerWatch({ site: site.name, nodes, probe: parts.openServerProbe(), ...deps, clock, random, metrics, log });
}
