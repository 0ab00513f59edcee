import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestPostgres } from '../../test/support/postgres.ts';
import { archiverOf, archiveWith } from '../cluster.ts';
import { emptyPageCache } from '../cold-cache.ts';
import type { Contestant } from '../contestant.ts';
import { type Cost, measure, type Owners } from '../meter/meter.ts';
import type { Cache, Recorder } from '../results/sample.ts';
import { inTurn } from './in-turn.ts';

export interface BaseBackupArena {
  readonly postgres: TestPostgres;
  readonly contestants: readonly Contestant[];
  /** Where to restore to. */
  readonly scratch: string;
  readonly withRestore: boolean;
}

export const baseBackup = 'base backup';
/** By a server that sends it, to somebody who need not be near. */
export const streamedBackup = 'base backup, streamed';

/**
 * Of each flavour a base backup by each tool, and then its restore, with another tool first in each round: none always comes after a warm-up or into a
 * full cache.
 */
export async function measureBaseBackups(arena: BaseBackupArena, round: number, cache: Cache, record: Recorder): Promise<void> {
  const groups = Map.groupBy(arena.contestants, ({ flavour }) => flavour);
  for (const [flavour, alike] of groups) {
    const order = inTurn(alike, round);
    const common = { flavour: flavour.name, cache, round, units: 1 };
    for (const contestant of order) {
      const cost = await measureBackup(arena.postgres, contestant, cache);
      const storedBytes = await contestant.storedBytes();
      for (const what of contestant.comparedAs ?? [baseBackup]) record({ what, tool: contestant.name, ...common, ...cost, storedBytes });
    }
    if (!arena.withRestore) continue;
    for (const contestant of order.filter(({ comparedAs = [baseBackup] }) => comparedAs.includes(baseBackup))) {
      const cost = await measureRestore(contestant, join(arena.scratch, 'restored'), cache);
      record({ what: 'restore', tool: contestant.name, ...common, ...cost });
    }
  }
}

async function measureBackup(postgres: TestPostgres, contestant: Contestant, cache: Cache): Promise<Cost> {
  await archiveWith(postgres, contestant.archiveCommand);
  try {
    const archiver = await archiverOf(postgres);
    const server = contestant.hasServerProcess && postgres.pid ? [postgres.pid] : [];
    return await inState(cache, { ...contestant, starters: [process.pid, archiver, ...server] }, () => contestant.backup());
  } finally {
    await archiveWith(postgres, 'true');
  }
}

/** The daemon of a tool that has one has no part in it. */
async function measureRestore(contestant: Contestant, target: string, cache: Cache): Promise<Cost> {
  try {
    return await inState(cache, { ...contestant, pids: [], starters: [process.pid] }, () => contestant.restore(target));
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}

async function inState(cache: Cache, owners: Owners, work: () => Promise<void>): Promise<Cost> {
  if (cache === 'cold') await emptyPageCache();
  return await measure(owners, work);
}
