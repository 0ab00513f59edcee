import type { JobRunner } from '../../codec/pool.ts';
import type { Clock } from '../../lib/clock.ts';
import type { SiteBackup } from '../kept-alone.ts';
import type { RestoreSource } from '../plan.ts';
import type { RestoreDeps, RestoreRequest } from '../restore.ts';
import type { PlanKnowledge } from './plan-knowledge.ts';

export interface PlanRequest extends Omit<RestoreRequest, 'dataDirectory' | 'isKept'> {
  /** Absolute; undefined: nobody has named one. */
  readonly dataDirectory: string | undefined;
}

export interface PlanDeps {
  readonly backups: (signal: AbortSignal) => Promise<readonly SiteBackup[]>;
  /** What is known of a site; of WAL at least what begins with the segment `since`, or later. */
  readonly knowledge: (source: RestoreSource, since: string | undefined, signal: AbortSignal) => Promise<PlanKnowledge>;
  readonly pool: JobRunner;
  readonly clock: Clock;
  /** From which the restored server gets its WAL. */
  readonly daemon: RestoreDeps['wal'];
  /** For the command line. */
  readonly configFile: string | undefined;
  readonly program?: string | undefined;
  /** It is to be carried out on this host. */
  readonly isHere: boolean;
}
