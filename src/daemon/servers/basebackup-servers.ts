import type { SiteConfig } from '../../config/load.ts';
import { readsDataDirectory } from '../basebackup-mode.ts';
import { type BasebackupChoice, chooseForBasebackup } from './choose-for-basebackup.ts';
import { isTorn } from './leader.ts';
import { findLocalServer } from './local-server.ts';
import type { ServerWatch } from './server-watch.ts';

/** Which servers the next base backup of a site may be taken from, as things are now. */
export async function serversForBasebackup(
  site: SiteConfig,
  servers: Pick<ServerWatch, 'lagSeconds' | 'leader' | 'nodes' | 'usable'>,
  failures: number,
): Promise<BasebackupChoice> {
  const { nodes, usable, leader, lagSeconds } = servers;
  const directory = readsDataDirectory(site.basebackup_mode) ? site.pg_data_directory : null;
  return chooseForBasebackup({
    nodes,
    usable,
    leader,
    from: site.basebackup_from,
    local: directory === null ? undefined : await findLocalServer(usable, directory),
    lagSeconds,
    lagSecondsMax: site.basebackup_standby_lag_seconds_max,
    isTorn: leader !== undefined && isTorn(usable, leader),
    failures,
  });
}
