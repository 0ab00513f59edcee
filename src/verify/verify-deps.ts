import type { Catalog } from '../catalog/catalog.ts';
import type { CodecPool } from '../codec/pool.ts';
import type { Clock } from '../lib/clock.ts';
import type { StorageOptions } from '../storage/options.ts';
import type { Budget } from './budget.ts';
import type { Finding } from './finding.ts';

export interface VerifyDeps {
  readonly site: string;
  readonly catalog: Catalog;
  /** The same store, for workers. */
  readonly storage: StorageOptions;
  /** PEM by key id. */
  readonly privateKeys: Readonly<Record<string, string>>;
  readonly pool: Pick<CodecPool, 'run' | 'threads'>;
  readonly budget: Budget;
  /** Waits until nobody is in the way of whom archiving or a base backup would have to wait. */
  readonly whenQuiet: () => Promise<void>;
  /** So many bytes are to be read, as far as the budget goes. */
  readonly onPlanned?: ((bytes: number) => void) | undefined;
  /** Something was found, or found again. */
  readonly onFinding: (finding: Finding) => void;
  /** Stored bytes read since the last call. */
  readonly onBytes: (bytes: number) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** While a site is being read. */
export interface WorkDeps extends VerifyDeps {
  /** Another finding where what looks like a wrong key is known to be damage. */
  readonly judgeKey: (finding: Finding) => Promise<Finding>;
}
