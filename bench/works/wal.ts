import { readdirSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { TestPostgres } from '../../test/support/postgres.ts';
import { descendantsOf } from '../../test/support/process-tree.ts';
import { systemUser } from '../../test/support/system-user.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import { archiverOf, archiveWith, finishSegments } from '../cluster.ts';
import type { Contestant } from '../contestant.ts';
import type { Receiver } from '../contestants/receivers.ts';
import type { Flavour } from '../flavour.ts';
import { type Cost, measure } from '../meter/meter.ts';
import type { Recorder } from '../results/sample.ts';
import { run } from '../run.ts';
import { inTurn } from './in-turn.ts';
import { standStill } from './stand-still.ts';

export interface WalArena {
  readonly postgres: TestPostgres;
  readonly archivers: readonly Contestant[];
  readonly receivers: readonly Receiver[];
  /** In each round. */
  readonly segments: number;
}

const patienceMs = 600_000;
const output = 'pg_wal/RECOVERYXLOG';

/** What becomes of WAL when there is a lot of it: PostgreSQL's own archiver works off a backlog, a recovery asks for one segment after the other, a receiver catches up. */
export async function measureWal(arena: WalArena, round: number, record: Recorder): Promise<void> {
  const tell = (what: string, tool: { readonly name: string; readonly flavour: Flavour }, units: number, cost: Cost) =>
    record({ what, flavour: tool.flavour.name, cache: 'warm', tool: tool.name, round, units, ...cost });
  const names = arena.archivers.length > 0 ? await backlog(arena.postgres, arena.segments) : [];
  const { postgres } = arena;
  for (const tool of inTurn(arena.archivers, round))
    tell('archive a backlog', tool, names.length, await archiveBacklog(postgres, tool, names));
  for (const tool of inTurn(arena.archivers, round)) tell('fetch in order', tool, names.length, await fetchInOrder(postgres, tool, names));
  for (const receiver of inTurn(arena.receivers, round)) tell('receive', receiver, arena.segments, await receive(arena, receiver));
}

/** Segments that no tool has seen. */
export async function backlog(postgres: TestPostgres, segments: number): Promise<string[]> {
  await archiveWith(postgres, '');
  return (await finishSegments(postgres, segments)).map((path) => basename(path));
}

export async function archiveBacklog(
  postgres: TestPostgres,
  { name, archiveCommand, pids, mark }: Contestant,
  names: readonly string[],
): Promise<Cost> {
  await markReady(postgres, names);
  const cost = await measure({ pids, starters: [await archiverOf(postgres)], mark }, async () => {
    await archiveWith(postgres, archiveCommand);
    await waitFor(() => !marks(postgres).some((file) => file.endsWith('.ready')), {
      withinMs: patienceMs,
      everyMs: 5,
      what: `${name} is done`,
    });
  });
  await archiveWith(postgres, '');
  return cost;
}

function marks({ dataDirectory }: TestPostgres): string[] {
  return readdirSync(join(dataDirectory, 'pg_wal', 'archive_status'));
}

/** These wait to be archived, and nothing else does. */
async function markReady(postgres: TestPostgres, names: readonly string[]): Promise<void> {
  const directory = join(postgres.dataDirectory, 'pg_wal', 'archive_status');
  for (const mark of marks(postgres)) {
    const segment = mark.replace(/\.(ready|done)$/, '');
    const wanted = `${segment}.${names.includes(segment) ? 'ready' : 'done'}`;
    if (mark !== wanted) await rename(join(directory, mark), join(directory, wanted));
  }
}

/** As a recovery does that has nothing to replay: no tool can hide behind PostgreSQL. */
async function fetchInOrder(postgres: TestPostgres, { commands, pids, mark }: Contestant, names: readonly string[]): Promise<Cost> {
  const user = { ...systemUser(), cwd: postgres.dataDirectory };
  const cost = await measure({ pids, starters: [process.pid], mark }, async () => {
    for (const segment of names) await run('/bin/sh', ['-c', commands?.[0]?.restore(segment, output) ?? 'false'], user);
  });
  await rm(join(postgres.dataDirectory, output));
  return cost;
}

/** The receiver stands still while WAL is written, and then has to catch up. */
async function receive({ postgres, segments }: WalArena, receiver: Receiver): Promise<Cost> {
  await using running = await receiver.start();
  await archiveWith(postgres, 'true');
  const pids = [running.pid, ...descendantsOf(running.pid)];
  await using stopped = await standStill(pids);
  const names = (await finishSegments(postgres, segments)).map((path) => basename(path));
  return await measure({ pids, starters: [], mark: running.mark }, async () => {
    await stopped[Symbol.asyncDispose]();
    await waitFor(() => names.every((name) => running.has(name)), {
      withinMs: patienceMs,
      everyMs: 5,
      what: `${receiver.name} has caught up`,
    });
  });
}
