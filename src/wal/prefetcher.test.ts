import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Begun, Prefetcher } from './prefetcher.ts';

/** A store whose answers come one after the other, when a test says so. */
class SlowStore {
  readonly asked: string[] = [];
  readonly #here = new Set<string>();
  readonly #answers: (() => void)[] = [];
  readonly prefetcher: Prefetcher;
  last: string;

  constructor(last: string, requestsMax = 4, signal = new AbortController().signal) {
    this.last = last;
    this.prefetcher = new Prefetcher((name) => this.#begin(name), requestsMax, signal);
  }

  get open(): number {
    return this.#answers.length;
  }

  /** Answers all that is open, or so many. */
  async answer(count = this.#answers.length): Promise<void> {
    for (const answer of this.#answers.splice(0, count)) answer();
    await new Promise(setImmediate);
  }

  async #begin(name: string): Promise<Begun> {
    if (this.#here.has(name)) return 'here';
    this.asked.push(name);
    await new Promise<void>((resolve) => void this.#answers.push(resolve));
    if (name > this.last) return 'missing';
    this.#here.add(name);
    return 'coming';
  }
}

const names = Array.from({ length: 16 }, (_, n) => String.fromCharCode(97 + n));

test('the more objects are found, the more are asked for at once, up to the limit', async () => {
  const store = new SlowStore('z');
  store.prefetcher.want(names);
  const atOnce = [];
  for (; store.open > 0; await store.answer()) atOnce.push(store.open);
  assert.deepEqual(atOnce, [1, 2, 4, 4, 4, 1]);
  assert.deepEqual(store.asked, names);
  await store.prefetcher.settled();
});

test('a missing object ends the walk, and after that one is asked for at a time', async () => {
  const store = new SlowStore('c');
  store.prefetcher.want(names);
  while (store.open > 0) await store.answer();
  assert.deepEqual(store.asked, names.slice(0, 7), 'four were asked for when the end was found');
  store.prefetcher.want(names);
  await new Promise(setImmediate);
  assert.deepEqual(store.asked.slice(7), ['d']);
  store.last = 'e';
  await store.answer();
  assert.equal(store.open, 2, 'it goes on where something has come');
});

test('new names take the place of those that have not been asked for', async () => {
  const store = new SlowStore('z');
  store.prefetcher.want(['a', 'b', 'c']);
  store.prefetcher.want(['b', 'x']);
  while (store.open > 0) await store.answer(1);
  assert.deepEqual(store.asked, ['a', 'b', 'x']);
});

test('nothing more is begun at the end', async () => {
  const end = new AbortController();
  const store = new SlowStore('z', 4, end.signal);
  store.prefetcher.want(names);
  end.abort();
  await store.answer();
  await store.prefetcher.settled();
  assert.deepEqual(store.asked, ['a']);
});
