import type { DrillEvidence } from '../../catalog/evidence/drill-evidence.ts';
import type { FoundRecoverability } from '../../catalog/recoverability/find-recoverability.ts';
import type { WalArchiveView } from '../../catalog/wal-archive-view.ts';

/** What is known of a site when a restore is planned. */
export interface PlanKnowledge {
  /** Which moments can be restored: nobody finds that a second time. */
  readonly found: FoundRecoverability;
  /** Undefined where no WAL is stored. */
  readonly archive: WalArchiveView | undefined;
  /** The oldest first. */
  readonly drills: readonly DrillEvidence[];
}
