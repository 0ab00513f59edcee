import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { Catalog } from '../../catalog/catalog.ts';
import { SiteKeys } from '../../catalog/keys.ts';
import { formatWalName } from '../../postgres/wal-name.ts';
import { MemoryStore } from '../../storage/memory/driver.ts';
import { sourceOfBytes } from '../../storage/object-source.ts';
import { findMissing } from './missing-segment.ts';

const segmentBytes = 2 ** 20;
const seg = (number: number, timeline = 1) => formatWalName({ timeline, number: BigInt(number) }, segmentBytes);
const lsn = (number: number, more = 0) => BigInt(number * segmentBytes + more);
const range = (first: number, last: number, timeline = 1) => Array.from({ length: last - first + 1 }, (_, at) => seg(first + at, timeline));
const onFirst = { timeline: 1, position: lsn(20, 7), segmentBytes, history: [] };
/** Timeline 1 was left within segment 12. */
const onSecond = { ...onFirst, timeline: 2, history: [{ timeline: 1, switchLsn: lsn(12, 5), reason: '' }] };

for (const [what, place, slotAt, stored, received, expected] of [
  ['nothing, as the slot is behind all of it', onFirst, lsn(16, 3), range(5, 15), [], undefined],
  ['nothing, as all is stored that the slot holds', onFirst, lsn(11), range(5, 15), [], undefined],
  ['the segment that the slot begins with', onFirst, lsn(11, 9), [...range(5, 10), ...range(13, 15)], [], seg(11)],
  ['one that it holds', onFirst, lsn(9), [...range(5, 10), seg(12), ...range(14, 15)], [], seg(11)],
  ['nothing, as it waits here', onFirst, lsn(9), [...range(5, 10), ...range(13, 15)], range(11, 12), undefined],
  ['the second, as the first waits here', onFirst, lsn(9), [...range(5, 10), ...range(13, 15)], [seg(11)], seg(12)],
  ['nothing that the slot holds', onFirst, lsn(12), [...range(5, 8), ...range(10, 15)], [], undefined],
  ['nothing, as what comes before was deleted', onFirst, lsn(2), range(9, 15), [], undefined],
  ['nothing, though the timeline changes', onSecond, lsn(8), [...range(5, 12), ...range(12, 15, 2)], [], undefined],
  ['the end of an ancestor', onSecond, lsn(8), [...range(5, 10), ...range(12, 15, 2)], [], seg(11)],
  ['the beginning of the timeline', onSecond, lsn(8), [...range(5, 12), ...range(13, 15, 2)], [], seg(12, 2)],
  ['nothing in the very first', onFirst, lsn(0, 40), range(0, 3), [], undefined],
] as const) {
  test(`missing: ${what}`, async () => {
    await using directory = await makeTemporaryDirectory();
    const catalog = new Catalog(new MemoryStore(), new SiteKeys('main'));
    for (const name of stored) await catalog.store.put(catalog.walKey(name), sourceOfBytes(Buffer.from('x')), { metadata: {} });
    for (const name of received) await writeFile(join(directory.path, name), '');
    const last = stored.at(-1) ?? '';
    assert.equal(await findMissing([catalog], directory.path, { ...place, slotLsn: slotAt, last }, new AbortController().signal), expected);
  });
}
