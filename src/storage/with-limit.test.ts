import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, collect } from './contract-tools.ts';
import { MemoryStore } from './memory/driver.ts';
import type { ObjectStore } from './object-store.ts';
import { passOn } from './pass-on.ts';
import { storeThrottled, storeUnreachable } from './store-errors.ts';
import { withLimit } from './with-limit.ts';

type Answer = 'yes' | 'throttled' | 'unreachable';

/** Requests that are under way until they are answered. */
class Requests {
  answers: ((answer: Answer) => void)[] = [];
  readonly store: ObjectStore;

  constructor(max: number) {
    const memory = new MemoryStore();
    const head: ObjectStore['head'] = async (key) => {
      const answer = await new Promise<Answer>((resolve) => this.answers.push(resolve));
      if (answer === 'throttled') throw storeThrottled(`look at ${key}`, 'it', undefined);
      if (answer === 'unreachable') throw storeUnreachable(`look at ${key}`, 'it');
      return { key, size: 0, lastModified: new Date(0), metadata: {} };
    };
    this.store = withLimit({ ...passOn(memory), head }, max);
  }

  ask(count: number): void {
    for (let i = 0; i < count; i++) this.store.head(`key ${i}`).catch(() => {});
  }

  /** Answers all that are under way, and resolves to how many they were. */
  async answer(answer: Answer): Promise<number> {
    await turn();
    const [waiting] = [this.answers];
    this.answers = [];
    for (const resolve of waiting) resolve(answer);
    await turn();
    return waiting.length;
  }
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('a store that asks for fewer requests gets half as many each time it does, never none', async () => {
  const requests = new Requests(8);
  requests.ask(100);
  const underWay: number[] = [];
  for (let i = 0; i < 6; i++) underWay.push(await requests.answer('throttled'));
  assert.deepEqual(underWay, [8, 4, 2, 1, 1, 1]);
});

test('with successes they become more again, one by one, up to what they were', async () => {
  const requests = new Requests(4);
  requests.ask(100);
  for (let i = 0; i < 3; i++) await requests.answer('throttled');
  const underWay: number[] = [];
  for (let i = 0; i < 6; i++) underWay.push(await requests.answer('yes'));
  assert.deepEqual(underWay, [1, 2, 3, 4, 4, 4]);
});

test('other failures say nothing about how much is too much', async () => {
  const requests = new Requests(4);
  requests.ask(100);
  for (let i = 0; i < 3; i++) assert.equal(await requests.answer('unreachable'), 4);
});

test('a listing that is throttled counts, too', async () => {
  const requests = new Requests(4);
  const throttled = storeThrottled('list', 'it', undefined);
  const store = withLimit(
    {
      ...passOn(requests.store),
      async *list() {
        yield* [];
        throw throttled;
      },
    },
    4,
  );
  await assert.rejects(collect(store.list('')), throttled);
  for (let i = 0; i < 10; i++) store.head('a').catch(() => {});
  assert.equal(await requests.answer('yes'), 2);
});

test('a listing that works passes everything', async () => {
  const memory = new MemoryStore();
  for (const key of ['a', 'b']) await memory.put(key, bytesOf(key), { metadata: {} });
  const listed = await collect(withLimit(memory, 1).list('', { after: 'a' }));
  assert.deepEqual(
    listed.map(({ key }) => key),
    ['b'],
  );
});
