import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { SeededRandom } from '../../test/support/seeded-random.ts';
import { FaultyStore } from '../../test/support/store.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import type { Random } from '../lib/random.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { passOn } from '../storage/pass-on.ts';
import { Catalog } from './catalog.ts';
import { SiteKeys } from './keys.ts';
import { formatLeaseNote } from './lease-note.ts';
import { SiteLease, type SiteLeaseDeps } from './site-lease.ts';

const ttlMs = 60_000;
const { signal } = new AbortController();
const keys = new SiteKeys('main');

/** A store, a time, and those who want the lease. */
class Bench {
  readonly store = new FaultyStore(new MemoryStore());
  nowMs = 0;
  readonly #clock: Clock = { ...systemClock, monotonicMs: () => this.nowMs };

  lease(place: string | undefined, changes: Partial<SiteLeaseDeps> = {}): SiteLease {
    const catalog = new Catalog(this.store, keys);
    const about = { host: `host of ${place}`, pid: 17, version: '3.0.0', place };
    return new SiteLease({ catalog, ttlMs, ...about, beforeTaking: async () => {}, clock: this.#clock, random: seeded(), ...changes });
  }

  async generations(): Promise<string[]> {
    const found: string[] = [];
    for await (const { key } of this.store.list('')) found.push(key);
    return found;
  }
}

/** A catalog of the one store until it is told to be of the other. */
function switched(before: ObjectStore, after: ObjectStore): { catalog: Catalog; whole: () => void } {
  let store = before;
  const current: ObjectStore = {
    ...passOn(after),
    get: (...call) => store.get(...call),
    list: (...call) => store.list(...call),
  };
  return { catalog: new Catalog(current, keys), whole: () => void (store = after) };
}

let seeds = 1;

function seeded(seed = seeds++): Random {
  const random = new SeededRandom(seed);
  return {
    next: () => random.next(),
    hex: (bytes) =>
      random
        .next()
        .toString(16)
        .slice(2, 2 + 2 * bytes),
  };
}

test('the first one has it at once, the second one waits and knows for whom', async () => {
  const bench = new Bench();
  const [first, second] = [bench.lease('a'), bench.lease('b')];
  assert.deepEqual([first.standing, first.isHeld], ['unsure', false]);
  await first.tick(signal);
  await second.tick(signal);
  assert.deepEqual([first.standing, second.standing], ['held', 'elsewhere']);
  assert.equal(second.holder?.host, 'host of a');
  assert.match(second.because, /pghoard 3\.0\.0 on host of a \(process 17\) does it/);
  assert.equal(await new Catalog(bench.store, keys).isEmpty(), true, 'a lease is no backup');
});

test('a lease that is just being replaced, or was left half replaced, is somebody’s: it is waited for', async () => {
  const bench = new Bench();
  await bench.lease('a').tick(signal);
  const half: ObjectStore = {
    ...passOn(bench.store),
    list: (_prefix, { onIncomplete } = {}) => {
      onIncomplete?.(keys.lease(1));
      return Readable.from([]);
    },
    get: async () => {
      throw new OperatorError('object-incomplete', 'its metadata are missing');
    },
  };
  const { catalog, whole } = switched(half, bench.store);
  const second = bench.lease('b', { catalog });
  await second.tick(signal);
  assert.deepEqual([second.standing, await bench.generations()], ['elsewhere', [keys.lease(1)]]);
  bench.nowMs += ttlMs;
  await second.tick(signal);
  assert.match(second.because, /has not been heard of for 60 s/);
  whole();
  await second.tick(signal);
  // The second generation, of which it could not see that it is the newest, is its own. Whoever was half there may still act for a while.
  assert.deepEqual([second.standing, await bench.generations()], ['unsure', [keys.lease(3)]]);
  for (let turn = 0; turn < 8; turn++) {
    bench.nowMs += ttlMs / 4;
    await second.tick(signal);
  }
  assert.equal(second.standing, 'held');
});

test('of many that come at once one has it', async () => {
  const bench = new Bench();
  const all = ['a', 'b', 'c', 'd', 'e'].map((place) => bench.lease(place));
  await Promise.all(all.map((lease) => lease.tick(signal)));
  assert.deepEqual(all.map(({ standing }) => standing).toSorted(), ['elsewhere', 'elsewhere', 'elsewhere', 'elsewhere', 'held']);
});

test('what is let go is taken at once, and nothing old stays', async () => {
  const bench = new Bench();
  const [first, second] = [bench.lease('a'), bench.lease('b')];
  await first.tick(signal);
  await second.tick(signal);
  await first.release(signal);
  assert.equal(first.isHeld, false);
  await second.tick(signal);
  assert.equal(second.isHeld, true);
  assert.deepEqual(await bench.generations(), ['main/site_lease/0000000002']);
  await first.tick(signal);
  assert.equal(first.standing, 'elsewhere');
});

test('a process that was killed is followed at once from its own place, and after its time from another', async () => {
  const bench = new Bench();
  await bench.lease('a').tick(signal);
  const heir = bench.lease('a');
  await heir.tick(signal);
  assert.equal(heir.isHeld, true);

  const stranger = bench.lease('b');
  await stranger.tick(signal);
  bench.nowMs += ttlMs - 1;
  await stranger.tick(signal);
  assert.equal(stranger.standing, 'elsewhere');
  bench.nowMs += 1;
  await stranger.tick(signal);
  assert.equal(stranger.isHeld, true);
});

test('one that is renewed is never taken, however long', async () => {
  const bench = new Bench();
  const [owner, other] = [bench.lease('a'), bench.lease('b')];
  for (let n = 0; n < 20; n++) {
    await owner.tick(signal);
    await other.tick(signal);
    assert.deepEqual([owner.standing, other.standing], ['held', 'elsewhere']);
    bench.nowMs += ttlMs / 3;
  }
});

test('an owner that the store does not answer stops in time, and goes on when nobody has taken over', async () => {
  const bench = new Bench();
  const owner = bench.lease('a');
  await owner.tick(signal);
  bench.store.inject({ operation: 'get', how: 'refuse' });
  await assert.rejects(owner.tick(signal), { code: 'store-unreachable' });
  bench.nowMs += ttlMs * 0.75 - 1;
  assert.equal(owner.isHeld, true);
  bench.nowMs += 1;
  assert.deepEqual([owner.isHeld, owner.standing], [false, 'unsure']);
  bench.store.heal();
  await owner.tick(signal);
  assert.equal(owner.isHeld, true);
  assert.equal(bench.store.count('put', /site_lease/), 2, 'it is still the same one');
});

test('an owner that slept too long finds out before it acts', async () => {
  const bench = new Bench();
  const [owner, other] = [bench.lease('a'), bench.lease('b')];
  await owner.tick(signal);
  await other.tick(signal);
  bench.nowMs += ttlMs;
  assert.equal(owner.isHeld, false);
  await other.tick(signal);
  assert.equal(other.isHeld, true);
  await owner.tick(signal);
  assert.deepEqual([owner.standing, other.standing], ['elsewhere', 'held']);
});

test('who takes over at the moment of a renewal waits a whole time before it acts', async () => {
  const bench = new Bench();
  const [owner, other] = [bench.lease('a'), bench.lease('b', { beforeTaking: async () => renewal?.() })];
  let renewal: (() => Promise<void>) | undefined;
  await owner.tick(signal);
  await other.tick(signal);
  bench.nowMs += ttlMs;
  renewal = () => owner.tick(signal);
  await other.tick(signal);
  assert.deepEqual([owner.isHeld, other.isHeld], [true, false]);
  const heir = bench.lease('b');
  await heir.tick(signal);
  assert.equal(heir.isHeld, false, 'a successor from there is as careful');
  bench.nowMs += ttlMs;
  await heir.tick(signal);
  assert.deepEqual([owner.isHeld, heir.isHeld], [false, true]);
});

test('a making that was not heard of is found again', async () => {
  const bench = new Bench();
  const lease = bench.lease('a');
  bench.store.inject({ operation: 'put', call: 1, how: 'lose-response' });
  await assert.rejects(lease.tick(signal), { code: 'store-unreachable' });
  await lease.tick(signal);
  assert.equal(lease.isHeld, true);
});

test('renewals that were not heard of are known again', async () => {
  const bench = new Bench();
  const lease = bench.lease('a');
  await lease.tick(signal);
  bench.store.inject({ operation: 'put', how: 'lose-response' });
  for (let n = 0; n < 250; n++) await assert.rejects(lease.tick(signal));
  bench.store.heal();
  await lease.tick(signal);
  assert.equal(lease.isHeld, true);
});

test('a copy of the running machine, with the memory and the place of the daemon, is found out', async () => {
  const [bench, apart] = [new Bench(), new Bench()];
  let store: ObjectStore = apart.store;
  const movable = new Proxy(apart.store, {
    get: (_, name: keyof ObjectStore) => {
      const member = store[name];
      return typeof member === 'function' ? member.bind(store) : member;
    },
  });
  const original = bench.lease('a', { random: seeded(1) });
  const copy = bench.lease('a', { random: seeded(1), catalog: new Catalog(movable, keys) });
  await original.tick(signal);
  await copy.tick(signal);
  store = bench.store;
  await original.tick(signal);
  for (let n = 0; n < 8; n++) {
    await copy.tick(signal);
    await original.tick(signal);
    assert.deepEqual([original.isHeld, copy.isHeld], [true, false]);
    bench.nowMs += ttlMs / 4;
  }
});

test('nothing is made where the store is not there', async () => {
  const bench = new Bench();
  const away = new OperatorError('store-empty', 'not mounted', { retryable: true });
  const beforeTaking = async () => {
    throw away;
  };
  const lease = bench.lease('a', { beforeTaking });
  await assert.rejects(lease.tick(signal), away);
  assert.deepEqual(await bench.generations(), []);
  const owner = bench.lease('b');
  await owner.tick(signal);
  for (const key of await bench.generations()) await bench.store.delete(key);
  await assert.rejects(bench.lease('b', { beforeTaking }).tick(signal), away);
  assert.deepEqual(await bench.generations(), [], 'and nothing is renewed that is gone');
});

test('what lies among the leases and is none is left alone; one of a later version is respected', async () => {
  const bench = new Bench();
  const put = (key: string, text: string) => bench.store.put(key, sourceOfBytes(Buffer.from(text)), { metadata: {} });
  await put('main/site_lease/README', 'x');
  await put('main/site_lease/0000000041', '{"format": 2}');
  const lease = bench.lease('a');
  await lease.tick(signal);
  assert.deepEqual([lease.standing, lease.holder], ['elsewhere', undefined]);
  bench.nowMs += ttlMs;
  await lease.tick(signal);
  assert.equal(lease.isHeld, true);
  assert.deepEqual(await bench.generations(), ['main/site_lease/0000000042', 'main/site_lease/README']);
});

test('one who died in doubt leaves the doubt to whoever comes next', async () => {
  const bench = new Bench();
  const note = {
    owner: 'x',
    place: 'a',
    host: 'h',
    pid: 1,
    version: '3',
    since: new Date(0),
    ttlMs: 1000,
    riskMs: 90_000,
    isReleased: true,
  };
  await bench.store.put('main/site_lease/0000000003', sourceOfBytes(Buffer.from(formatLeaseNote(note, 'n'))), { metadata: {} });
  const lease = bench.lease('b');
  await lease.tick(signal);
  for (const [afterMs, isHeld] of [
    [89_999, false],
    [1, true],
  ] as const) {
    bench.nowMs += afterMs;
    await lease.tick(signal);
    assert.equal(lease.isHeld, isHeld);
  }
});

test('a renewal costs a get, a put and a listing; waiting costs a listing and a get', async () => {
  const bench = new Bench();
  const [owner, other] = [bench.lease('a'), bench.lease('b')];
  await owner.tick(signal);
  await other.tick(signal);
  for (const [lease, expected] of [
    [owner, ['get', 'put', 'list']],
    [other, ['list', 'get']],
  ] as const) {
    bench.store.calls.length = 0;
    await lease.tick(signal);
    assert.deepEqual(
      bench.store.calls.map(({ operation }) => operation),
      expected,
    );
  }
});
