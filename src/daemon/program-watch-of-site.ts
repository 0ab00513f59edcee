import type { SiteConfig } from '../config/load.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { ProgramWatch } from './program-watch.ts';
import { placeOf, programsOf } from './site-programs.ts';

/** Watches over the programs that the modes of a site run. */
export function programWatchOf(
  { config, findProgram: find, alerts, clock, log }: DaemonParts,
  site: SiteConfig,
  cluster: ClusterWatch,
): ProgramWatch {
  return new ProgramWatch({
    site: site.name,
    programs: programsOf(site).map((name) => [name, placeOf(name, site, config)]),
    pgVersion: () => cluster.facts.pgVersion,
    alerts: alerts.from('programs'),
    find,
    clock,
    log,
  });
}
