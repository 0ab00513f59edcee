import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runCommand } from '../../src/cli/main.ts';
import { OperatorError } from '../../src/lib/errors.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { run } from '../run.ts';
import type { ChildReport } from './child.ts';
import { startDaemon } from './daemon-start.ts';
import { disciplines, type StoreDiscipline } from './disciplines.ts';
import { makeStore } from './made-store.ts';

/** `npm run bench:store`: what the number of stored segments costs, from 1000 up. */
async function main(argv: string[]): Promise<number> {
  const options = { segments: { type: 'string', default: '1000,10000,100000' }, json: { type: 'boolean', default: false } } as const;
  const { values } = parseArgs({ args: argv, options });
  const rows = [];
  for (const segments of values.segments.split(',').map(count)) {
    await using scratch = await makeTemporaryDirectory();
    console.error(`making a store of ${segments} segments`);
    await makeStore(join(scratch.path, 'store'), segments);
    const daemon = { what: 'daemon start', ...(await startDaemon(scratch.path)) };
    rows.push({ segments, ...daemon });
    tell(segments, daemon);
    for (const what of disciplines) {
      const report = { what, ...(await inChild(what, join(scratch.path, 'store'))) };
      rows.push({ segments, ...report });
      tell(segments, report);
    }
  }
  if (values.json) console.log(JSON.stringify(rows, undefined, 2));
  return 0;
}

async function inChild(discipline: StoreDiscipline, directory: string): Promise<ChildReport> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const program = fileURLToPath(new URL(`child.${extension}`, import.meta.url));
  return JSON.parse(await run(process.execPath, ['--disable-warning=ExperimentalWarning', program, discipline, directory])) as ChildReport;
}

function tell(segments: number, { what, seconds, peakBytes, outcome }: ChildReport & { readonly what: string }): void {
  const cells = [
    String(segments).padStart(8),
    what.padEnd(14),
    `${seconds.toFixed(2).padStart(8)} s`,
    `${(peakBytes / 2 ** 20).toFixed(0).padStart(5)} MiB`,
  ];
  console.log(`${cells.join('  ')}  ${outcome}`);
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 100) return value;
  throw new OperatorError('usage', `${text} is not a whole number of at least 100`, {
    hint: 'Usage: npm run bench:store -- [--segments 1000,10000] [--json]',
  });
}

runCommand('bench', main);
