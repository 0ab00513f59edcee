import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Results } from '../../bench/results/results.ts';
import { runProgram } from '../../src/lib/subprocess.ts';
import { packageRoot } from '../support/package-root.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';

const small = ['--scale', '1', '--tables', '5', '--rounds', '1', '--cold-rounds', '0', '--segments', '1', '--calls', '1'];

test('the bench still measures all that it says it does', async () => {
  await using directory = await makeTemporaryDirectory();
  const json = join(directory.path, 'results.json');
  const only = ['--only', 'backup,restore,wal,recover,commands,profile', '--packed', 'encrypted'];
  const { code, stderr } = await runProgram(process.execPath, [
    join(packageRoot, 'dist/bench/bench.js'),
    ...small,
    ...only,
    '--json',
    json,
  ]);
  assert.equal(code, 0, stderr);
  const { rows, commands, profiles } = JSON.parse(await readFile(json, 'utf8')) as Results;
  const ours = rows.filter(({ tool }) => tool === 'pghoard');
  assert.deepEqual(
    ours.map(({ what }) => what),
    ['base backup', 'base backup, streamed', 'restore', 'archive a backlog', 'fetch in order', 'recover'],
  );
  for (const row of ours) assert(row.seconds > 0 && row.cpuSeconds >= 0 && row.peakBytes > 0, JSON.stringify(row));
  assert((ours[0]?.storedBytes ?? 0) > 2 ** 20);
  const busyShare = ours.at(-1)?.busyShare ?? -1;
  assert(busyShare >= 0 && busyShare <= 1, `the startup process was busy for ${busyShare} of the time`);
  assert(commands.some(({ command, ms }) => command === 'pghoard' && ms > 0));
  assert.deepEqual(
    profiles.map(({ work }) => work),
    ['base backup', 'archive a backlog'],
  );
  for (const { steps, work } of profiles)
    for (const step of ['read', 'compress', 'encrypt', 'hash', 'write']) assert(step in steps, `${step} of the ${work}`);
});
