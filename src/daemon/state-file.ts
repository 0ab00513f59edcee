import { readFile } from 'node:fs/promises';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { formatSiteIdentity, type SiteIdentity } from '../catalog/site-identity.ts';
import { parseTimestamp } from '../catalog/timestamp.ts';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import { systemErrorCode } from '../lib/errors.ts';
import { type AsJson, formatJson } from '../lib/json.ts';
import type { SealingState } from '../transfer/sealing-stats.ts';
import type { TransferState } from '../transfer/transfer-stats.ts';
import type { ReceiverStatus, WalReceiver } from '../wal/receive/receiver.ts';
import type { RememberedPosition } from '../wal/receive/start-position.ts';
import type { Admission } from './admission.ts';
import type { Alerts } from './alerts/alerts.ts';
import type { HeartbeatView } from './alerts/heartbeat.ts';
import type { ThrottleWatch } from './alerts/throttle-watch.ts';
import { healthAsDocument } from './health/health-document.ts';
import type { HealthWatch } from './health/health-watch.ts';
import type { OwnProcess } from './own-process.ts';
import type { Ownership } from './ownership.ts';
import { normalizedBackupTime } from './schedule.ts';
import type { ServedFiles } from './served-files.ts';
import type { SiteLoop } from './site-loop.ts';
import type { WalGaps } from './wal-gaps.ts';
import { describeWal } from './wal-gaps-state.ts';

/** Monitoring runs as another user. */
const stateFileMode = 0o644;

export interface DaemonState {
  readonly startupTime: Date;
  readonly version: string;
  readonly sites: readonly {
    readonly name: string;
    readonly loop: Pick<
      SiteLoop,
      'backupActivity' | 'because' | 'dueAt' | 'listing' | 'preserved' | 'requestedSince' | 'retentionPostponed' | 'schedule'
    >;
    readonly receiver?: Pick<WalReceiver, 'status'> | undefined;
    readonly gaps?: Pick<WalGaps, 'gaps' | 'troubles' | 'view' | 'listed'> | undefined;
    readonly admission?: Pick<Admission, 'identity'>;
    readonly ownership?: Pick<Ownership, 'view'> | undefined;
    readonly throttling?: Pick<ThrottleWatch, 'throttledMs'>;
    readonly healthWatch?: Pick<HealthWatch, 'health' | 'memory'>;
  }[];
  readonly compressionQueue: number;
  readonly transferQueue: number;
  readonly transfers: TransferState;
  readonly sealing: SealingState;
  readonly compressionThreads: number;
  readonly servedFiles: Pick<ServedFiles, 'snapshot'>;
  readonly alerts: Pick<Alerts, 'active' | 'view'>;
  /** By site. */
  readonly heartbeats: Readonly<Record<string, HeartbeatView>>;
  readonly process: OwnProcess;
}

/** The state in the shape that the original's state file has; what is only ours is under `pghoard`. */
export function describeState(state: DaemonState) {
  const perSite = <T>(value: (loop: DaemonState['sites'][number]['loop']) => T | undefined) =>
    Object.fromEntries(state.sites.map(({ name, loop }) => [name, value(loop)] as const).filter(([, found]) => found !== undefined));
  const receivers = (value: (status: ReceiverStatus) => unknown) =>
    Object.fromEntries(
      state.sites.flatMap(({ name, receiver }) => (receiver ? [[name, value(receiver.status)] as const] : [])).filter(([, found]) => found),
    );
  return {
    startup_time: state.startupTime.toISOString().slice(0, -1),
    backup_sites: perSite((loop) => ({
      basebackups: (loop.listing?.entries ?? []).map((entry) => describeBasebackup(entry, loop)),
    })),
    walreceivers: receivers(
      (status) => status.mode === 'walreceiver' && { ...describeActivity(status), last_flushed_lsn: flushedLsn(status) },
    ),
    pg_receivexlogs: receivers((status) => status.mode === 'pg_receivexlog' && describeActivity(status)),
    pg_basebackups: perSite(
      ({ backupActivity: activity }) => activity && { latest_activity: activity.latestActivity, running: activity.running },
    ),
    // One for each thread, whose sums are what is read: which thread sealed what, ours do not tell.
    compressors: Array.from({ length: state.compressionThreads }, (_thread, index) => (index === 0 ? state.sealing : {})),
    queues: { compression_queue: state.compressionQueue, transfer_queue: state.transferQueue },
    transfer_agent_state: state.transfers,
    served_files: state.servedFiles.snapshot(),
    pghoard: {
      version: state.version,
      alerts: state.alerts.active,
      alerting: { ...state.alerts.view, heartbeats: state.heartbeats },
      process: describeProcess(state.process),
      wal_receivers: receivers(({ because, waiting, rejected }) => ({ because, waiting, rejected })),
      sites: Object.fromEntries(state.sites.map((site) => [site.name, describeSite(site)])),
    },
  };
}

/** The state file, and so `GET /status`. */
export type StatusDocument = AsJson<ReturnType<typeof describeState>>;

/** Replaces the state file; readers see the old one or the new one. */
export async function writeStateFile(path: string, state: DaemonState): Promise<void> {
  await writeFileAtomic(path, formatJson(describeState(state)), { mode: stateFileMode });
}

/** What a previous life of any version left; undefined where there is nothing that can be read. `onDamaged` hears of a file that is none of ours. */
export async function readStateFile(
  path: string,
  onDamaged: (error: unknown) => void = () => {},
): Promise<Record<string, unknown> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) onDamaged(error);
    if (error instanceof SyntaxError || systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The transfer statistics in a state file of any version. 1.4.0 had one copy of them per thread. */
export function previousTransfers(previous: Record<string, unknown> | undefined): unknown {
  const copies = previous?.['transfer_agents'];
  return previous?.['transfer_agent_state'] ?? (Array.isArray(copies) ? copies[0] : undefined);
}

function describeProcess({ pid, memoryBytes, heapBytes, openFiles, threads, resources }: OwnProcess) {
  return { pid, memory_bytes: memoryBytes, heap_bytes: heapBytes, open_files: openFiles ?? null, threads: threads ?? null, resources };
}

function describeSite({ loop, gaps, admission, ownership, throttling, healthWatch }: DaemonState['sites'][number]) {
  return {
    identity: describeIdentity(admission?.identity),
    lease: ownership?.view ?? null,
    wal: gaps ? describeWal(gaps) : null,
    because: loop.because,
    next_basebackup_due: loop.dueAt ?? null,
    basebackup_requested_since: loop.requestedSince ?? null,
    retention_postponed: loop.retentionPostponed ?? null,
    unreadable_basebackups: loop.listing?.unreadable ?? [],
    store_throttled_seconds: Math.round((throttling?.throttledMs ?? 0) / 1000),
    basebackup_progress: loop.backupActivity?.progress ?? null,
    health: healthWatch ? healthAsDocument(healthWatch.health) : null,
    server_samples: healthWatch?.memory ?? null,
  };
}

function describeActivity({ latestActivity, running }: ReceiverStatus) {
  return { latest_activity: latestActivity, running };
}

/** A number, as the original has it: 2^53 bytes of WAL are more than a cluster writes in its life. */
function flushedLsn({ lastFlushed }: ReceiverStatus): number | null {
  return lastFlushed === undefined ? null : Number(lastFlushed);
}

/** As it stands in the store, but for the format. */
function describeIdentity(identity: SiteIdentity | undefined): Record<string, unknown> | null {
  if (identity === undefined) return null;
  const { format: _format, ...fields } = formatSiteIdentity(identity);
  return fields;
}

const times = ['start-time', 'end-time', 'backup-decision-time'];

/** How far the WAL of a site had been received, according to a state file of any version. Ours have a part of their own. */
export function previousFlushed(previous: Record<string, unknown> | undefined, site: string): RememberedPosition | undefined {
  const receivers = previous?.['walreceivers'] as Record<string, Record<string, unknown> | null> | null | undefined;
  const lsn = receivers?.[site]?.['last_flushed_lsn'];
  if (typeof lsn !== 'number' || !Number.isSafeInteger(lsn) || lsn <= 0) return undefined;
  return { lsn: BigInt(lsn), byOriginal: previous?.['pghoard'] === undefined };
}

/** What old versions did not store is filled in, as the scheduler does. */
function describeBasebackup(
  entry: BasebackupEntry,
  { schedule, preserved }: Pick<SiteLoop, 'preserved' | 'schedule'>,
): Record<string, unknown> {
  const stored = Object.entries(entry.metadata).map(([key, text]) => [key, times.includes(key) ? (parseTimestamp(text) ?? text) : text]);
  return {
    name: entry.key.slice(entry.key.lastIndexOf('/') + 1),
    size: entry.size,
    last_modified: entry.lastModified,
    metadata: {
      'backup-decision-time': entry.startTime,
      'backup-reason': 'scheduled',
      'normalized-backup-time': normalizedBackupTime(schedule, entry.startTime) ?? null,
      ...Object.fromEntries(stored),
      'preserve-until': preserved.get(entry.name) ?? null,
    },
    ...(entry.digest !== undefined && { md5: entry.digest }),
  };
}
