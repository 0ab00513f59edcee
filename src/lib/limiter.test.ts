import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forEachLimited, Limiter } from './limiter.ts';
import { nextToBegin, Urgency, urgent } from './urgency.ts';

test('a limiter never runs more than it may, and frees its place after a failure', async () => {
  const limiter = new Limiter(2);
  let running = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
    throw new Error('failed');
  };
  const results = await Promise.allSettled(Array.from({ length: 7 }, () => limiter.run(work)));
  assert.equal(most, 2);
  assert.ok(results.every((result) => result.status === 'rejected'));
});

/** Work that ends when it is told to. */
function heldWork(limiter: Limiter, begun: string[], name: string, urgency?: Urgency, signal?: AbortSignal) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = limiter.run(
    () => {
      begun.push(name);
      return promise;
    },
    signal,
    urgency,
  );
  return { done, end: resolve };
}

test('a limiter may be narrowed and widened while work runs and waits', async () => {
  const limiter = new Limiter(2);
  const begun: string[] = [];
  const work = ['a', 'b', 'c', 'd'].map((name) => heldWork(limiter, begun, name));
  await new Promise(setImmediate);
  limiter.max = 1;
  work[0]?.end();
  await new Promise(setImmediate);
  assert.deepEqual(begun, ['a', 'b'], 'one of them still runs');
  work[1]?.end();
  await new Promise(setImmediate);
  assert.deepEqual(begun, ['a', 'b', 'c']);
  limiter.max = 2;
  await new Promise(setImmediate);
  assert.deepEqual(begun, ['a', 'b', 'c', 'd']);
  for (const { end, done } of work) {
    end();
    await done;
  }
});

test('urgent work overtakes what waits, and is not held up by work that nobody waits for', async () => {
  const limiter = new Limiter(1);
  const begun: string[] = [];
  const slow = heldWork(limiter, begun, 'slow');
  const hurried = new Urgency(false);
  const later = ['a', 'b'].map((name) => heldWork(limiter, begun, name));
  const promoted = heldWork(limiter, begun, 'promoted', hurried);
  await new Promise(setImmediate);
  assert.deepEqual(begun, ['slow']);
  hurried.hurry();
  hurried.hurry();
  await new Promise(setImmediate);
  assert.deepEqual(begun, ['slow', 'promoted'], 'there is one place more');
  const second = heldWork(limiter, begun, 'second', urgent);
  await new Promise(setImmediate);
  assert.deepEqual(begun, ['slow', 'promoted'], 'but only one');
  slow.end();
  await slow.done;
  await new Promise(setImmediate);
  assert.deepEqual(begun, ['slow', 'promoted'], 'urgent work waits for urgent work');
  promoted.end();
  await promoted.done;
  for (const work of [second, ...later]) {
    work.end();
    await work.done;
  }
  assert.deepEqual(begun, ['slow', 'promoted', 'second', 'a', 'b']);
});

test('who gives up waiting for a place takes none', async () => {
  const limiter = new Limiter(1);
  const begun: string[] = [];
  const first = heldWork(limiter, begun, 'first');
  const abort = new AbortController();
  const waiting = heldWork(limiter, begun, 'given up', undefined, abort.signal);
  const last = heldWork(limiter, begun, 'last');
  abort.abort(new Error('stop'));
  await assert.rejects(waiting.done, /stop/);
  await assert.rejects(heldWork(limiter, begun, 'too late', undefined, abort.signal).done, /stop/);
  first.end();
  last.end();
  await Promise.all([first.done, last.done]);
  assert.deepEqual(begun, ['first', 'last']);
});

const [now, whenever] = [{ urgency: urgent }, { urgency: new Urgency(false) }];
for (const [what, waiting, running, places, expected] of [
  ['nothing waits', [], [], 1, undefined],
  ['first come', [whenever, whenever], [], 1, 0],
  ['urgent first', [whenever, now, now], [], 1, 1],
  ['no place', [whenever], [whenever], 1, undefined],
  ['no place among urgent ones', [now], [now], 1, undefined],
  ['one place more', [whenever, now], [whenever, now], 2, 1],
  ['not two', [now], [whenever, now, now], 2, undefined],
  ['not for what can wait', [whenever], [whenever, now], 2, undefined],
] as const) {
  test(`next to begin: ${what}`, () => assert.equal(nextToBegin(waiting, running, places), expected));
}

test('forEachLimited takes no further items after a failure and waits for the running ones', async () => {
  const seen: number[] = [];
  let finished = 0;
  const work = async (item: number) => {
    seen.push(item);
    await new Promise(setImmediate);
    if (item === 2) throw new Error('two');
    finished++;
  };
  await assert.rejects(forEachLimited([1, 2, 3, 4, 5, 6, 7, 8], 2, work), /two/);
  assert.ok(seen.length < 8);
  assert.equal(finished, seen.length - 1);
});

test('a source of items that fails is heard once the work that was begun has ended', async () => {
  let running = 0;
  const items = async function* () {
    yield* [1, 2];
    throw new Error('no more items');
  };
  const work = async () => {
    running++;
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    running--;
  };
  await assert.rejects(forEachLimited(items(), 3, work), /no more items/);
  assert.equal(running, 0);
});

test('a party whose work does not end keeps no other from beginning', async () => {
  const limiter = new Limiter(2, Number.POSITIVE_INFINITY);
  const begun: string[] = [];
  const { promise: never, resolve: end } = Promise.withResolvers<void>();
  const hang = (name: string, party: string) =>
    limiter.run(
      () => {
        begun.push(name);
        return never;
      },
      undefined,
      undefined,
      party,
    );
  const hanging = [hang('a1', 'a'), hang('a2', 'a'), hang('a3', 'a'), hang('b1', 'b'), hang('b2', 'b'), hang('c1', 'c')];
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(begun, ['a1', 'a2', 'b1', 'c1']);
  end();
  await Promise.all(hanging);
  assert.deepEqual(begun, ['a1', 'a2', 'b1', 'c1', 'a3', 'b2']);
});

test('not more places than are spare are found for parties', () => {
  const work = (party: string | undefined) => ({ urgency: new Urgency(false), party });
  assert.equal(nextToBegin([work('a'), work('b')], [work('a')], 1, 1), 1);
  assert.equal(nextToBegin([work('c')], [work('a'), work('b')], 1, 1), undefined);
  assert.equal(nextToBegin([work('b')], [work('a')], 1), undefined);
  assert.equal(nextToBegin([work(undefined)], [work('a')], 1, 1), undefined);
});
