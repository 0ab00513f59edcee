import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOurs } from '../../test/support/commands.ts';
import { makeStoredSite, storedKeys, storedSiteName } from '../../test/support/stored-site.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { openStore } from '../storage/drivers.ts';
import type { DescribedForecast, DescribedSimulation } from './retention-report.ts';

const dayMs = 86_400_000;
/** Of the ten base backups, the last of them from today. */
const names = [...Array(10).keys()].map((index) => `${new Date(Date.now() - (9 - index) * dayMs).toISOString().slice(0, 10)}_0`);

/** Ten base backups, a day and two segments apart. */
async function storedSite(directory: string, settings: object) {
  const storage = { storage_type: 'local', directory: join(directory, 'store') };
  const config = join(directory, 'pghoard.json');
  await writeFile(config, JSON.stringify({ http_port: 1, backup_sites: { [storedSiteName]: { object_storage: storage, ...settings } } }));
  const segments = [...Array(22).keys()].map((number) => `0000000100000000000000${number.toString(16).toUpperCase().padStart(2, '0')}`);
  const backups = Object.fromEntries(names.map((name, index) => [name, segments[2 * index + 2] ?? '']));
  const catalog = await makeStoredSite(backups, segments, await openStore(storage as never));
  const run = (...args: string[]) => runOurs('pghoard', ['retention', '--config', config, ...args]);
  return { catalog, run };
}

test('tells of everything why it stays or goes, and when, and changes nothing', async () => {
  await using scratch = await makeTemporaryDirectory();
  const { catalog, run } = await storedSite(scratch.path, { basebackup_count: 8, keep: { monthly: 2 } });
  const before = await storedKeys(catalog);

  const { code, stdout, stderr } = await run('--explain', '--json');
  assert.deepEqual([code, stderr], [0, '']);
  const told = JSON.parse(stdout) as DescribedForecast;
  assert.deepEqual([told.site, told.basebackups.length, told.confirmation, told.policy['basebackup_count']], [storedSiteName, 10, null, 8]);
  const [first, , third] = told.basebackups;
  assert.deepEqual(
    [first?.name, first?.stays, first?.because, first?.goes],
    [names[0], false, '8 newer ones are kept (basebackup_count)', told.now],
  );
  assert.deepEqual([third?.stays, third?.because], [true, 'it is one of the newest 8 (basebackup_count)']);
  assert.ok(third?.goes && third.goes > told.now);
  assert.deepEqual(
    told.wal.slice(0, 2).map(({ from, to, files, stays, because }) => [from.slice(-2), to.slice(-2), files, stays, because]),
    [
      ['00', '05', 6, false, 'no base backup needs it'],
      ['06', '07', 2, true, `all WAL from ${names[2]} on stays`],
    ],
  );

  const dry = await run('--dry-run');
  assert.equal(dry.code, 0);
  assert.match(dry.stdout, new RegExp(`${names[1]} .*goes now .*basebackup_count`));
  assert.doesNotMatch(dry.stdout, new RegExp(`${names[2]}`));
  const whole = await run();
  assert.match(whole.stdout, new RegExp(`${names[2]} .*goes 20`));
  assert.deepEqual(await storedKeys(catalog), before);
});

test('tells what the coming days delete', async () => {
  await using scratch = await makeTemporaryDirectory();
  const { run } = await storedSite(scratch.path, { basebackup_count: 8, basebackup_interval_hours: 24 });
  const { stdout } = await run('--simulate', '4', '--json');
  const { passes, now } = JSON.parse(stdout) as DescribedSimulation;
  assert.deepEqual(
    passes.map(({ deletes, kept }) => [deletes.map(({ name }) => name).join(), kept]),
    [[`${names[0]},${names[1]}`, 8], ...names.slice(2, 6).map((name) => [name, 8])],
  );
  assert.deepEqual(passes[0]?.at, now);
  assert.match((await run('--simulate', '4')).stdout, new RegExp(`if a base backup is taken every 24 hours[^]*${names[5]}`));
  for (const days of ['0', 'NaN']) assert.equal((await run('--simulate', days)).code, 2, days);
});

test('the coming days are those of the schedule, by its hour and time zone', async () => {
  await using scratch = await makeTemporaryDirectory();
  const schedule = { basebackup_interval_hours: 24, basebackup_hour: 3, basebackup_minute: 30, basebackup_time_zone: 'Asia/Kolkata' };
  const { run } = await storedSite(scratch.path, { basebackup_count: 10, ...schedule });
  const { passes, timeOfDay } = JSON.parse((await run('--simulate', '4', '--json')).stdout) as DescribedSimulation;
  assert.ok(passes.length >= 3);
  // The first one may be due by now.
  assert.deepEqual([...new Set(passes.slice(1).map(({ at }) => String(at).slice(11, 16)))], ['22:00']);
  assert.equal(timeOfDay, '03:30 Asia/Kolkata');
  assert.match((await run('--simulate', '4')).stdout, /every 24 hours from 03:30 Asia\/Kolkata on until/);
});

test('tells what would have to be confirmed; where no daemon runs nothing can be', async () => {
  await using scratch = await makeTemporaryDirectory();
  const { run } = await storedSite(scratch.path, { basebackup_count: 2 });
  const { stdout } = await run('--dry-run');
  assert.match(stdout, /8 of 10 base backups would be deleted\. .*--site site --confirm [0-9a-f]{12}/);
  const refused = await run('--confirm');
  assert.deepEqual([refused.code, /daemon-unreachable/.test(refused.stderr)], [1, true]);
  const both = await run('--dry-run', '--explain');
  assert.match(both.stderr, /request-invalid: only one of/);
});
