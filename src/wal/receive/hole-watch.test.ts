import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { HoleWatch } from './hole-watch.ts';

const noticed = new Date('2026-11-23T12:00:00Z');
const hole = { from: '000000010000000000000005', to: '000000010000000000000009', noticed };

/** A watch over `directory`, and what it did. */
function watch(directory: string) {
  const world = {
    backupSince: undefined as boolean | undefined,
    rejected: [] as string[],
    told: [] as (string | undefined)[],
    requests: 0,
  };
  const holes = new HoleWatch(
    {
      site: 'main',
      directory,
      hasBackupSince: () => world.backupSince,
      onGap: (because) => void world.told.push(because),
      requestBasebackup: () => void world.requests++,
      clock: systemClock,
      log: silentLog,
    },
    () => world.rejected,
  );
  return { holes, world };
}

test('a base backup is asked for once, when WAL arrives again and it is known that there is none', async () => {
  await using scratch = await makeTemporaryDirectory();
  const { holes, world } = watch(scratch.path);
  await holes.check(true);
  assert.deepEqual(world.told, [undefined]);
  await holes.add(hole);
  await holes.check(true);
  world.backupSince = false;
  await holes.check(false);
  assert.equal(world.requests, 0);
  await holes.check(true);
  await holes.check(true);
  assert.equal(world.requests, 1);
  assert.match(String(world.told[1]), /000000010000000000000005 until 000000010000000000000009/);
  world.backupSince = true;
  await holes.check(true);
  assert.equal(holes.hole, undefined);
  assert.deepEqual(world.told.slice(2), [undefined]);
});

test('a hole is remembered over a restart, until a base backup makes it harmless', async () => {
  await using scratch = await makeTemporaryDirectory();
  await watch(scratch.path).holes.add(hole);
  const { holes, world } = watch(scratch.path);
  await holes.remember();
  assert.deepEqual(holes.hole, hole);
  world.backupSince = false;
  await holes.check(true);
  assert.equal(world.requests, 1);
  world.backupSince = true;
  await holes.check(true);
  const later = watch(scratch.path);
  await later.holes.remember();
  assert.equal(later.holes.hole, undefined);
});

test('a second hole before the first is closed reaches from the first', async () => {
  await using scratch = await makeTemporaryDirectory();
  const { holes } = watch(scratch.path);
  await holes.add(hole);
  await holes.add({ from: '00000001000000000000000A', to: '00000001000000000000000F', noticed });
  assert.deepEqual([holes.hole?.from, holes.hole?.to], [hole.from, '00000001000000000000000F']);
});

test('a damaged record counts as a hole', async () => {
  await using scratch = await makeTemporaryDirectory();
  await writeFile(join(scratch.path, 'hole.json'), '{');
  const { holes } = watch(scratch.path);
  await holes.remember();
  assert.equal(holes.hole?.from, undefined);
  assert.ok(holes.hole);
});

test('files that were set aside are a gap as well', async () => {
  await using scratch = await makeTemporaryDirectory();
  const { holes, world } = watch(scratch.path);
  world.rejected = ['000000010000000000000003'];
  await holes.check(true);
  await holes.check(true);
  assert.equal(world.told.length, 1);
  assert.match(String(world.told[0]), /1 received WAL files were set aside: 000000010000000000000003/);
});
