import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { formatTimestamp } from '../catalog/timestamp.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { RequestedBasebackup } from './requested-basebackup.ts';

const decision = new Date('2026-11-30T12:00:00.250Z');
const stored = (time: Date) => [{ metadata: { 'backup-decision-time': formatTimestamp(time) } }];

describe('a requested base backup', () => {
  let directory: string;
  let requested: RequestedBasebackup;
  const open = () =>
    RequestedBasebackup.open({ site: 'main', file: join(directory, 'requested.json'), clock: systemClock, log: silentLog });
  const restart = async () => (requested = await open());

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'requested-'));
    requested = await open();
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('nobody asked', async () => {
    assert.equal(requested.isWanted, false);
    assert.equal(requested.waitingSince, undefined);
    await requested.begin(decision);
    await requested.end(true);
    assert.deepEqual(await readdir(directory), []);
  });

  test('it is wanted until it is complete, and then forgotten', async () => {
    await requested.request();
    await restart();
    assert.equal(requested.isWanted, true);
    const since = requested.waitingSince;
    assert.ok(since && Number(systemClock.now()) - Number(since) < 60_000);
    await requested.request();
    await requested.begin(decision);
    assert.equal(requested.isWanted, false);
    assert.deepEqual(requested.waitingSince, since);
    await requested.end(true);
    assert.equal(requested.waitingSince, undefined);
    assert.deepEqual(await readdir(directory), []);
    await restart();
    assert.equal(requested.isWanted, false);
  });

  test('what failed is still wanted', async () => {
    await requested.request();
    await requested.begin(decision);
    await requested.end(false);
    assert.equal(requested.isWanted, true);
    await restart();
    assert.equal(requested.isWanted, true);
  });

  test('what comes while it is taken wants another one', async () => {
    await requested.request();
    await requested.begin(decision);
    await requested.request();
    await requested.end(true);
    assert.equal(requested.isWanted, true);
    await restart();
    assert.equal(requested.isWanted, true);
  });

  test('a process that died while it was taken: the store tells whether it was complete', async () => {
    await requested.request();
    await requested.begin(decision);
    await restart();
    assert.equal(requested.isWanted, false);
    await requested.lookFor(stored(new Date('2026-11-30T12:00:00Z')));
    assert.equal(requested.isWanted, true);
    await requested.begin(decision);
    await restart();
    await requested.lookFor(stored(decision));
    assert.equal(requested.isWanted, false);
    assert.deepEqual(await readdir(directory), []);
  });

  test('what this process has begun is not looked for', async () => {
    await requested.request();
    await requested.begin(decision);
    await requested.lookFor([]);
    assert.equal(requested.isWanted, false);
  });

  for (const garbage of ['', '{"wanted_since": 7}', '\0\0\0\0']) {
    test(`a file that holds ${JSON.stringify(garbage)} was written because somebody wanted one`, async () => {
      await writeFile(join(directory, 'requested.json'), garbage);
      await restart();
      assert.equal(requested.isWanted, true);
    });
  }

  test('a request that cannot be kept is refused', async () => {
    await rm(directory, { recursive: true });
    await assert.rejects(requested.request(), { code: 'spool-unusable', retryable: true });
    assert.equal(requested.isWanted, false);
    directory = await mkdtemp(join(tmpdir(), 'requested-'));
  });
});
