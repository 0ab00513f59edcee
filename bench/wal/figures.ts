import { readdirSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import type { TestPostgres } from '../../test/support/postgres.ts';
import { descendantsOf } from '../../test/support/process-tree.ts';
import { systemUser } from '../../test/support/system-user.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import { archiveWith, finishSegments } from '../cluster.ts';
import type { Contestant } from '../contestant.ts';
import { median } from '../report.ts';
import { run } from '../run.ts';
import { CpuMeter } from './cpu-meter.ts';
import type { Receiver } from './receivers.ts';

export type WalWork = 'archive a backlog' | 'fetch in order' | 'receive';

/** How a tool did with all segments of one round. */
export interface Figure {
  readonly what: WalWork;
  readonly tool: string;
  readonly segments: number;
  readonly seconds: number;
  /** User and system time of everything that the tool runs. */
  readonly cpuSeconds: number;
}

export interface WalRow {
  readonly what: WalWork;
  readonly tool: string;
  readonly segmentsPerSecond: number;
  readonly cpuMsPerSegment: number;
  /** How many times that of the first, which is ours: above 1, ours is better. */
  readonly timeRatio: number;
  readonly cpuRatio: number;
}

export interface WalArena {
  readonly postgres: TestPostgres;
  /** Of which the first is ours. */
  readonly archivers: readonly Contestant[];
  readonly receivers: readonly Receiver[];
  readonly rounds: number;
  readonly segments: number;
}

const patienceMs = 600_000;
const output = 'pg_wal/RECOVERYXLOG';

/** What becomes of WAL when there is a lot of it: PostgreSQL's own archiver works off a backlog, a recovery asks for one segment after the other, a receiver catches up. */
export async function measureWal(arena: WalArena, tell: (figure: Figure) => void): Promise<WalRow[]> {
  const figures: Figure[] = [];
  const record = (figure: Figure) => {
    figures.push(figure);
    tell(figure);
  };
  for (let round = 0; round < arena.rounds; round++) {
    const names = await backlog(arena);
    for (const tool of inTurn(arena.archivers, round)) record(await archiveBacklog(arena.postgres, tool, names));
    for (const tool of inTurn(arena.archivers, round)) record(await fetchInOrder(arena.postgres, tool, names));
    for (const receiver of inTurn(arena.receivers, round)) record(await receive(arena, receiver));
  }
  return summarize(figures);
}

function inTurn<T>(tools: readonly T[], round: number): readonly T[] {
  return tools.map((_, index) => tools[(index + round) % tools.length] as T);
}

/** Segments that no tool has seen. */
async function backlog({ postgres, segments }: WalArena): Promise<string[]> {
  await archiveWith(postgres, '');
  return (await finishSegments(postgres, segments)).map((path) => basename(path));
}

async function archiveBacklog(
  postgres: TestPostgres,
  { name, archiveCommand, pids, mark }: Contestant,
  names: readonly string[],
): Promise<Figure> {
  await markReady(postgres, names);
  const [archiver] = await postgres.query(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'archiver'`);
  const figure = await measure({ pids, starters: [Number(archiver?.['pid'])], mark }, async () => {
    await archiveWith(postgres, archiveCommand);
    await waitFor(() => !marks(postgres).some((file) => file.endsWith('.ready')), {
      withinMs: patienceMs,
      everyMs: 5,
      what: `${name} is done`,
    });
  });
  await archiveWith(postgres, '');
  return { what: 'archive a backlog', tool: name, segments: names.length, ...figure };
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
async function fetchInOrder(postgres: TestPostgres, { name, commands, pids, mark }: Contestant, names: readonly string[]): Promise<Figure> {
  const user = { ...systemUser(), cwd: postgres.dataDirectory };
  const figure = await measure({ pids, starters: [process.pid], mark }, async () => {
    for (const segment of names) await run('/bin/sh', ['-c', commands?.[0]?.restore(segment, output) ?? 'false'], user);
  });
  await rm(join(postgres.dataDirectory, output));
  return { what: 'fetch in order', tool: name, segments: names.length, ...figure };
}

/** The receiver stands still while WAL is written, and then has to catch up. */
async function receive({ postgres, segments }: WalArena, receiver: Receiver): Promise<Figure> {
  await using running = await receiver.start();
  await archiveWith(postgres, 'true');
  const pids = [running.pid, ...descendantsOf(running.pid)];
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  const names = (await finishSegments(postgres, segments)).map((path) => basename(path));
  const figure = await measure({ pids, starters: [], mark: running.mark }, async () => {
    for (const pid of pids) process.kill(pid, 'SIGCONT');
    await waitFor(() => names.every((name) => running.has(name)), {
      withinMs: patienceMs,
      everyMs: 5,
      what: `${receiver.name} has caught up`,
    });
  });
  return { what: 'receive', tool: receiver.name, segments: names.length, ...figure };
}

async function measure(
  owners: ConstructorParameters<typeof CpuMeter>[0],
  work: () => Promise<void>,
): Promise<Pick<Figure, 'seconds' | 'cpuSeconds'>> {
  using meter = new CpuMeter(owners);
  const startedMs = systemClock.monotonicMs();
  await work();
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  return { seconds, cpuSeconds: meter.seconds };
}

function summarize(figures: readonly Figure[]): WalRow[] {
  const kinds = [...new Set(figures.map(({ what }) => what))];
  return kinds.flatMap((what) => {
    const tools = [...new Set(figures.filter((figure) => figure.what === what).map(({ tool }) => tool))];
    const rows = tools.map((tool) => {
      const own = figures.filter((figure) => figure.what === what && figure.tool === tool);
      const seconds = median(own.map((figure) => figure.seconds / figure.segments));
      return { what, tool, seconds, cpuMs: median(own.map(({ cpuSeconds, segments }) => (cpuSeconds * 1000) / segments)) };
    });
    const [ours] = rows;
    return rows.map(({ tool, seconds, cpuMs }) => ({
      what,
      tool,
      segmentsPerSecond: 1 / seconds,
      cpuMsPerSegment: cpuMs,
      timeRatio: seconds / (ours?.seconds ?? Number.NaN),
      cpuRatio: cpuMs / (ours?.cpuMs ?? Number.NaN),
    }));
  });
}

/** A table for people. */
export function renderWal(rows: readonly WalRow[]): string {
  const head = [
    'WAL'.padEnd(18),
    'tool'.padEnd(20),
    'segments'.padStart(11),
    'CPU per'.padStart(11),
    'time /'.padStart(9),
    'CPU /'.padStart(9),
  ];
  const under = [''.padEnd(18), ''.padEnd(20), 'per second'.padStart(11), 'segment'.padStart(11), 'ours'.padStart(9), 'ours'.padStart(9)];
  const lines = rows.map((row) => [
    row.what.padEnd(18),
    row.tool.padEnd(20),
    row.segmentsPerSecond.toFixed(1).padStart(11),
    `${row.cpuMsPerSegment.toFixed(0)} ms`.padStart(11),
    `${row.timeRatio.toFixed(2)} ×`.padStart(9),
    `${row.cpuRatio.toFixed(2)} ×`.padStart(9),
  ]);
  return [head, under, ...lines].map((cells) => cells.join('  ')).join('\n');
}
