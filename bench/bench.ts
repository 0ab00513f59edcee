import { writeFile } from 'node:fs/promises';
import { runCommand } from '../src/cli/main.ts';
import { makeTemporaryDirectory } from '../test/support/temporary-directory.ts';
import { databaseBytes, startCluster } from './cluster.ts';
import { canEmptyPageCache } from './cold-cache.ts';
import { openAsyncArchiver, openBackupTools, openMeasured, openReceivers } from './contestants/open-all.ts';
import { pgbackrestVersion } from './contestants/pgbackrest.ts';
import { countFilesBelow } from './files.ts';
import { flavours } from './flavour.ts';
import { describeMachine } from './machine.ts';
import { type BenchOptions, parseOptions } from './options.ts';
import { measureProfiles } from './profile/profile.ts';
import { type Results, render } from './results/results.ts';
import type { Sample } from './results/sample.ts';
import { summarize } from './results/summary.ts';
import { duration, mebibytes } from './results/tables.ts';
import { measureBaseBackups } from './works/base-backups.ts';
import { measureCommands } from './works/commands.ts';
import { measureRecoveries } from './works/recovery.ts';
import { measureWal } from './works/wal.ts';

const threads = 2;

/** `npm run bench`: the same work by each tool, in the same run, on the same data, in turns. */
async function main(argv: string[]): Promise<number> {
  const options = parseOptions(argv);
  const results = await measureAll(options);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
  console.log(render(results));
  return 0;
}

async function measureAll(options: BenchOptions): Promise<Results> {
  const { only, rounds, coldRounds, segments, calls, scale, tables } = options;
  await using owner = new AsyncDisposableStack();
  const scratch = owner.use(await makeTemporaryDirectory()).path;
  const machine = await describeMachine(scratch);
  const postgres = owner.use(await startCluster({ scale, tables }));
  const data = { scale, tables, bytes: await databaseBytes(postgres), files: await countFilesBelow(postgres.dataDirectory) };
  const ground = { postgres, scratch, threads, packed: options.packed };
  const contestants = await openBackupTools(ground, owner);
  console.error(`${mebibytes(data.bytes)} in ${data.files} files, ${machine.processors} processors, ${threads} threads, ${rounds} rounds`);

  const samples: Sample[] = [];
  const record = (sample: Sample) => {
    samples.push(sample);
    tell(sample);
  };
  if (only.has('backup')) {
    const arena = { postgres, contestants, scratch, withRestore: only.has('restore') };
    for (let round = 0; round < rounds; round++) await measureBaseBackups(arena, round, 'warm', record);
    const coldOnes = coldRounds > 0 && (await canEmptyPageCache()) ? coldRounds : 0;
    for (let round = 0; round < coldOnes; round++) await measureBaseBackups(arena, round, 'cold', record);
  }
  const archivers = contestants.filter(({ commands, flavour }) => commands !== undefined && flavour === flavours.encrypted);
  const commands = only.has('commands') ? await measureCommands(archivers, postgres, calls) : [];
  if (only.has('wal') || only.has('recover')) archivers.push(...(await openAsyncArchiver(ground, owner)));
  const arena = {
    postgres,
    segments,
    archivers: only.has('wal') ? archivers : [],
    receivers: only.has('receive') ? await openReceivers(ground) : [],
  };
  for (let round = 0; round < rounds; round++) await measureWal(arena, round, record);
  if (only.has('recover')) await measureRecoveries({ postgres, archivers, segments, rounds, scratch }, record);
  const profiles = only.has('profile')
    ? await measureProfiles({ postgres, contestants: await openMeasured(ground, owner), scratch, segments })
    : [];
  const version = await pgbackrestVersion();
  return { machine, data, threads, ...(version && { pgbackrest: version }), rows: summarize(samples), commands, profiles, samples };
}

function tell({ what, flavour, cache, tool, round, units, seconds, cpuSeconds }: Sample): void {
  const work = `round ${round + 1}  ${what}, ${flavour}, ${cache}`;
  console.error(`  ${work.padEnd(48)} ${tool.padEnd(24)} ${duration(seconds / units)}, ${duration(cpuSeconds / units)} of CPU`);
}

runCommand('bench', main);
