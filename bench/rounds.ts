import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestPostgres } from '../test/support/postgres.ts';
import { archiveWith, finishSegments } from './cluster.ts';
import type { Contestant } from './contestant.ts';
import { type Measurement, measure } from './measure.ts';
import type { BenchOptions } from './options.ts';

export const disciplines = ['base backup', 'restore', 'WAL archive'] as const;
export type Discipline = (typeof disciplines)[number];

export interface Result extends Measurement {
  readonly discipline: Discipline;
  readonly contestant: string;
  readonly round: number;
}

/** Every contestant in every round, each time in another order, so that none always comes after a warm-up or into a full cache. */
export async function runRounds(
  { rounds, segments }: BenchOptions,
  postgres: TestPostgres,
  contestants: readonly Contestant[],
  scratch: string,
  tell: (result: Result) => void,
): Promise<Result[]> {
  const results: Result[] = [];
  const record = (discipline: Discipline, { name }: Contestant, round: number, measurement: Measurement) => {
    const result = { discipline, contestant: name, round, ...measurement };
    results.push(result);
    tell(result);
  };
  for (let round = 0; round < rounds; round++) {
    const order = contestants.map((_, index) => contestants[(index + round) % contestants.length] as Contestant);
    for (const contestant of order) record('base backup', contestant, round, await measureBackup(postgres, contestant));
    for (const contestant of order) record('restore', contestant, round, await measureRestore(contestant, join(scratch, 'restored')));
    const paths = await finishSegments(postgres, segments);
    for (const contestant of order) {
      const { archive } = contestant;
      if (archive) record('WAL archive', contestant, round, await measure(() => eachInTurn(paths, archive), contestant.pids));
    }
  }
  return results;
}

async function measureBackup(postgres: TestPostgres, contestant: Contestant): Promise<Measurement> {
  await archiveWith(postgres, contestant.archiveCommand);
  try {
    return await measure(() => contestant.backup(), contestant.pids);
  } finally {
    await archiveWith(postgres, 'true');
  }
}

async function measureRestore(contestant: Contestant, target: string): Promise<Measurement> {
  try {
    return await measure(() => contestant.restore(target));
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}

/** As PostgreSQL does: one at a time. */
async function eachInTurn(paths: readonly string[], archive: (path: string) => Promise<void>): Promise<void> {
  for (const path of paths) await archive(path);
}
