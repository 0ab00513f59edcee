import { chown, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import type { TestPostgres } from '../../test/support/postgres.ts';
import { systemUser } from '../../test/support/system-user.ts';
import { makeHistory } from '../../test/support/wal-segment.ts';
import { finishSegments } from '../cluster.ts';
import type { Contestant } from '../contestant.ts';
import { ticksPerSecond } from '../meter/processes.ts';
import { median } from '../results/statistics.ts';
import type { Table } from '../results/tables.ts';
import { inTurn } from './in-turn.ts';
import { LightStarter } from './light-starter.ts';

export interface CommandRow {
  readonly what: string;
  readonly command: string;
  /** Of one call, from its start to its end: medians. */
  readonly ms: number;
  /** Processor time of what is started for one call, without the daemon: a mean. */
  readonly cpuMs: number;
  /** What is left without the work of the daemon, where there is one. */
  readonly ownMs?: number;
  /** What ours takes, as a part of this. */
  readonly ratio: number;
}

/** One way to have something done once. */
interface Way {
  readonly name: string;
  /** Resolves to the milliseconds that it took. */
  readonly work: () => Promise<number>;
  /** One of those that wait for our daemon. */
  readonly isOurs: boolean;
}

const history = '00000002.history';
const output = 'pg_wal/RECOVERYXLOG';
const bareName = '(bare request)';
const startName = '(true)';

/**
 * What one archive_command and one restore_command take, as PostgreSQL starts them. A timeline history is small and stored already, so there
 * is little but the command to be measured; a segment of 16 MiB shows how the bytes come.
 */
export async function measureCommands(contestants: readonly Contestant[], postgres: TestPostgres, calls: number): Promise<CommandRow[]> {
  const { uid, gid } = systemUser();
  const path = join(postgres.dataDirectory, 'pg_wal', history);
  await writeFile(path, makeHistory(history));
  await using starter = new LightStarter({ uid, gid }, postgres.dataDirectory);
  try {
    await chown(path, uid, gid);
    const [segment = ''] = (await finishSegments(postgres, 1)).map((file) => basename(file));
    for (const name of [history, segment]) await inTurns(waysTo('archive', contestants, starter, name), 1, starter);
    const rows: CommandRow[] = [];
    for (const [what, way, name] of [
      ['archive', 'archive', history],
      ['restore', 'restore', history],
      ['restore 16 MiB', 'restore', segment],
    ] as const) {
      const ways = waysTo(way, contestants, starter, name);
      rows.push(...toRows(what, ways, await inTurns(ways, calls, starter)));
    }
    return rows;
  } finally {
    for (const file of [path, join(postgres.dataDirectory, output)]) await rm(file, { force: true });
  }
}

function waysTo(what: 'archive' | 'restore', contestants: readonly Contestant[], starter: LightStarter, name: string): Way[] {
  const ways: Way[] = [{ name: startName, work: () => starter.run('exec true'), isOurs: false }];
  for (const { commands = [], bare } of contestants) {
    if (bare) ways.push({ name: bareName, work: () => msOf(() => bare[what](name, output)), isOurs: true });
    for (const command of commands)
      ways.push({ name: command.name, work: () => starter.run(command[what](name, output)), isOurs: bare !== undefined });
  }
  return ways;
}

async function msOf(work: () => Promise<void>): Promise<number> {
  const startedMs = systemClock.monotonicMs();
  await work();
  return systemClock.monotonicMs() - startedMs;
}

interface Taken {
  readonly ms: number[];
  cpuTicks: number;
}

/** One call of each way at a time, beginning with another one each time. */
async function inTurns(ways: readonly Way[], calls: number, starter: LightStarter): Promise<Taken[]> {
  const taken: Taken[] = ways.map(() => ({ ms: [], cpuTicks: 0 }));
  for (let call = 0; call < calls; call++) {
    for (const [way, of] of inTurn([...ways.entries()], call)) {
      const ticks = starter.cpuTicks;
      const own = taken[way] as Taken;
      own.ms.push(await of.work());
      own.cpuTicks += starter.cpuTicks - ticks;
    }
  }
  return taken;
}

function toRows(what: string, ways: readonly Way[], taken: readonly Taken[]): CommandRow[] {
  const medianOf = (wanted: string) => median(taken[ways.findIndex(({ name }) => name === wanted)]?.ms ?? []);
  return ways.map(({ name, isOurs }, way) => {
    const ms = medianOf(name);
    const { cpuTicks, ms: calls } = taken[way] as Taken;
    const row = { what, command: name, ms, cpuMs: (cpuTicks * 1000) / ticksPerSecond / calls.length, ratio: medianOf('pghoard') / ms };
    return isOurs ? { ...row, ownMs: ms - medianOf(bareName) } : row;
  });
}

/** `(bare request)` is what the daemon takes; what is left of a command's time is its own. */
export function commandTable(rows: readonly CommandRow[]): Table {
  return {
    texts: 2,
    head: ['one call of', 'command', 'time', 'without the daemon', 'CPU of the command', 'time, ours : theirs'],
    lines: rows.map(({ what, command, ms, ownMs, cpuMs, ratio }) => [
      what,
      command,
      `${ms.toFixed(1)} ms`,
      ownMs === undefined ? '' : `${ownMs.toFixed(1)} ms`,
      `${cpuMs.toFixed(1)} ms`,
      command === 'pghoard' ? '' : ratio.toFixed(2),
    ]),
  };
}
