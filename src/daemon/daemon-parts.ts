import type { takeBasebackup } from '../basebackup/basebackup.ts';
import type { CodecPool } from '../codec/pool.ts';
import type { DaemonConfig } from '../config/load.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Random } from '../lib/random.ts';
import type { findProgram } from '../postgres/programs.ts';
import type { openStoreOrLater } from '../storage/drivers.ts';
import type { UploadQueue } from '../transfer/upload-queue.ts';
import type { WalNodes } from '../wal/gaps/wal-nodes.ts';
import type { RememberedPosition } from '../wal/receive/start-position.ts';
import type { Alerts } from './alerts/alerts.ts';
import type { HoldDrill } from './drills/drill-process.ts';
import type { SampleBooks } from './health/sample-books.ts';
import type { JobWatch } from './lifecycle/job-watch.ts';
import type { ServedFiles } from './served-files.ts';
import type { endSegmentOfNode } from './servers/end-segment-of-node.ts';
import type { ServerProbe } from './servers/server-probe.ts';

/** Settings above the sites that a site is made of: one that changes makes all sites anew. */
export const settingsForSites = [
  'backup_location',
  'compression',
  'hash_algorithm',
  'maintenance_mode_file',
  'pg_basebackup_path',
  'pg_receivexlog_path',
  'restore_prefetch',
] as const satisfies readonly (keyof DaemonConfig)[];

/** All that a site may know of the configuration beside its own part. */
export type SettingsForSites = Pick<DaemonConfig, (typeof settingsForSites)[number] | 'backup_sites' | 'file'>;

/** What the sites of a daemon share. */
export interface DaemonParts {
  readonly config: SettingsForSites;
  /** For base backups. */
  readonly pool: CodecPool;
  /** For WAL, which must never wait until a chunk of a base backup is done. Threads start when they are first needed. */
  readonly walPool: CodecPool;
  readonly uploads: UploadQueue;
  readonly alerts: Alerts;
  readonly metrics: Metrics;
  /** Whoever does something that may hang, does it under its eyes. */
  readonly jobs: JobWatch;
  /** `spool_reserve_bytes` as it is now. */
  readonly spoolReserve: () => number | null;
  readonly servedFiles: ServedFiles;
  /** For one site. */
  readonly openServerProbe: () => ServerProbe;
  readonly endSegment: typeof endSegmentOfNode;
  readonly walNodes: WalNodes;
  readonly findProgram: typeof findProgram;
  readonly openStore: typeof openStoreOrLater;
  readonly takeBasebackup: typeof takeBasebackup;
  readonly holdDrill: HoldDrill;
  /** Where the servers were and when. */
  readonly sampleBooks: SampleBooks;
  /** What the state file of an earlier life tells of a site. */
  readonly previouslyFlushed: (site: string) => RememberedPosition | undefined;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** Names `backup_location`, see `BackupLocation`. */
  readonly place: () => string | undefined;
  /** Name of this host, for metadata. */
  readonly host: string;
  /** Of this process. */
  readonly pid: number;
  /** Of this package. */
  readonly version: string;
}
