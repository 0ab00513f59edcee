import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { systemClock } from '../../lib/clock.ts';
import { forecastSecondsMax } from './disk-forecast.ts';
import { DiskWatch } from './disk-watch.ts';

test('a disk is told with its size, room and forecast; one that is not there is left out until it is', async () => {
  await using scratch = await makeTemporaryDirectory();
  const watch = new DiskWatch(systemClock);
  const later = join(scratch.path, 'later');
  const places = [{ place: 'spool', path: scratch.path } as const, { place: 'store', site: 'main', path: later } as const];
  await watch.look(places);
  const [free, size, full, ...others] = watch.samples();
  assert.deepEqual([free?.tags, size?.tags, others], [{ place: 'spool' }, { place: 'spool' }, []]);
  assert.ok(free && size && free.value > 0 && free.value <= size.value);
  assert.equal(full?.value, forecastSecondsMax);
  await mkdir(later);
  await watch.look(places);
  assert.deepEqual(
    watch.samples().map(({ tags }) => tags),
    [...Array.from({ length: 3 }, () => ({ place: 'spool' })), ...Array.from({ length: 3 }, () => ({ place: 'store', site: 'main' }))],
  );
  await watch.look([]);
  assert.deepEqual(watch.samples(), [], 'a site that is none any more');
});
