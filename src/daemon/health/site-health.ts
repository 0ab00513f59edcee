import { type BackupsHealth, backupsHealth } from './backups-health.ts';
import { findingsOf, type RecoverabilityFinder } from './findings.ts';
import type { HealthAlert, SiteHealthView, SpoolView } from './health-view.ts';
import { jobsOf, type RunningJob } from './jobs.ts';
import type { NextAction } from './next-action.ts';
import { nextActions } from './next-actions.ts';
import { type Restorable, restorableOf } from './restorable.ts';
import { type StoreHealth, storeHealth } from './store-health.ts';
import { type Verdict, verdictOf } from './verdict.ts';
import { type Verification, verificationOf } from './verification.ts';
import { type WalLag, walLagOf } from './wal-lag.ts';

/**
 * How a site is, as everybody is told: `/status`, `pghoard status`, metrics, the heartbeat. What is not known is absent, and the sentence beside it says why; nothing
 * is ever better than it is known to be.
 */
export interface SiteHealth {
  readonly site: string;
  /** When it was so. */
  readonly at: Date;
  readonly verdict: Verdict;
  readonly restorable: Restorable;
  readonly walLag: WalLag;
  readonly backups: BackupsHealth;
  readonly jobs: readonly RunningJob[];
  readonly alerts: readonly HealthAlert[];
  readonly next: readonly NextAction[];
  readonly spool: SpoolView;
  readonly verification: Verification;
  readonly store: StoreHealth;
}

/** No clock, no files, no network: the same view gives the same health. */
export function siteHealth(view: SiteHealthView, find?: RecoverabilityFinder): SiteHealth {
  const findings = findingsOf(view, find);
  const restorable = restorableOf(findings);
  const walLag = walLagOf(findings);
  const store = storeHealth(view.store);
  return {
    site: view.site,
    at: view.now,
    verdict: verdictOf(view, restorable, walLag, store),
    restorable,
    walLag,
    backups: backupsHealth(findings),
    jobs: jobsOf(view),
    alerts: view.alerts,
    next: nextActions(view),
    spool: view.spool,
    verification: verificationOf(view),
    store,
  };
}
