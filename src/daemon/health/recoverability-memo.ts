import type { RecoverabilityFacts } from '../../catalog/recoverability/facts.ts';
import { type FoundRecoverability, findRecoverability } from '../../catalog/recoverability/find-recoverability.ts';

/** Finds anew what can be restored only where something has changed: many ask, and little changes. */
export class RecoverabilityMemo {
  #of: readonly unknown[] = [];
  #found: FoundRecoverability | undefined;

  /** `version`: changes whenever what is stored of the WAL does, which is changed in place. */
  find(facts: RecoverabilityFacts, version: unknown): FoundRecoverability {
    const { basebackups, unfinished, alone, archive, beginning, servers, times, restorePoints, evidence } = facts;
    const backups = [basebackups, unfinished, alone, restorePoints, evidence];
    const wal = [archive === undefined, beginning?.timeline, beginning?.lsn, times, servers.samples, servers.clockSetBack];
    const of = [version, ...backups, ...wal];
    if (this.#found !== undefined && of.every((each, index) => each === this.#of[index])) return this.#found;
    this.#of = of;
    this.#found = findRecoverability(facts);
    return this.#found;
  }
}
