export type Severity = 'critical' | 'warning';

export interface AlertKind {
  /** `critical`: what is written now may not be restorable. `warning`: it is, and somebody should look before that changes. */
  readonly severity: Severity;
  /** What to do next. */
  readonly hint: string;
}

/** Every alert there is. `docs/alerts.md` tells of each, and monitoring built for the original knows some of the names. */
const catalogue = {
  authentication_error: {
    severity: 'critical',
    hint: 'Correct the user or the password in "nodes" (or the password file), or pg_hba.conf on the server.',
  },
  basebackup_failing: {
    severity: 'critical',
    hint: 'See why in the log; "pghoard check" finds most causes. Attempts go on, at longer and longer intervals.',
  },
  basebackup_overdue: {
    severity: 'warning',
    hint: 'See in /status (pghoard.sites) what it waits for: maintenance mode, another daemon, a server that does not answer.',
  },
  cluster_mismatch: {
    severity: 'critical',
    hint: 'Correct "nodes", pg_data_directory or archive_command; a new cluster or a copy needs a site of its own (guide, section 11).',
  },
  configuration_error: {
    severity: 'critical',
    hint: 'See whether the server runs and lets pghoard in as "nodes" says; "pghoard check" tells more.',
  },
  configuration_not_reloaded: {
    severity: 'warning',
    hint: 'Mend the configuration file and reload again: the one that is in force goes on, but pghoard would not start with this one.',
  },
  disk_nearly_full: {
    severity: 'critical',
    hint: 'Make room on the disk, or mend what keeps WAL from being stored: a full pg_wal stops the server.',
  },
  job_stalled: {
    severity: 'critical',
    hint: 'Look for a disk, a mount, a server or a process that does not answer; everything else goes on (stalled_after_seconds).',
  },
  lease_lost: {
    severity: 'warning',
    hint: 'Find out why this daemon stood still: the other one does its work now, and this one archives and restores only (guide, section 12).',
  },
  page_checksum_errors: {
    severity: 'critical',
    hint: 'Keep an older base backup that has none (preserve it), and find out what damages the disk. See which table it is: oid2name, or pg_filenode_relation().',
  },
  restorable_window_stalled: {
    severity: 'critical',
    hint: 'Whatever was written since cannot be restored yet. Look for other alerts of the site, and at archive_timeout.',
  },
  restore_drill_failed: {
    severity: 'critical',
    hint: 'See what failed with "pghoard drill" (guide, section 15), keep older base backups (preserve them), and take a new one.',
  },
  restore_drill_overdue: {
    severity: 'warning',
    hint: 'Mend what keeps drills from being held: "pghoard drill" tells. Until then nothing proves that the site can be restored.',
  },
  retention_confirmation: {
    severity: 'warning',
    hint: 'See what would go with "pghoard retention --dry-run". Mend the setting or the clock, or say that it is meant: "pghoard retention --confirm" (guide, section 4).',
  },
  spool_unusable: {
    severity: 'critical',
    hint: 'Remove what is in the way below backup_location, or correct owner and mode. WAL waits in pg_wal, and everything goes on without a restart.',
  },
  store_denied: {
    severity: 'critical',
    hint: 'Renew the credentials in object_storage, or mend the file that it names, or their rights. WAL waits, and everything goes on without a restart.',
  },
  store_empty: {
    severity: 'critical',
    hint: 'Mount the disk of the store, or correct object_storage and prefix. If it is empty on purpose, remove the file that the message names.',
  },
  store_missing: {
    severity: 'critical',
    hint: 'Bring the bucket back, or correct its name, region or account. To begin anew, remove the file that the message names.',
  },
  store_throttled: {
    severity: 'warning',
    hint: 'Raise the limits of the account, or give fewer threads to transfers; meanwhile everything takes longer.',
  },
  two_primaries: {
    severity: 'critical',
    hint: 'Stop the one that should not be a primary, before more is written to it: that will be lost.',
  },
  upload_retries_warning: {
    severity: 'warning',
    hint: 'See whether the store answers, with "pghoard check". Uploads are repeated until it does.',
  },
  verify_failed: {
    severity: 'critical',
    hint: 'See all of it with "pghoard verify". Bring the object back from a copy of the store, or have a new base backup taken and let the damaged one go (guide, section 4).',
  },
  version_mismatch_error: {
    severity: 'critical',
    hint: 'Install the PostgreSQL programs of the version of the server, and name them in pg_bin_directory or the *_path settings.',
  },
  version_unsupported_error: {
    severity: 'critical',
    hint: 'Use a server of a version that pghoard supports, or a pghoard that supports the server.',
  },
  wal_gap: {
    severity: 'critical',
    hint: 'It is fetched from wherever it still is; else a base backup ends it. See pghoard.sites.SITE.wal in /status (guide, section 7).',
  },
  wal_not_archived: {
    severity: 'critical',
    hint: 'See pg_stat_archiver and the log of the server, or what receives the WAL; WAL waits in pg_wal, so watch its disk.',
  },
  wrong_server: {
    severity: 'critical',
    hint: 'Correct the entry in "nodes", or give that cluster a site of its own (guide, section 11).',
  },
  worker_crashed: {
    severity: 'warning',
    hint: 'The work was begun anew. If it goes on, look for a lack of memory, and report what the log says.',
  },
} as const satisfies Readonly<Record<string, AlertKind>>;

export type AlertName = keyof typeof catalogue;

export const alertKinds: Readonly<Record<AlertName, AlertKind>> = catalogue;
export const alertNames = Object.keys(catalogue) as readonly AlertName[];

export function isAlertName(name: string): name is AlertName {
  return Object.hasOwn(catalogue, name);
}
