import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FetchedWal } from './fetched-wal.ts';

const segment = (number: number) => `0000000100000000000000${number.toString(16).padStart(2, '0')}`;

test('what was fetched counts as such until a server hands over WAL again, be it what was fetched', async () => {
  const wal = new FetchedWal();
  const fetch = (number: number) => wal.fetch(segment(number), async () => wal.stored(segment(number)));
  wal.stored(segment(1));
  assert.equal(wal.newest, undefined);
  for (const number of [2, 4, 3]) await fetch(number);
  assert.equal(wal.newest, segment(4));
  wal.stored(segment(2));
  assert.equal(wal.newest, undefined);
});

test('what could not be stored was not fetched', async () => {
  const wal = new FetchedWal();
  await assert.rejects(
    wal.fetch(segment(1), () => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.equal(wal.newest, undefined);
});
