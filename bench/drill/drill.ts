import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { DrillEvidence } from '../../src/catalog/evidence/drill-evidence.ts';
import { runCommand } from '../../src/cli/main.ts';
import { OperatorError } from '../../src/lib/errors.ts';
import { runOurs } from '../../test/support/commands.ts';
import { clientProgram } from '../../test/support/postgres-programs.ts';
import { TestSite } from '../../test/support/test-site.ts';
import { databaseBytes } from '../cluster.ts';
import { describeMachine } from '../machine.ts';
import { plain } from '../results/tables.ts';
import { run } from '../run.ts';
import { type DrillMode, type DrillResults, type DrillSample, drillTable } from './drill-table.ts';
import { PgbenchLoad } from './pgbench-load.ts';

const defaults = { scale: '140', rounds: '5', clients: '4', seconds: '60' };
const modes: readonly DrillMode[] = ['stepping back', 'as any process'];

interface Arena {
  readonly site: TestSite;
  readonly load: PgbenchLoad;
  readonly secondsAlone: number;
}

/**
 * `npm run bench:drill`: what a restore drill costs the cluster beside it, in transactions of pgbench, with the drill stepping back for everything else (`low_priority`, the
 * default) and without. pgbench runs all the time; before and after each drill it is alone. Scale 140 makes 2 GB.
 */
async function main(argv: string[]): Promise<number> {
  const options = Object.fromEntries([...Object.keys(defaults), 'json'].map((name) => [name, { type: 'string' as const }]));
  const values: Readonly<Record<string, string | undefined>> = { ...defaults, ...parseArgs({ args: argv, options }).values };
  const [scale, rounds, clients, secondsAlone] = ['scale', 'rounds', 'clients', 'seconds'].map((name) => countOf(name, values[name]));
  const results = await measure(scale as number, rounds as number, clients as number, secondsAlone as number);
  if (values['json'] !== undefined) await writeFile(values['json'], `${JSON.stringify(results, undefined, 2)}\n`);
  console.log(plain(drillTable(results.samples)));
  return 0;
}

async function measure(scale: number, rounds: number, clients: number, secondsAlone: number): Promise<DrillResults> {
  await using site = await TestSite.start({
    initdb: ['--data-checksums'],
    version: '15',
    settings: { shared_buffers: '512MB', max_wal_size: '4GB' },
    site: { basebackup_count: 2 },
  });
  const machine = await describeMachine(site.directory);
  const pgbench = await clientProgram('pgbench', '15');
  await run(pgbench, ['--initialize', '--quiet', `--scale=${scale}`, site.postgres.dsn]);
  const data = { scale, bytes: await databaseBytes(site.postgres), clients };
  const samples: DrillSample[] = [];
  await using load = await PgbenchLoad.start(pgbench, [`--client=${clients}`, '--jobs=2', '--no-vacuum', site.postgres.dsn]);
  for (let round = 0; round < rounds; round++) {
    // Each drill restores the newest one: WAL to be replayed does not grow from round to round.
    await site.basebackup();
    for (const mode of round % 2 === 0 ? modes : modes.toReversed()) {
      samples.push(await holdBeside({ site, load, secondsAlone }, round, mode));
      console.error(plain(drillTable(samples.slice(-1))).split('\n')[1]);
    }
  }
  return { machine, data, samples };
}

async function holdBeside({ site, load, secondsAlone }: Arena, round: number, mode: DrillMode): Promise<DrillSample> {
  const drill = { workdir: site.place('drills'), schedule: null, target: 'latest', low_priority: mode === 'stepping back' };
  await site.daemon.reconfigure({ site: { restore_drill: drill } });
  const before = await load.seconds(secondsAlone);
  let shown: DrillEvidence | undefined;
  const duringPerSecond = await load.during(async () => {
    shown = await hold(site);
  });
  const after = await load.seconds(secondsAlone);
  if (shown === undefined) throw new OperatorError('bench-failed', 'the drill has shown nothing');
  return {
    round,
    mode,
    alonePerSecond: (before + after) / 2,
    duringPerSecond,
    drillSeconds: shown.duration_seconds,
    restoredBytes: shown.restored_bytes ?? Number.NaN,
    replayedSegments: shown.replayed_segments ?? Number.NaN,
  };
}

async function hold(site: TestSite): Promise<DrillEvidence> {
  const { code, stdout, stderr } = await runOurs('pghoard', ['drill', '--config', site.daemon.configFile, '--json']);
  if (code !== 0) throw new OperatorError('bench-failed', `the drill ended with ${code}: ${stderr || stdout}`);
  return JSON.parse(stdout) as DrillEvidence;
}

function countOf(name: string, text: string | undefined): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new OperatorError('usage', `--${name} ${text} is not a positive whole number`, {
    hint: 'Usage: npm run bench:drill -- [--scale 140] [--rounds 5] [--clients 4] [--seconds 60] [--json FILE]',
  });
}

runCommand('bench', main);
