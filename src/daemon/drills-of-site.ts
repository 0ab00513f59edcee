import type { Catalog } from '../catalog/catalog.ts';
import type { SiteConfig } from '../config/load.ts';
import { isThere } from '../lib/is-there.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { SiteDrills } from './drills/site-drills.ts';
import type { Ownership } from './ownership.ts';

export interface DrillsOfSite {
  readonly parts: DaemonParts;
  readonly site: SiteConfig;
  readonly catalog: Catalog;
  readonly ownership: Pick<Ownership, 'isHeld'>;
  readonly isRestorable: () => boolean;
  readonly onHeld: () => void;
}

/** Undefined where none are wished for. */
export function drillsOf({ parts, site, catalog, ownership, isRestorable, onHeld }: DrillsOfSite): SiteDrills | undefined {
  const { restore_drill: wishes, active, basebackup_time_zone: timeZone } = site;
  if (!active || wishes?.schedule == null) return undefined;
  const { interval_hours: intervalHours, hour, minute } = wishes.schedule;
  const { config, holdDrill: hold, alerts, metrics, clock, log } = parts;
  return new SiteDrills({
    site: site.name,
    configFile: config.file,
    schedule: { intervalHours, hour: hour ?? undefined, minute: minute ?? undefined, timeZone },
    catalog,
    isOwn: () => ownership.isHeld,
    isRestorable,
    isMaintenance: () => isThere(config.maintenance_mode_file),
    hold,
    onHeld,
    alerts: alerts.from('drills'),
    metrics,
    clock,
    log,
  });
}
