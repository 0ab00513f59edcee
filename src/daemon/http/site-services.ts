import type { Catalog } from '../../catalog/catalog.ts';
import type { Recoverability } from '../../catalog/recoverability/recoverability.ts';
import type { PlanDeps, PlanRequest } from '../../restore/plan/plan-request.ts';
import type { RestorePlanDocument } from '../../restore/plan/restore-plan-document.ts';
import type { PendingConfirmation } from '../../retention/confirmation.ts';
import type { WalArchiver } from '../../wal/archive.ts';
import type { WalFetcher } from '../../wal/fetch.ts';
import type { WalHistory } from '../../wal/index/wal-history.ts';
import type { SiteHealth } from '../health/site-health.ts';
import type { Reply } from './reply.ts';

/** What the routes need of a site. */
export interface SiteServices {
  readonly name: string;
  readonly archiver: Pick<WalArchiver, 'archive'>;
  readonly fetcher: Pick<WalFetcher, 'fetch'>;
  /** Of the site itself first, then of the sites that it was moved from. */
  readonly catalogs: readonly Catalog[];
  /** Of them, those of the same cluster as the site. */
  relatives(signal: AbortSignal): Promise<readonly Catalog[]>;
  /** How it is now. */
  readonly health: SiteHealth;
  /** Which moments can be restored, as it is known now. */
  readonly recoverability: { readonly at: Date; readonly found: Recoverability };
  /** What a restore would do, as it is known now. Throws as `makeRestorePlan`, and `recoverability-unknown`. */
  plan(request: PlanRequest, how: PlanHow, signal: AbortSignal): Promise<RestorePlanDocument>;
  /** What happened in the WAL, from what is stored beside it. Undefined where that is not noted (`wal_index`). */
  readonly history: Pick<WalHistory, 'between'> | undefined;
  /** Asks for a base backup as soon as may be. May reject with an OperatorError, where the site takes none. */
  requestBasebackup(): void | Promise<void>;
  /** What retention deletes only if somebody says that it is meant, and why something that is to go is still there. */
  readonly retention: { readonly pending: PendingConfirmation | undefined; readonly postponed: string | undefined };
  /** Has deleted what waits for it under this digest. Throws `retention-not-pending` where that is not so. */
  confirmDeletion(digest: string): void;
  /** The configured data directory's `pg_wal` or `pg_xlog` (see `findWalDirectory`); `undefined` where there is none on this host. */
  walDirectory(): Promise<string | undefined>;
}

/** How a restore is done with this daemon. */
export type PlanHow = Pick<PlanDeps, 'daemon' | 'configFile'>;

/** What the routes need of the daemon. */
export interface DaemonServices {
  /** Changes as sites come and go. */
  readonly sites: ReadonlyMap<string, SiteServices>;
  /** The state file as it is. */
  readonly readStatus: () => Promise<string | Uint8Array>;
  /** Text in Prometheus' format; undefined where no `prometheus` section is configured. */
  readonly metrics?: () => string | undefined;
  /** How all sites are, for those who look on. */
  readonly live: { readonly answer: (method: string, signal: AbortSignal) => Reply };
  readonly limits: WaitLimits;
  readonly planHow: () => PlanHow;
}

export interface WaitLimits {
  /** How long an archive request waits for its upload, which goes on after that. */
  readonly archiveWaitMsMax: number;
  /** How long a restore request waits for its file; the transfer goes on after that. */
  readonly restoreWaitMsMax: number;
  /** How long looking into the store may take. */
  readonly lookWaitMsMax: number;
}

export const waitLimitsDefault: WaitLimits = { archiveWaitMsMax: 30_000, restoreWaitMsMax: 120_000, lookWaitMsMax: 60_000 };
