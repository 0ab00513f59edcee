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

const threads = 2;

/** `npm run bench`: the same work by each tool, in the same run, on the same data, in turns. */
async function main(argv: string[]): Promise<number> {
  const options = parseOptions(argv);
  await using cleanup = new AsyncDisposableStack();
  const scratch = cleanup.use(await makeTemporaryDirectory());
  const postgres = cleanup.use(await startCluster(options.scale));
  const bytes = await databaseBytes(postgres);
  const contestants: Contestant[] = [];
  for (const [name, open] of Object.entries({ pghoard: openPghoard, pg_basebackup: openPgBasebackup, pgbackrest: openPgbackrest })) {
    const arena: Arena = { postgres, directory: await makeOwn(join(scratch.path, name)), threads };
    contestants.push(cleanup.use(await open(arena)));
  }
  console.error(`${(bytes / 2 ** 20).toFixed(0)} MiB of data, ${cpus().length} processors, ${threads} threads, ${options.rounds} rounds`);
  const rows = summarize(await runRounds(options, postgres, contestants, scratch.path, tell));
  const commands = await measureCommands(contestants, postgres, options.calls);
  console.log(
    options.json
      ? JSON.stringify({ bytes, processors: cpus().length, threads, ...options, rows, commands }, undefined, 2)
      : `${renderTable(rows)}\n\n${renderCommands(commands)}`,
  );
  return 0;
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
