import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedQueue } from './bounded-queue.ts';
import { forEachLimited, Limiter } from './limiter.ts';

test('items come out in the order they went in', async () => {
  const queue = new BoundedQueue<number>(3);
  for (const item of [1, 2, 3]) await queue.put(item);
  assert.deepEqual([await queue.take(), await queue.take(), await queue.take()], [1, 2, 3]);
});

test('put waits for room and take waits for an item', async () => {
  const queue = new BoundedQueue<number>(1);
  await queue.put(1);
  let second = false;
  const putting = queue.put(2).then(() => (second = true));
  await Promise.resolve();
  assert.equal(second, false);
  assert.equal(await queue.take(), 1);
  await putting;
  assert.equal(await queue.take(), 2);
  const taking = queue.take();
  await queue.put(3);
  assert.equal(await taking, 3);
});

test('an aborted wait leaves nothing behind', async () => {
  const queue = new BoundedQueue<number>(1);
  const controller = new AbortController();
  const taking = queue.take(controller.signal);
  controller.abort(new Error('stop'));
  await assert.rejects(taking, /stop/);
  await queue.put(1);
  assert.equal(queue.size, 1);
});

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
