import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runCommand } from '../../src/cli/main.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { OperatorError } from '../../src/lib/errors.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { plain } from '../results/tables.ts';
import { run } from '../run.ts';
import { renderScale, type ScaleRow } from './scale-table.ts';
import { scaleWorks } from './works.ts';

const sizes = { file: '1000,10000,100000,1000000', segment: '1000,10000,100000,1000000', GiB: '1,5,20,50' };

/** `npm run bench:scale`: what each file, each stored segment and each GiB costs, the more there are of them. */
async function main(argv: string[]): Promise<number> {
  const options = Object.fromEntries(
    [...Object.keys(sizes), 'json', 'child', 'directory'].map((name) => [name, { type: 'string' as const }]),
  );
  const values: Readonly<Record<string, string | undefined>> = parseArgs({ args: argv, options }).values;
  if (values['child'] !== undefined) return await runChild(values['child'], values['directory'] ?? '');
  const rows: ScaleRow[] = [];
  for (const { what, unit, make } of scaleWorks) {
    for (const count of (values[unit] ?? sizes[unit]).split(',').map(countOf)) {
      await using scratch = await makeTemporaryDirectory();
      await make(scratch.path, count);
      const row = { what, unit, count, ...(await inChild(what, scratch.path)) };
      rows.push(row);
      console.error(plain(renderScale([row])));
    }
  }
  if (values['json'] !== undefined) await writeFile(values['json'], `${JSON.stringify(rows, undefined, 2)}\n`);
  console.log(plain(renderScale(rows)));
  return 0;
}

type Spent = Pick<ScaleRow, 'seconds' | 'cpuSeconds' | 'peakBytes'>;

/** In a process of its own, so that its memory can be told; started as bin/launch.sh starts the daemon. */
async function inChild(what: string, directory: string): Promise<Spent> {
  const program = fileURLToPath(import.meta.url);
  const flags = ['--max-semi-space-size=2', '--heap-growing-percent=50'];
  const env = { ...process.env, UV_THREADPOOL_SIZE: '32', MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072' };
  return JSON.parse(await run(process.execPath, [...flags, program, '--child', what, '--directory', directory], { env })) as Spent;
}

async function runChild(what: string, directory: string): Promise<number> {
  const startedMs = systemClock.monotonicMs();
  await scaleWorks.find((work) => work.what === what)?.run(directory);
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  const peakBytes = await peakBytesOfThisProcess();
  console.log(JSON.stringify({ seconds, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakBytes } satisfies Spent));
  return 0;
}

/** `VmHWM`; the most that getrusage tells of is also that of the parent, as it was when it started this one. */
async function peakBytesOfThisProcess(): Promise<number> {
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile('/proc/self/status', 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}

function countOf(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new OperatorError('usage', `${text} is not a positive whole number`, {
    hint: 'Usage: npm run bench:scale -- [--file 1000,10000] [--segment 1000] [--GiB 1,5] [--json FILE]',
  });
}

runCommand('bench', main);
