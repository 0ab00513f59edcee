import { downloadFaults } from './download-faults.ts';
import type { StoreDialect, StoreFault } from './fault-world.ts';
import { clockFault, refusalFaults } from './refusal-faults.ts';
import { uploadFaults } from './upload-faults.ts';

/** What every store reached over HTTP must survive, as far as its kind knows such trouble. Each gets a store without objects and a proxy without rules. */
export function storeFaultsOf(dialect: StoreDialect): readonly StoreFault[] {
  return [...uploadFaults, ...downloadFaults, ...(dialect.clockSkewed ? [clockFault] : []), ...refusalFaults];
}
