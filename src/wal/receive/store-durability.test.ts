import assert from 'node:assert/strict';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { waitFor } from '../../../test/support/wait-for.ts';
import { makeWalSegment, mebibyte } from '../../../test/support/wal-segment.ts';
import { TestWalSite } from '../../../test/support/wal-site.ts';
import { CodecPool } from '../../codec/pool.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { systemRandom } from '../../lib/random.ts';
import { startLsnOf } from '../../postgres/wal-name.ts';
import { StoreDurability } from './store-durability.ts';

const pool = new CodecPool(2);
after(() => pool.close());

const [first, second, third] = ['000000010000000000000FFE', '000000010000000000000FFF', '000000010000000100000000'] as const;
const startOf = (segment: string) => startLsnOf(segment, mebibyte);

/** A stream that begins with {@link second}, and what the server hears. */
async function follow(site: TestWalSite) {
  const directory = site.walDirectory;
  const durability = new StoreDurability({
    site: 'main',
    directory,
    beginnings: site.beginnings,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  const told: bigint[] = [];
  const followed = durability.follow({ timeline: 1, segmentBytes: mebibyte, startLsn: startOf(second) }, () => told.push(followed.durable));
  assert.equal(followed.durable, 0n, 'nothing is said before it is known');
  await writeFile(join(directory, `${second}.partial`), makeWalSegment(second));
  const isDurable = (lsn: bigint) =>
    waitFor(() => followed.durable === lsn, { withinMs: 30_000, what: () => `${lsn} is durable, ${followed.durable} is` });
  return { durability, followed, told, isDurable, [Symbol.asyncDispose]: () => followed[Symbol.asyncDispose]() };
}

test('what was received is safe once it is stored, and the server hears of it', async () => {
  await using site = await TestWalSite.start(pool);
  await using stream = await follow(site);
  await stream.isDurable(startOf(second));
  stream.followed.received(startOf(second) + 20n);
  stream.followed.received(startOf(second) + 5000n);
  await stream.isDurable(startOf(second) + 5000n);
  assert.deepEqual(stream.told, [startOf(second), startOf(second) + 5000n]);
  assert.deepEqual(await site.storedPartials(), [`${second}.00001388.partial`]);
});

test('one upload is under way, and the next one has all that has arrived meanwhile', async () => {
  await using site = await TestWalSite.start(pool);
  await using stream = await follow(site);
  const released = Promise.withResolvers<void>();
  site.store.inject({ operation: 'put', call: 1, how: 'wait', until: released.promise });
  for (let bytes = 1000n; bytes <= 9000n; bytes += 1000n) {
    stream.followed.received(startOf(second) + bytes);
    if (bytes === 1000n) await waitFor(() => site.store.count('put') === 1, { withinMs: 30_000, what: 'an upload is under way' });
  }
  await stream.isDurable(startOf(second));
  released.resolve();
  await stream.isDurable(startOf(second) + 9000n);
  assert.equal(site.store.count('put'), 2);
});

test('what waits from earlier comes first', async () => {
  await using site = await TestWalSite.start(pool);
  await site.write(first);
  await using stream = await follow(site);
  await stream.isDurable(startOf(first));
  stream.followed.received(startOf(second) + 5000n);
  await waitFor(async () => (await site.storedPartials()).length === 1, { withinMs: 30_000, what: 'the beginning is stored' });
  assert.equal(stream.followed.durable, startOf(first));
  stream.durability.stored(first);
  await stream.isDurable(startOf(second) + 5000n);
});

test('a finished segment counts once it is stored whole; until then its beginning does', async () => {
  await using site = await TestWalSite.start(pool);
  await using stream = await follow(site);
  stream.followed.received(startOf(second) + 5000n);
  await stream.isDurable(startOf(second) + 5000n);
  await rename(join(site.walDirectory, `${second}.partial`), join(site.walDirectory, second));
  await writeFile(join(site.walDirectory, `${third}.partial`), makeWalSegment(third));
  stream.followed.received(startOf(third) + 700n);
  await waitFor(async () => (await site.storedPartials()).length === 2, { withinMs: 30_000, what: 'both beginnings are stored' });
  assert.equal(stream.followed.durable, startOf(second) + 5000n);
  stream.durability.stored(second);
  await stream.isDurable(startOf(third) + 700n);
  await waitFor(async () => (await site.storedPartials()).length === 1, { withinMs: 30_000, what: 'the other is removed' });
});

test('nothing of a timeline is safe before its history is', async () => {
  await using site = await TestWalSite.start(pool);
  const history = '00000002.history';
  await site.write(history);
  await using stream = await follow(site);
  stream.followed.received(startOf(second) + 5000n);
  await waitFor(async () => (await site.storedPartials()).length === 1, { withinMs: 30_000, what: 'the beginning is stored' });
  assert.equal(stream.followed.durable, 0n);
  await rm(join(site.walDirectory, history));
  stream.durability.stored(history);
  await stream.isDurable(startOf(second) + 5000n);
});

test('a segment that is refused is never safe, nor what follows; an old refusal is of no account', async () => {
  await using site = await TestWalSite.start(pool);
  const rejected = join(site.walDirectory, 'rejected');
  await mkdir(rejected);
  await writeFile(join(rejected, first), '');
  await using stream = await follow(site);
  await stream.isDurable(startOf(second));
  await rename(join(site.walDirectory, `${second}.partial`), join(rejected, second));
  await writeFile(join(site.walDirectory, `${third}.partial`), makeWalSegment(third));
  stream.followed.received(startOf(third) + 700n);
  await waitFor(async () => (await site.storedPartials()).length === 1, { withinMs: 30_000, what: 'the beginning is stored' });
  await waitFor(() => stream.durability.obstacle?.includes(`${second} was set aside`), { withinMs: 30_000, what: 'it is named' });
  assert.equal(stream.followed.durable, startOf(second));
});

test('a store that refuses is tried again, and is named meanwhile', async () => {
  await using site = await TestWalSite.start(pool);
  site.store.inject({ operation: 'put', how: 'refuse', error: new Error('away') });
  await using stream = await follow(site);
  stream.followed.received(startOf(second) + 5000n);
  await waitFor(() => /away/.test(stream.durability.obstacle ?? ''), { withinMs: 30_000, what: 'it is named' });
  site.store.heal();
  await stream.isDurable(startOf(second) + 5000n);
  assert.equal(stream.durability.obstacle, undefined);
});

test('its end does not wait for a store that does not answer', async () => {
  await using site = await TestWalSite.start(pool);
  site.store.inject({ operation: 'put', how: 'refuse' });
  {
    await using stream = await follow(site);
    stream.followed.received(startOf(second) + 5000n);
    await waitFor(() => site.store.count('put') > 1, { withinMs: 30_000, what: 'an upload is repeated' });
  }
  assert.deepEqual(await site.storedPartials(), []);
});
