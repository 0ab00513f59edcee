import { type MetricDefinition, ownSince } from './metric-definition.ts';

const site = ['site'] as const;
const store = ['site', 'store'] as const;
const disk = ['place', 'site'] as const;

type Row = readonly [
  name: MetricDefinition['name'],
  kind: MetricDefinition['kind'],
  tags: readonly string[],
  unit: MetricDefinition['unit'],
  meaning: string,
];

const rows: readonly Row[] = [
  [
    'pghoard.verdict',
    'gauge',
    ['site', 'verdict'],
    'yes or no',
    'How the site is: 1 for `ok`, `attention`, `failure`, `unknown` or `inactive`, 0 for the others.',
  ],
  ['pghoard.restorable', 'gauge', site, 'yes or no', 'Whether the site can certainly be restored from what is stored.'],
  [
    'pghoard.newest_restorable_age_seconds',
    'gauge',
    site,
    'seconds',
    'Age of the newest second that can be restored: what would be lost if the server burnt now.',
  ],
  ['pghoard.oldest_restorable_age_seconds', 'gauge', site, 'seconds', 'Age of the oldest second from which on every one can be restored.'],
  ['pghoard.wal_lag_bytes', 'gauge', site, 'bytes', 'WAL that the server has written and the store does not have yet.'],
  ['pghoard.wal_lag_seconds', 'gauge', site, 'seconds', 'Since the store last had all the WAL that the server had written.'],
  ['pghoard.wal_gaps', 'gauge', site, 'places', 'Places where WAL is missing that a restore needs.'],
  ['pghoard.wal_receiver_running', 'gauge', site, 'yes or no', 'Whether WAL is being received, where the site receives it itself.'],
  [
    'pghoard.wal_archive_seconds',
    'histogram',
    ['result', 'site'],
    'seconds',
    'From the time that a WAL file was to be archived until it was stored; `result` is `ok` or `failed`.',
  ],
  ['pghoard.server_reachable', 'gauge', ['node', 'site'], 'yes or no', 'Whether a server of the site answers.'],
  ['pghoard.basebackups', 'gauge', site, 'backups', 'Base backups that are stored.'],
  ['pghoard.basebackups_restorable', 'gauge', site, 'backups', 'Those of which all the WAL that they need is certain to be stored.'],
  ['pghoard.basebackups_unreadable', 'gauge', site, 'objects', 'Objects among the base backups that cannot be read.'],
  [
    'pghoard.basebackups_size_bytes',
    'gauge',
    site,
    'bytes',
    'What base backups take in the store, without WAL; files that `delta` backups share count for each of them.',
  ],
  ['pghoard.newest_basebackup_age_seconds', 'gauge', site, 'seconds', 'Since the newest base backup ended.'],
  ['pghoard.newest_basebackup_size_bytes', 'gauge', site, 'bytes', 'What it takes in the store.'],
  ['pghoard.basebackup_running', 'gauge', site, 'yes or no', 'Whether a base backup is being taken.'],
  ['pghoard.basebackup_failures_in_a_row', 'gauge', site, 'backups', 'Base backups that failed since the last one that became complete.'],
  ['pghoard.retention_postponed', 'gauge', site, 'yes or no', 'Whether something that retention is to delete is still there.'],
  ['pghoard.verify_bytes', 'counter', site, 'bytes', 'What was stored and has been read again, as `verify` of the site says.'],
  ['pghoard.verify_damaged_objects', 'gauge', site, 'objects', 'Objects that were found damaged, and have not been mended.'],
  ['pghoard.verify_unproven_bytes', 'gauge', site, 'bytes', 'What is stored and was never read again, or has changed since.'],
  ['pghoard.verify_oldest_age_seconds', 'gauge', site, 'seconds', 'Since what was read longest ago was read.'],
  ['pghoard.alert', 'gauge', ['alert', 'site'], 'yes or no', 'Whether an alert is raised, by its name (as that of its file).'],
  ['pghoard.spool_bytes', 'gauge', site, 'bytes', 'What waits on the disk until it is stored.'],
  ['pghoard.spool_files', 'gauge', site, 'files', 'The same in files.'],
  ['pghoard.job_stalled', 'counter', ['job', 'site'], 'times', 'Jobs that made no progress any more; `job` as in `stalled_after_seconds`.'],
  ['pghoard.worker_died', 'counter', [], 'times', 'Threads that died in the midst of their work.'],
  [
    'pghoard.job_step_seconds',
    'counter',
    ['job', 'step'],
    'seconds',
    'Processor time of the threads that work on contents, if `measure_steps` is on: `step` is `read`, `compress`, `encrypt`, `hash`, `write`, `fsync`, `decompress`, `decrypt` or `rest`; `job` is the name of the work.',
  ],
  ['pghoard.transfer_queue', 'gauge', [], 'jobs', 'Uploads that wait or are under way.'],
  ['pghoard.compression_queue', 'gauge', [], 'jobs', 'Jobs of compression, encryption and reading that wait or are under way.'],
  ['pghoard.upload_retries', 'counter', ['site', 'type'], 'times', 'Uploads that failed and will be tried again.'],
  ['pghoard.store_reachable', 'gauge', site, 'yes or no', 'Whether the store answered the last time.'],
  [
    'pghoard.store_request_seconds',
    'histogram',
    ['operation', 'result', ...store],
    'seconds',
    'How long requests to the store took, each attempt for itself. `store` is the storage type, `result` is `ok` or `failed`.',
  ],
  [
    'pghoard.store_errors',
    'counter',
    ['error', 'operation', ...store],
    'times',
    'Requests to the store that failed, by the code of the error (docs/errors.md).',
  ],
  ['pghoard.store_bytes', 'counter', ['operation', ...store], 'bytes', 'Content that went to the store or came from it.'],
  ['pghoard.store_throttled', 'counter', store, 'times', 'Requests that the store refused because there were too many.'],
  [
    'pghoard.disk_free_bytes',
    'gauge',
    disk,
    'bytes',
    'Room left on a disk of this host. `place` is `spool`, `store` (of the type `local`) or `pgdata`; the spool is that of all sites.',
  ],
  ['pghoard.disk_size_bytes', 'gauge', disk, 'bytes', 'Size of that disk.'],
  [
    'pghoard.disk_full_seconds',
    'gauge',
    disk,
    'seconds',
    'Forecast of when it is full, if things go on as in the last half hour. A year: not soon, or not getting fuller.',
  ],
  ['pghoard.process_resident_memory_bytes', 'gauge', [], 'bytes', 'Memory of the daemon.'],
  ['pghoard.process_heap_bytes', 'gauge', [], 'bytes', 'Of this, what JavaScript of the main thread uses.'],
  [
    'pghoard.process_cpu_seconds',
    'counter',
    [],
    'seconds',
    'Processor time of the daemon with all its threads; not that of programs that it starts.',
  ],
  ['pghoard.process_open_fds', 'gauge', [], 'files', 'Open file descriptors.'],
  [
    'pghoard.process_event_loop_delay_seconds',
    'gauge',
    [],
    'seconds',
    'The longest time in the last minute for which the main thread did not get to what was next.',
  ],
  ['pghoard.process_start_time_seconds', 'gauge', [], 'seconds', 'When the daemon was started, since 1970.'],
  ['pghoard.build_info', 'gauge', ['version'], 'yes or no', 'Always 1; `version` is that of pghoard.'],
  ['pghoard.configuration_reload_ok', 'gauge', [], 'yes or no', 'Whether the configuration was read well the last time.'],
  ['pghoard.metrics_push_failures', 'counter', [], 'times', 'Pushes of metrics to the pushgateway that failed.'],
];

/** What the original did not tell. */
export const ownMetrics: readonly MetricDefinition[] = rows.map(([name, kind, tags, unit, meaning]) => {
  return { name, kind, tags: tags.toSorted(), unit, meaning, since: ownSince };
});
