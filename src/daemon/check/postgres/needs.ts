import type { SiteConfig } from '../../../config/load.ts';
import { readsDataDirectory } from '../../basebackup-job.ts';

/** What the modes of a site ask of its servers. */
export interface Needs {
  readonly site: string;
  /** WAL comes by archive_command. */
  readonly archiveCommand: boolean;
  /** WAL is received. */
  readonly receiving: 'pg_receivexlog' | 'walreceiver' | undefined;
  /** Base backups are taken by SQL, from the files of the data directory. */
  readonly backupBySql: boolean;
  /** Base backups are taken by pg_basebackup. */
  readonly pgBasebackup: boolean;
  readonly walDurability: 'local' | 'store';
}

export function needsOf(site: SiteConfig): Needs {
  const mode = site.active_backup_mode;
  return {
    site: site.name,
    archiveCommand: mode === 'archive_command',
    receiving: mode === 'pg_receivexlog' || mode === 'walreceiver' ? mode : undefined,
    backupBySql: readsDataDirectory(site.basebackup_mode),
    pgBasebackup: !readsDataDirectory(site.basebackup_mode),
    walDurability: site.wal_durability,
  };
}

export function needsReplication({ receiving, pgBasebackup }: Needs): boolean {
  return receiving !== undefined || pgBasebackup;
}
