/** Where the server of a drill is. Paths are absolute. */
export interface ScratchPlace {
  /** Of its own settings files. */
  readonly directory: string;
  readonly socketDirectory: string;
}

/** Names the socket; nothing listens on a network. */
export const scratchPort = 5432;

/**
 * Settings of a restored server that nobody but the drill may notice: it listens on a socket only, archives nothing, connects to nobody (subscriptions, standbys, jobs of
 * extensions), and takes little. Given on the command line, they come before those that the backup has in postgresql.auto.conf.
 */
export function scratchSettings({ directory, socketDirectory }: ScratchPlace, major: number): ReadonlyMap<string, string> {
  const settings: [name: string, value: string, since?: number][] = [
    ['config_file', `${directory}/postgresql.conf`],
    ['hba_file', `${directory}/pg_hba.conf`],
    ['ident_file', `${directory}/pg_ident.conf`],
    ['listen_addresses', ''],
    ['unix_socket_directories', socketDirectory],
    ['port', String(scratchPort)],
    ['ssl', 'off'],
    ['archive_mode', 'off'],
    ['archive_command', ''],
    ['archive_library', '', 15],
    ['primary_conninfo', ''],
    ['primary_slot_name', ''],
    ['synchronous_standby_names', ''],
    ['recovery_min_apply_delay', '0'],
    ['max_logical_replication_workers', '0'],
    ['shared_preload_libraries', ''],
    ['session_preload_libraries', ''],
    ['local_preload_libraries', ''],
    ['event_triggers', 'off', 17],
    ['logging_collector', 'off'],
    ['log_destination', 'stderr'],
    ['log_line_prefix', ''],
    ['lc_messages', 'C'],
    // Without read-only connections during recovery the sizes below need not be those of the source.
    ['hot_standby', 'off'],
    ['max_connections', '20'],
    ['max_prepared_transactions', '1000'],
    ['max_worker_processes', '4'],
    ['max_locks_per_transaction', '256'],
    ['shared_buffers', '64MB'],
    ['work_mem', '8MB'],
    ['maintenance_work_mem', '64MB'],
    ['huge_pages', 'off'],
    ['max_wal_size', '256MB'],
    ['autovacuum', 'off'],
    ['jit', 'off'],
    // It is thrown away.
    ['fsync', 'off'],
    ['full_page_writes', 'off'],
    ['synchronous_commit', 'off'],
  ];
  return new Map(settings.filter(([, , since = 0]) => major >= since).map(([name, value]) => [name, value]));
}
