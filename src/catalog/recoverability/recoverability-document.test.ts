import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Recoverability } from './recoverability.ts';
import { recoverabilityAsDocument, recoverabilityDocument } from './recoverability-document.ts';

const at = new Date('2026-11-30T12:00:00Z');
const point = { lsn: 0x3000000n, time: at };

test('what is known is told by names and positions, what is not is null', () => {
  const found: Recoverability = {
    segmentBytes: 1 << 24,
    current: 2,
    newest: { ...point, timeline: 2 },
    timelines: [
      {
        timeline: 2,
        parent: { timeline: 1, switchLsn: 0x2000028n, time: undefined },
        isCurrent: true,
        spans: [
          {
            state: 'hole',
            from: point,
            to: { lsn: undefined, time: undefined },
            lastCommit: undefined,
            basebackups: [],
            cause: { kind: 'wal-missing', wal: { timeline: 2, first: 3n, last: 5n }, more: 1 },
            because: 'it is missing',
          },
        ],
        restorePoints: [{ name: 'before', lsn: 0x3000000n, time: at, isReachable: false }],
      },
    ],
    basebackups: [
      { name: 'b', state: 'unreadable', because: 'x', start: undefined, end: undefined, storedBytes: undefined, isAlone: false },
    ],
  };
  const document = recoverabilityAsDocument('main', at, found);
  assert.deepEqual(recoverabilityDocument.parse(JSON.parse(JSON.stringify(document))), document);
  const [timeline] = document.timelines;
  assert.deepEqual(timeline?.parent, { timeline: 1, switch_lsn: '0/2000028', time: null });
  assert.deepEqual(timeline?.spans[0]?.cause, {
    kind: 'wal-missing',
    timeline: 2,
    basebackup: null,
    first_segment: '000000020000000000000003',
    last_segment: '000000020000000000000005',
    segments: 3,
    more_runs: 1,
  });
});

test('where nobody knows it says why', () => {
  const document = recoverabilityAsDocument('main', at, {
    unknown: 'not listed yet',
    segmentBytes: undefined,
    timelines: [],
    basebackups: [],
    current: undefined,
  });
  assert.deepEqual([document.is_known, document.because, document.newest], [false, 'not listed yet', null]);
  assert.deepEqual(recoverabilityDocument.parse(document), document);
});
