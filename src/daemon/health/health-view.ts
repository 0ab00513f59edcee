import type { BasebackupProgress } from '../../basebackup/job.ts';
import type { BasebackupListing } from '../../catalog/catalog.ts';
import { noEvidence } from '../../catalog/evidence/read-evidence.ts';
import { noWalTimes, type RecoverabilityFacts } from '../../catalog/recoverability/facts.ts';
import type { ClockSetBack, ServerSample, WalPosition } from '../../catalog/recoverability/server-samples.ts';
import type { WalArchiveView } from '../../catalog/wal-archive-view.ts';
import type { Gaps } from '../../wal/gaps/gaps.ts';
import type { KnownTrouble } from '../../wal/gaps/trouble-book.ts';
import type { ReceiverStatus } from '../../wal/receive/receiver.ts';
import type { NextAction } from './next-action.ts';

/** Everything about a site that its health depends on. What is not known is undefined, or says why. */
export interface SiteHealthView {
  readonly site: string;
  readonly now: Date;
  readonly active: boolean;
  /** `active_backup_mode`. */
  readonly walMode: string;
  readonly backups: BackupsView;
  /** Undefined where this daemon archives none. */
  readonly wal: WalView | undefined;
  readonly servers: ServersView;
  readonly store: StoreView;
  /** What waits on the disk for its upload. */
  readonly spool: SpoolView;
  /** Those of the site. */
  readonly alerts: readonly HealthAlert[];
  /** Why the site does what it does. */
  readonly because: string;
  /** What retention deletes next, as far as that is known. */
  readonly deletion: NextAction | undefined;
  readonly knowledge: RecoverabilityKnowledge;
}

/** What else it depends on which moments can be restored. */
export type RecoverabilityKnowledge = Pick<RecoverabilityFacts, 'alone' | 'evidence' | 'restorePoints' | 'times' | 'unfinished'>;

export const noKnowledge: RecoverabilityKnowledge = {
  alone: new Set(),
  evidence: noEvidence,
  restorePoints: [],
  times: noWalTimes,
  unfinished: [],
};

export interface BackupsView {
  /** Complete ones, oldest first; undefined until they are listed. */
  readonly listing: BasebackupListing | undefined;
  /** In a row, since the last one that was completed. */
  readonly failures: number;
  /** When the next one is due by the schedule. */
  readonly dueAt: Date | undefined;
  readonly running: RunningBackupView | undefined;
}

export interface RunningBackupView {
  readonly startedAt: Date;
  /** By a clock that is never set. */
  readonly elapsedMs: number;
  readonly progress: BasebackupProgress | undefined;
}

export interface WalView {
  /** What is stored, or why that is not known. */
  readonly archive: WalArchiveView | string;
  readonly gaps: Gaps | undefined;
  readonly troubles: readonly KnownTrouble[];
  readonly beginning: WalPosition | undefined;
  readonly receiver: ReceiverStatus | undefined;
}

export interface ServersView {
  /** Of primaries, as `withSample` keeps them. */
  readonly samples: readonly ServerSample[];
  readonly clockSetBack: ClockSetBack | undefined;
  /** How long ago the last of them was taken, by a clock that is never set; undefined where an earlier life took it. */
  readonly sampledMsAgo: number | undefined;
  /** Why no primary tells where it is. */
  readonly obstacle: string | undefined;
  /** All servers that are named answer, and none of them is a primary. */
  readonly onlyStandbys: boolean;
}

export interface StoreView {
  /** By a clock that is never set, with the dates to show. */
  readonly lastSuccess: StoreContact | undefined;
  readonly lastFailure: (StoreContact & { readonly because: string }) | undefined;
}

export interface StoreContact {
  readonly at: Date;
  readonly msAgo: number;
}

export type SpoolView = { readonly files: number; readonly bytes: number } | { readonly because: string };

export interface HealthAlert {
  readonly name: string;
  readonly because: string;
}
