import { chown, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { systemClock } from '../src/lib/clock.ts';
import type { TestPostgres } from '../test/support/postgres.ts';
import { systemUser } from '../test/support/system-user.ts';
import { makeHistory } from '../test/support/wal-segment.ts';
import { finishSegments } from './cluster.ts';
import type { Contestant } from './contestant.ts';
import { median } from './report.ts';
import { run } from './run.ts';

export interface CommandRow {
  readonly what: string;
  readonly command: string;
  /** Of one call, from its start to its end: medians. */
  readonly ms: number;
  /** What is left without the work of the daemon, where there is one. */
  readonly ownMs?: number;
  /** How many times what ours takes. */
  readonly ratio: number;
}

/** One way to have something done once. */
interface Way {
  readonly name: string;
  readonly work: () => Promise<void>;
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
  try {
    await chown(path, uid, gid);
    const [segment = ''] = (await finishSegments(postgres, 1)).map((file) => basename(file));
    for (const name of [history, segment]) await inTurns(waysTo('archive', contestants, postgres, name), 1);
    const rows: CommandRow[] = [];
    for (const [what, way, name] of [
      ['archive', 'archive', history],
      ['restore', 'restore', history],
      ['restore 16 MiB', 'restore', segment],
    ] as const) {
      const ways = waysTo(way, contestants, postgres, name);
      rows.push(...toRows(what, ways, await inTurns(ways, calls)));
    }
    return rows;
  } finally {
    for (const file of [path, join(postgres.dataDirectory, output)]) await rm(file, { force: true });
  }
}

function waysTo(what: 'archive' | 'restore', contestants: readonly Contestant[], postgres: TestPostgres, name: string): Way[] {
  const user = { ...systemUser(), cwd: postgres.dataDirectory };
  const sh = async (line: string) => void (await run('/bin/sh', ['-c', line], user));
  const ways: Way[] = [{ name: startName, work: () => sh('exec true'), isOurs: false }];
  for (const { commands = [], bare } of contestants) {
    if (bare) ways.push({ name: bareName, work: () => bare[what](name, output), isOurs: true });
    for (const command of commands)
      ways.push({ name: command.name, work: () => sh(command[what](name, output)), isOurs: bare !== undefined });
  }
  return ways;
}

/** Milliseconds of each call, by way. One call of each at a time, beginning with another one each time. */
async function inTurns(ways: readonly Way[], calls: number): Promise<number[][]> {
  const taken: number[][] = ways.map(() => []);
  for (let call = 0; call < calls; call++) {
    for (let turn = 0; turn < ways.length; turn++) {
      const index = (call + turn) % ways.length;
      const startedMs = systemClock.monotonicMs();
      await ways[index]?.work();
      taken[index]?.push(systemClock.monotonicMs() - startedMs);
    }
  }
  return taken;
}

function toRows(what: string, ways: readonly Way[], taken: readonly number[][]): CommandRow[] {
  const msOf = (wanted: string) => median(taken[ways.findIndex(({ name }) => name === wanted)] ?? []);
  return ways.map(({ name, isOurs }) => {
    const ms = msOf(name);
    const row = { what, command: name, ms, ratio: ms / msOf('pghoard') };
    return isOurs ? { ...row, ownMs: ms - msOf(bareName) } : row;
  });
}

/** A table for people. */
export function renderCommands(rows: readonly CommandRow[]): string {
  const head = [
    'one call of'.padEnd(16),
    'command'.padEnd(16),
    'time'.padStart(10),
    'without the daemon'.padStart(18),
    'time / ours'.padStart(12),
  ];
  const lines = rows.map(({ what, command, ms, ownMs, ratio }) => [
    what.padEnd(16),
    command.padEnd(16),
    `${ms.toFixed(1)} ms`.padStart(10),
    (ownMs === undefined ? '' : `${ownMs.toFixed(1)} ms`).padStart(18),
    `${ratio.toFixed(2)} ×`.padStart(12),
  ]);
  return [head, ...lines].map((cells) => cells.join('  ')).join('\n');
}
