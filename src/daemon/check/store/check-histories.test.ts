import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeStoredSite } from '../../../../test/support/stored-site.ts';
import { OperatorError } from '../../../lib/errors.ts';
import { parseTimelineHistory } from '../../../postgres/timeline-history.ts';
import { historyNameOf } from '../../../postgres/wal-name.ts';
import { checkHistories } from './check-histories.ts';

const signal = new AbortController().signal;
const segment = (timeline: number, number = 5) => `0000000${timeline}00000000000000${String(number).padStart(2, '0')}`;
const sound = '1\t0/4000000\tno recovery target specified\n';

/** Base backups are of the first timeline, others have WAL, and some histories, by their text. */
async function findings({
  wal,
  histories,
  first = 1,
}: {
  wal: readonly number[];
  histories: Readonly<Record<number, string>>;
  first?: number;
}) {
  const names = Object.keys(histories).map((timeline) => historyNameOf(Number(timeline)));
  const segments = wal.flatMap((timeline) => [segment(timeline, 5), segment(timeline, 6)]);
  const catalog = await makeStoredSite({ '2026-11-20_0': segment(first, 2) }, [...segments, ...names]);
  const { entries } = await catalog.basebackups();
  const read = async (timeline: number) => {
    const text = histories[timeline] ?? '';
    if (text === 'sealed') throw new OperatorError('key-missing', 'no private key');
    return parseTimelineHistory(text);
  };
  const found = await checkHistories(entries, catalog, { read, sync: 'SYNC', signal });
  return found.map(({ id, result, about = '' }) => `${result} ${id} ${about}`.trim());
}

test('all is well where each timeline with WAL has its history', async () => {
  assert.deepEqual(await findings({ wal: [1, 2, 5], histories: { 2: sound, 5: sound } }), ['ok history']);
  assert.deepEqual(await findings({ wal: [1], histories: {} }), [], 'there is none to be stored');
});

test('a history that is missing, torn, or of another timeline is found', async () => {
  const histories = { 2: sound, 4: '1\t0/40 \n2', 5: '', 6: '6\t0/4000000\tno recovery target specified\n' };
  assert.deepEqual(await findings({ wal: [1, 2, 3, 4, 5, 6], histories }), [
    'failure history 00000003.history',
    'failure history 00000004.history',
    'failure history 00000005.history',
    'failure history 00000006.history',
  ]);
});

test('what no base backup needs may have gone, and what is encrypted for others cannot be judged', async () => {
  assert.deepEqual(await findings({ wal: [1, 2, 3], histories: { 3: sound }, first: 2 }), ['ok history']);
  assert.deepEqual(await findings({ wal: [1, 2], histories: { 2: 'sealed' } }), ['note history 00000002.history']);
});
