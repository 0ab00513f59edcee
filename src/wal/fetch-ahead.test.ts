import assert from 'node:assert/strict';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { waitFor } from '../../test/support/wait-for.ts';
import { flipBit, makeWalSegment, mebibyte } from '../../test/support/wal-segment.ts';
import { TestWalSite } from '../../test/support/wal-site.ts';
import type { Job } from '../codec/job.ts';
import { CodecPool, type RunOptions } from '../codec/pool.ts';
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';

const pool = new CodecPool(2);
after(() => pool.close());

/** The last three segments before a carry and the first two after it, of 1 MiB each. */
const names = [
  '000000010000000000000FFD',
  '000000010000000000000FFE',
  '000000010000000000000FFF',
  '000000010000000100000000',
  '000000010000000100000001',
];
const [first, second, third, fourth] = names as [string, string, string, string, string];

function isFinished(name: string): boolean {
  return !name.endsWith('.tmp');
}

async function fetchedAhead(site: TestWalSite, count: number): Promise<void> {
  await waitFor(async () => (await site.prefetched()).filter(isFinished).length === count && (await site.prefetched()).every(isFinished), {
    withinMs: 30_000,
    what: `${count} files fetched ahead`,
  });
}

test('following segments are fetched ahead, right across the carry, and no further than the store has them', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 8, max: 8 } } });
  await site.archiveNew(names);
  const seen = site.store.calls.length;
  await site.fetchBytes(first);
  await fetchedAhead(site, 4);
  const beyond = /000000010000000100000(00[2-9]|01)/;
  await waitFor(() => site.store.count('get', beyond) > 0, { withinMs: 30_000, what: 'the end of the archive is found' });
  const asked = site.store.calls.slice(seen).map(({ key }) => key.slice(-24));
  assert.deepEqual(asked.slice(0, 5), names, 'one request for each name');
  assert.ok(asked.length <= 5 + 4, 'and no more beyond the end than may be under way at once');
  for (const [at, name] of names.slice(1).entries()) {
    assert.deepEqual(await site.fetchBytes(name), makeWalSegment(name));
    await waitFor(() => site.store.calls.length === seen + asked.length + at + 1, {
      withinMs: 30_000,
      what: 'then the end is asked for once a time',
    });
  }
  assert.equal(site.store.count('get', new RegExp(second)), 1, 'what was fetched ahead is not fetched again');
  assert.deepEqual(await site.prefetched(), []);
});

test('the segment size is learned from the segment: 16 MiB carries after FF', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 1, max: 1 } } });
  const [last, next] = ['0000000100000000000000FF', '000000010000000100000000'];
  for (const name of [last, next]) await site.archiver.archive(name, await site.write(name, { segmentBytes: 16 * mebibyte }));
  await site.fetchBytes(last);
  await fetchedAhead(site, 1);
  assert.equal(site.store.count('get', new RegExp(next)), 1);
});

test('a look-ahead that found nothing does not answer for a request that came later', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 1, max: 1 } } });
  await site.archiveNew([first]);
  const released = Promise.withResolvers<void>();
  const missing = new OperatorError('object-missing', 'not there yet');
  site.store.inject({
    operation: 'get',
    key: new RegExp(second),
    call: 1,
    how: 'wait',
    until: released.promise.then(() => Promise.reject(missing)),
  });
  await site.fetchBytes(first);
  await waitFor(() => site.store.count('get', new RegExp(second)) === 1, { withinMs: 30_000, what: 'looking ahead' });
  await site.archiveNew([second]);
  const fetching = site.fetchBytes(second);
  released.resolve();
  assert.deepEqual(await fetching, makeWalSegment(second));
});

test('a file fetched ahead that was damaged on local disk, or removed, is fetched again', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 2, max: 2 } } });
  await site.archiveNew([first, second, third]);
  await site.fetchBytes(first);
  await fetchedAhead(site, 2);
  for (const file of await site.prefetched()) {
    const path = join(site.spool.prefetchDirectory, file);
    if (file.startsWith(second)) await writeFile(path, flipBit(await readFile(path)));
    else await rm(path);
  }
  assert.deepEqual(await site.fetchBytes(second), makeWalSegment(second));
  assert.deepEqual(await site.fetchBytes(third), makeWalSegment(third));
});

/** Remembers which jobs it ran. */
class WatchedPool extends CodecPool {
  readonly jobs: string[] = [];
  override run<I, R>(job: Job<I, R>, input: I, options?: RunOptions): Promise<R> {
    this.jobs.push(job.name);
    return super.run(job, input, options);
  }
}

test('a file fetched ahead is read again if anybody touched it, or if it has lain for long', async () => {
  let nowMs = 0;
  await using watched = new WatchedPool(1);
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
  await using site = await TestWalSite.start(watched, { fetcher: { segmentsAhead: { start: 3, max: 3 }, clock } });
  await site.archiveNew([first, second, third, fourth]);
  await site.fetchBytes(first);
  await fetchedAhead(site, 3);
  const checks = () => watched.jobs.filter((job) => job === 'verifyWal').length;
  await site.fetchBytes(second);
  assert.equal(checks(), 0, 'it has just been written');
  const touched = (await site.prefetched()).find((file) => file.startsWith(third)) ?? '';
  await chmod(join(site.spool.prefetchDirectory, touched), 0o640);
  await site.fetchBytes(third);
  assert.equal(checks(), 1);
  nowMs += 60_000;
  await site.fetchBytes(fourth);
  assert.equal(checks(), 2);
  assert.equal(site.store.count('get', /FF[DEF]$|0{8}$/), 4, 'each was fetched once');
});

test('more is fetched ahead if PostgreSQL had to wait', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 1, max: 3 } } });
  await site.archiveNew(names);
  const released = Promise.withResolvers<void>();
  site.store.inject({ operation: 'get', key: new RegExp(second), how: 'wait', until: released.promise });
  await site.fetchBytes(first);
  await waitFor(() => site.store.count('get', new RegExp(second)) === 1, { withinMs: 30_000, what: 'the second one is under way' });
  const waiting = site.fetchBytes(second);
  released.resolve();
  await waiting;
  await fetchedAhead(site, 3);
});

test('files that nobody will ask for any more are dropped: after a jump, after a pause, at the end', async () => {
  const pauses: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    sleep: (_ms, signal) =>
      new Promise((resolve, reject) => {
        pauses.push(resolve);
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  };
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 2, max: 2 }, clock } });
  await site.archiveNew(names);
  await site.fetchBytes(first);
  await fetchedAhead(site, 2);
  await site.fetchBytes(fourth);
  await fetchedAhead(site, 1);
  assert.deepEqual(
    (await site.prefetched()).map((file) => file.slice(0, 24)),
    [names[4]],
  );
  pauses.at(-1)?.();
  await waitFor(async () => (await site.prefetched()).length === 0, { withinMs: 30_000, what: 'dropped after the pause' });
  await site.fetchBytes(first);
  await fetchedAhead(site, 2);
  await site.fetcher.close();
  assert.deepEqual(await site.prefetched(), []);
  await assert.rejects(site.fetcher.fetch(first), { code: 'shutting-down' });
});

test('a disk full of what was fetched ahead is cleared for what is asked for', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 2, max: 2 } } });
  await site.archiveNew(names);
  await site.fetchBytes(first);
  await fetchedAhead(site, 2);
  const full = new OperatorError('disk-full', 'no room', { retryable: true });
  site.store.inject({ operation: 'get', key: new RegExp(fourth), call: 1, how: 'cut', after: 0, error: full });
  assert.deepEqual(await site.fetchBytes(fourth), makeWalSegment(fourth));
});
