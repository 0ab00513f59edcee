import type { SiteConfig } from '../../../config/load.ts';
import { readsDataDirectory, runsPgBasebackup } from '../../basebackup-mode.ts';

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
  /** Base backups come over the replication protocol, to us or to pg_basebackup. */
  readonly backupByReplication: boolean;
  /** `pg_data_directory` is read. */
  readonly dataDirectory: boolean;
  readonly walDurability: 'local' | 'store';
}

export function needsOf(site: SiteConfig): Needs {
  const mode = site.active_backup_mode;
  return {
    site: site.name,
    archiveCommand: mode === 'archive_command',
    receiving: mode === 'pg_receivexlog' || mode === 'walreceiver' ? mode : undefined,
    backupBySql: readsDataDirectory(site.basebackup_mode),
    pgBasebackup: runsPgBasebackup(site.basebackup_mode),
    backupByReplication: !readsDataDirectory(site.basebackup_mode),
    dataDirectory: site.basebackup_mode !== 'stream' || mode === 'archive_command',
    walDurability: site.wal_durability,
  };
}

export function needsReplication({ receiving, backupByReplication }: Needs): boolean {
  return receiving !== undefined || backupByReplication;
}

/** Nothing is asked of the servers by SQL, and none has to send WAL by itself. */
export function needsOnlyReplication(needs: Needs): boolean {
  return needsReplication(needs) && !needs.backupBySql && !needs.archiveCommand;
}
