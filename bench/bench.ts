import { mkdir } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../src/cli/main.ts';
import { systemUser } from '../test/support/system-user.ts';
import { makeTemporaryDirectory } from '../test/support/temporary-directory.ts';
import { databaseBytes, startCluster } from './cluster.ts';
import { measureCommands, renderCommands } from './commands.ts';
import type { Arena, Contestant } from './contestant.ts';
import { openPgBasebackup } from './contestants/pg-basebackup.ts';
import { openPgbackrest } from './contestants/pgbackrest.ts';
import { openPghoard } from './contestants/pghoard.ts';
import { parseOptions } from './options.ts';
import { renderTable, summarize } from './report.ts';
import { type Result, runRounds } from './rounds.ts';
import { run } from './run.ts';
import { type Figure, measureWal, renderWal } from './wal/figures.ts';
import { pghoardReceiver, pgReceivewal } from './wal/receivers.ts';

const threads = 2;

/** `npm run bench`: the same work by each tool, in the same run, on the same data, in turns. */
async function main(argv: string[]): Promise<number> {
  const options = parseOptions(argv);
  await using cleanup = new AsyncDisposableStack();
  const scratch = cleanup.use(await makeTemporaryDirectory());
  const postgres = cleanup.use(await startCluster(options.scale));
  const bytes = await databaseBytes(postgres);
  const contestants: Contestant[] = [];
  const arenaOf = async (name: string): Promise<Arena> => ({ postgres, directory: await makeOwn(join(scratch.path, name)), threads });
  for (const [name, open] of Object.entries({ pghoard: openPghoard, pg_basebackup: openPgBasebackup, pgbackrest: openPgbackrest }))
    contestants.push(cleanup.use(await open(await arenaOf(name))));
  console.error(`${(bytes / 2 ** 20).toFixed(0)} MiB of data, ${cpus().length} processors, ${threads} threads, ${options.rounds} rounds`);
  const rows = options.wal ? [] : summarize(await runRounds(options, postgres, contestants, scratch.path, tell));
  const commands = options.wal ? [] : await measureCommands(contestants, postgres, options.calls);
  const archivers = contestants.filter((contestant) => contestant.commands !== undefined);
  archivers.push(cleanup.use(await openPgbackrest(await arenaOf('pgbackrest-async'), true)));
  const receivers = [
    pghoardReceiver('walreceiver', await arenaOf('walreceiver')),
    pghoardReceiver('pg_receivexlog', await arenaOf('pg_receivexlog')),
    pgReceivewal(await arenaOf('pg_receivewal')),
  ];
  const wal = await measureWal({ ...options, postgres, archivers, receivers }, tellWal);
  console.log(
    options.json
      ? JSON.stringify({ bytes, processors: cpus().length, threads, ...options, rows, commands, wal }, undefined, 2)
      : [...(options.wal ? [] : [renderTable(rows), renderCommands(commands)]), renderWal(wal)].join('\n\n'),
  );
  return 0;
}

function tellWal({ what, tool, segments, seconds, cpuSeconds }: Figure): void {
  const figures = `${seconds.toFixed(2)} s, ${cpuSeconds.toFixed(2)} s of CPU for ${segments} segments`;
  console.error(`  ${what.padEnd(18)} ${tool.padEnd(22)} ${figures}`);
}

function tell({ round, discipline, contestant, seconds }: Result): void {
  console.error(`  round ${round + 1}  ${discipline.padEnd(12)} ${contestant.padEnd(14)} ${seconds.toFixed(2)} s`);
}

async function makeOwn(directory: string): Promise<string> {
  const { uid, gid } = systemUser();
  await mkdir(directory);
  await run('chown', [`${uid}:${gid}`, directory]);
  return directory;
}

runCommand('bench', main);
