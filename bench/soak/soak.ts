import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runCommand } from '../../src/cli/main.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { OperatorError } from '../../src/lib/errors.ts';
import { siteName } from '../../test/support/daemon.ts';
import { assertPgbenchBalanced } from '../../test/support/load.ts';
import { TestPostgres } from '../../test/support/postgres.ts';
import { type Sample, takeSample } from './sample.ts';
import { Strain } from './strain.ts';
import { judgeSamples, renderJudged } from './table.ts';
import { buildWorld, sites, type World } from './world.ts';

const minuteMs = 60_000;
/** Code is compiled, caches fill, the first backups are taken: growth that ends. */
const warmUpMsMax = 10 * minuteMs;
const backupMsMax = 3 * minuteMs;

/** `npm run bench:soak`: a daemon at work for an hour, of which nothing may grow. Exit code 1 where something does, or where more is resident than promised. */
async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: { minutes: { type: 'string', default: '60' }, json: { type: 'boolean', default: false } },
  });
  const totalMs = minutes(values.minutes) * minuteMs;
  await using stack = new AsyncDisposableStack();
  const world = await buildWorld(stack, Math.ceil(totalMs / 1000) + 600);
  const end = new AbortController();
  const strain = new Strain(world, end.signal);
  const pace = { backupMs: Math.min(backupMsMax, totalMs / 8), restartEvery: 3 };
  const [samples] = await Promise.all([sample(world, totalMs).finally(() => end.abort()), strain.run(pace).finally(() => end.abort())]);
  await proveRestorable(world);
  assert.equal(await world.daemon.stop(), 0);
  const warmUpHours = Math.min(warmUpMsMax, totalMs / 2) / minuteMs / 60;
  const judged = judgeSamples(samples.filter(({ hours }) => hours >= warmUpHours));
  const troubles = troublesIn(world.daemon.log);
  if (values.json) console.log(JSON.stringify({ minutes: totalMs / minuteMs, done: strain.done, troubles, judged, samples }, undefined, 2));
  else {
    const done = Object.entries(strain.done).map(([what, count]) => `${count} ${what}`);
    console.log(`${renderJudged(judged)}\n\n${done.join(', ')}; the last base backup of each site restored and recovered`);
    for (const [what, count] of troubles) console.log(`  told ${count} times: ${what}`);
  }
  const growing = judged.filter(({ isFlat }) => !isFlat);
  console.log(growing.length === 0 ? 'flat' : `not flat: ${growing.map(({ name }) => name).join(', ')}`);
  return growing.length === 0 ? 0 : 1;
}

/** Memory in MiB; from the first moment on. */
async function sample({ daemon }: World, totalMs: number): Promise<Sample[]> {
  const everyMs = Math.min(10_000, totalMs / 30);
  const begunMs = systemClock.monotonicMs();
  const samples: Sample[] = [];
  for (let passedMs = 0; passedMs < totalMs; passedMs = systemClock.monotonicMs() - begunMs) {
    const taken = await takeSample(daemon, passedMs / minuteMs / 60);
    samples.push(taken);
    console.error(
      `${(passedMs / minuteMs).toFixed(1).padStart(6)} min  ${Object.entries(taken.figures)
        .map(([name, value]) => `${name} ${Math.round(value)}`)
        .join('  ')}`,
    );
    await delay(everyMs);
  }
  return samples;
}

/** The last base backup of each site, and all WAL behind it. */
async function proveRestorable({ directory, pgbench, postgres, daemon }: World): Promise<void> {
  await pgbench.stop();
  await daemon.archived(await postgres.switchWal());
  for (const site of sites) {
    const target = join(directory, `restored-${site}`);
    await daemon.restore(target, ['--restore-to-primary', '--overwrite', ...(site === siteName ? [] : ['--site', site])]);
    await using restored = await TestPostgres.startOn(target, { archive_mode: 'off' });
    await restored.promoted(600_000);
    await assertPgbenchBalanced(restored);
  }
}

/** Messages at WARN and ERROR, counted, without what differs from one to the next. */
function troublesIn(log: string): [what: string, count: number][] {
  const counts = new Map<string, number>();
  for (const [, what] of log.matchAll(/^\S+ (?:WARNING|ERROR) +(.*)$/gm)) {
    const masked = (what ?? '').replace(/[0-9A-F]{8,}|\d+/g, '#');
    counts.set(masked, (counts.get(masked) ?? 0) + 1);
  }
  return [...counts].toSorted(([, a], [, b]) => b - a);
}

function minutes(text: string): number {
  const value = Number(text);
  if (value >= 1) return value;
  throw new OperatorError('usage', `${text} is not a number of minutes of at least 1`, {
    hint: 'Usage: npm run bench:soak -- [--minutes 60] [--json]',
  });
}

runCommand('bench:soak', main);
