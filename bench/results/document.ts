import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../src/cli/main.ts';
import { packageRoot } from '../../test/support/package-root.ts';
import { type DrillResults, drillTable } from '../drill/drill-table.ts';
import { stepTable, threadTable } from '../profile/profile.ts';
import { renderScale, type ScaleRow } from '../scale/scale-table.ts';
import { commandTable } from '../works/commands.ts';
import { recoveryTable } from './recovery-table.ts';
import type { Results } from './results.ts';
import { markdown, mebibytes, tableOf } from './tables.ts';

export const documentFile = 'docs/performance.md';
const resultsFile = 'bench/figures/compared.json';
const scaleFile = 'bench/figures/scale.json';
/** Measured by itself, so it may not be there. */
const drillFile = 'bench/figures/drill.json';
const remarksFile = 'bench/figures/remarks.md';

/** docs/performance.md as it follows from the figures that are kept beside the bench. */
export async function renderDocument(root: string): Promise<string> {
  const results = JSON.parse(await readFile(join(root, resultsFile), 'utf8')) as Results;
  const scale = JSON.parse(await readFile(join(root, scaleFile), 'utf8')) as readonly ScaleRow[];
  const remarks = await readFile(join(root, remarksFile), 'utf8');
  return `${[
    '# How fast it is',
    `Made from the figures in \`bench/figures/\` by \`node dist/bench/results/document.js\`. They come from \`npm run bench -- --json bench/figures/compared.json\` and \`npm run bench:scale -- --json bench/figures/scale.json\`.`,
    '## Where it was measured',
    machineText(results),
    '## Beside other tools',
    'Medians of all rounds; WAL for each segment of 16 MiB. CPU and memory are those of all processes of a tool together, shared pages counted once; for pg_basebackup also the process of the server that serves it. A ratio is the median of the ratios of each round, with the lowest and the highest: below 1, ours takes less. pgBackRest has two processes, bundles, and lz4 where ours is snappy.',
    markdown(tableOf(results.rows)),
    ...recoveryText(results),
    '## What one command takes',
    'As PostgreSQL starts it. `(bare request)` is what the daemon itself takes; the file of the first two is a small one that is stored already.',
    markdown(commandTable(results.commands)),
    '## Where the time goes',
    'Processor time by step (`measure_steps`), and what the native code of that step takes alone on the same bytes: reading is compared with `cat`, tar with GNU tar.',
    markdown(stepTable(results.profiles)),
    'By kind of thread of the daemon: `codec` does the steps above, `main` and `libuv-worker` conduct and put into the store, `V8Worker` collects garbage and compiles.',
    markdown(threadTable(results.profiles)),
    '## How it grows',
    markdown(renderScale(scale)),
    ...(await drillText(root)),
    remarks.trim(),
  ].join('\n\n')}\n`;
}

async function drillText(root: string): Promise<string[]> {
  const text = await readFile(join(root, drillFile), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return [];
  const { machine, data, samples } = JSON.parse(text) as DrillResults;
  return [
    '## What a restore drill costs',
    `From \`npm run bench:drill -- --json ${drillFile}\`: pgbench with ${data.clients} clients on ${mebibytes(data.bytes)}, alone and while the newest base backup is restored, recovered and checked on the same machine (load before: ${machine.loadBefore.toFixed(1)}). \`stepping back\` is \`low_priority\`, the default. What is lost is the median over the drills, with the least and the most.`,
    markdown(drillTable(samples)),
  ];
}

function recoveryText({ rows }: Results): string[] {
  const table = recoveryTable(rows);
  if (table.lines.length === 0) return [];
  return [
    '## What a recovery gets',
    'PostgreSQL recovers from a base backup with the restore_command of each tool. Its startup process is busy when it does not wait for that command.',
    markdown(table),
  ];
}

function machineText({ machine, data, threads, pgbackrest }: Results): string {
  const { processor, processors, memoryBytes, kernel, node, fileSystem, loadBefore } = machine;
  return [
    `- ${processor}, ${processors} processors, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB of memory; Linux ${kernel}; ${fileSystem}`,
    `- Node ${node}, pgBackRest ${pgbackrest ?? 'not installed'}, PostgreSQL 15; ${threads} threads or processes for each tool`,
    `- ${mebibytes(data.bytes)} in ${data.files} files: pgbench of scale ${data.scale}, prose, ${data.tables} small tables`,
    `- load of the machine before the first round: ${loadBefore.toFixed(1)}. ${loadBefore > processors / 2 ? 'Others were at work on it: wall times are longer than on a quiet machine and vary much, processor times a little.' : 'It was quiet.'}`,
  ].join('\n');
}

async function main(): Promise<number> {
  const file = join(packageRoot, documentFile);
  await writeFile(file, await renderDocument(packageRoot));
  console.log(`wrote ${file}`);
  return 0;
}

if (process.argv[1] === import.meta.filename) runCommand('bench', main);
