import { parseArgs } from 'node:util';
import { runCommand } from '../../src/cli/main.ts';
import { systemClock } from '../../src/lib/clock.ts';
import {
  archiveToSlowStore,
  backUpManyFiles,
  listManySegments,
  memoryCeilingBytes,
  passLargeSegment,
} from '../../test/support/memory-scenarios.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { mebibyte } from '../../test/support/wal-segment.ts';

const million = 1_000_000;
const patienceMs = 3_600_000;

const scenarios: Readonly<Record<string, (directory: string, share: number) => Promise<number>>> = {
  'base backups of a million small files': (directory, share) => backUpManyFiles(directory, million * share, patienceMs),
  'a WAL segment of 1 GB': (directory) => passLargeSegment(directory, 1024 * mebibyte),
  '60 segments that wait for a slow store': (directory, share) => archiveToSlowStore(directory, Math.ceil(60 * share), 4 * mebibyte),
  'a listing of a million segments': (directory, share) => listManySegments(directory, million * share, patienceMs),
};

/** `npm run bench:memory`: what the daemon holds at most while it has much to do. Exit code 1 where that is above the ceiling. */
async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options: { share: { type: 'string', default: '1' } } });
  let isBelow = true;
  for (const [what, run] of Object.entries(scenarios)) {
    await using scratch = await makeTemporaryDirectory();
    const begunMs = systemClock.monotonicMs();
    const peak = await run(scratch.path, Number(values.share));
    isBelow &&= peak <= memoryCeilingBytes;
    const seconds = Math.round((systemClock.monotonicMs() - begunMs) / 1000);
    console.log(`${what.padEnd(42)} ${String(Math.round(peak / mebibyte)).padStart(4)} MiB at most   ${seconds} s`);
  }
  console.log(`${isBelow ? 'all' : 'not all'} below ${memoryCeilingBytes / mebibyte} MiB`);
  return isBelow ? 0 : 1;
}

runCommand('bench:memory', main);
