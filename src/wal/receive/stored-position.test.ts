import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStore } from '../../../test/support/store.ts';
import { Catalog } from '../../catalog/catalog.ts';
import { SiteKeys } from '../../catalog/keys.ts';
import { formatWalName } from '../../postgres/wal-name.ts';
import { MemoryStore } from '../../storage/memory/driver.ts';
import { sourceOfBytes } from '../../storage/object-source.ts';
import { readStoredPosition } from './stored-position.ts';

const segmentBytes = 2 ** 20;
const { signal } = new AbortController();
const segment = (number: number, timeline = 1) => formatWalName({ timeline, number: BigInt(number) }, segmentBytes);
const lsn = (number: number, more = 0) => BigInt(number * segmentBytes + more);

async function stored(...names: string[]): Promise<{ catalog: Catalog; store: FaultyStore }> {
  const store = new FaultyStore(new MemoryStore());
  const catalog = new Catalog(store, new SiteKeys('main'));
  const folder = (name: string) => (name.endsWith('.history') ? catalog.keys.historyPrefix : catalog.keys.walPrefix);
  for (const name of names) await store.put(folder(name) + name, sourceOfBytes(Buffer.from('x')), { metadata: {} });
  return { catalog, store };
}

const onFirst = { timeline: 1, position: lsn(5000, 7), segmentBytes };
const onSecond = { timeline: 2, position: lsn(5000, 7), segmentBytes };
const leftAt = (number: number, more = 0) => [{ timeline: 1, switchLsn: lsn(number, more), reason: '' }];
const upTo = (last: number) => Array.from({ length: last }, (_, number) => segment(number + 1));

for (const [what, names, server, history, expected] of [
  ['nothing', [], onFirst, [], undefined],
  ['close to the server', [segment(4990), segment(4999)], onFirst, [], segment(4999)],
  ['far behind it', upTo(70), onFirst, [], segment(70)],
  ['only the very first', [segment(0)], onFirst, [], segment(0)],
  ['ahead of it', [segment(4999), segment(5003)], onFirst, [], segment(5003)],
  ['across the carry of a name', [segment(4095), segment(4096)], onFirst, [], segment(4096)],
  ['the newer timeline', [segment(4000), segment(4001, 2)], onSecond, leftAt(4001, 5), segment(4001, 2)],
  [
    'an ancestor, but not what it wrote after it was left',
    [segment(4000), segment(4001), segment(4900)],
    onSecond,
    leftAt(4001, 5),
    segment(4000),
  ],
  ['an ancestor that was left at the end of a segment', [segment(4000), segment(4001)], onSecond, leftAt(4001), segment(4000)],
  ['a timeline that does not lead to the server', [segment(4000), segment(4800, 3)], onFirst, [], segment(4000)],
  ['foreign objects', [segment(4000), `${segment(4001)}.tmp`, '0000000100000001FFFFFFFF', 'README'], onFirst, [], segment(4000)],
] as const) {
  test(`the store reaches to: ${what}`, async () => {
    const { catalog } = await stored(...names);
    assert.equal((await readStoredPosition([catalog], server, history, signal)).last, expected);
  });
}

test('the newest timeline that has a history is told', async () => {
  const { catalog } = await stored('00000002.history', '0000000A.history', 'x.history');
  assert.deepEqual(await readStoredPosition([catalog], onFirst, [], signal), { last: undefined, newestTimeline: 10 });
});

test('what a former site has counts as well', async () => {
  const [own, former] = [await stored(segment(3000)), await stored(segment(4000))];
  assert.equal((await readStoredPosition([own.catalog, former.catalog], onFirst, [], signal)).last, segment(4000));
});

test('of a long archive only the end is listed', async () => {
  const { catalog, store } = await stored(...upTo(4999));
  const listed: string[] = [];
  const list = store.list.bind(store);
  store.list = async function* (...args) {
    for await (const info of list(...args)) {
      listed.push(info.key);
      yield info;
    }
  };
  assert.equal((await readStoredPosition([catalog], onFirst, [], signal)).last, segment(4999));
  assert.equal(listed.length, 64);
});
