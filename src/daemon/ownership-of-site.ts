import type { Catalog } from '../catalog/catalog.ts';
import { SiteLease } from '../catalog/site-lease.ts';
import type { SiteConfig } from '../config/load.ts';
import type { Admission } from './admission.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { Ownership } from './ownership.ts';

export interface OwnershipParts {
  readonly parts: DaemonParts;
  readonly site: SiteConfig;
  readonly catalog: Catalog;
  readonly admission: Admission;
  readonly cluster: ClusterWatch;
  readonly onChange: () => void;
}

/** Where several daemons may work on a site none takes its lease without a look at whether the store is the right one. */
export function ownershipOf({ parts, site, catalog, admission, cluster, onChange }: OwnershipParts): Ownership {
  const { host, pid, version, place, clock, random, log } = parts;
  const ttlMs = (site.lease_seconds ?? 60) * 1000;
  const beforeTaking = admission.confirmStore.bind(admission);
  const about = { host, pid, version, place: place() };
  const lease = site.lease_seconds === null ? undefined : new SiteLease({ catalog, ttlMs, ...about, beforeTaking, clock, random });
  return new Ownership({ site: site.name, lease, ttlMs, admission, cluster, onChange, clock, log });
}
