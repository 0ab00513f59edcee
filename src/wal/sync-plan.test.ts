import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLsn } from '../postgres/lsn.ts';
import { TimelineLine } from '../postgres/timeline-line.ts';
import { finishedUpTo, localWalToSync, requiredBackup, walToVerify } from './sync-plan.ts';

const segmentBytes = 1024 * 1024;
const segment = (timeline: number, number: number) =>
  `${timeline.toString(16).padStart(8, '0')}00000000${number.toString(16).padStart(8, '0')}`.toUpperCase();
const segments = (timeline: number, ...numbers: number[]) => numbers.map((number) => segment(timeline, number));

/** Timeline 1 up to segment 10. */
const first = new TimelineLine({ timeline: 1, position: parseLsn('0/A00100'), history: [], segmentBytes });
/** Timeline 2 up to segment 10, which left timeline 1 in segment 6. */
const promoted = new TimelineLine({
  timeline: 2,
  position: parseLsn('0/A00100'),
  history: [{ timeline: 1, switchLsn: parseLsn('0/680000'), reason: '' }],
  segmentBytes,
});

const selections: readonly [
  what: string,
  names: readonly string[],
  line: TimelineLine,
  neededFrom: bigint | undefined,
  expected: string[],
][] = [
  ['nothing', [], first, 0n, []],
  ['the newest first', segments(1, 8, 9, 7), first, 0n, segments(1, 9, 8, 7)],
  ['not the one being written, nor recycled ones', segments(1, 9, 10, 11, 12), first, 0n, segments(1, 9)],
  ['not what lies before the base backup', segments(1, 3, 4, 5), first, 4n, segments(1, 5, 4)],
  ['all where there is no base backup', segments(1, 0, 1), first, undefined, segments(1, 1, 0)],
  ['nothing if the base backup starts in the segment being written', segments(1, 8, 9, 10), first, 10n, []],
  [
    'histories before segments, nothing else',
    ['00000002.history', segment(1, 9), `${segment(1, 9)}.00000028.backup`, 'archive_status', 'xlogtemp.123', '00000003.history'],
    first,
    9n,
    ['00000002.history', '00000003.history', segment(1, 9)],
  ],
  [
    'after a promotion both timelines, and the partial segment between them',
    ['00000002.history', ...segments(1, 4, 5), `${segment(1, 6)}.partial`, ...segments(2, 6, 7, 10, 11)],
    promoted,
    5n,
    ['00000002.history', segment(2, 7), segment(2, 6), `${segment(1, 6)}.partial`, segment(1, 5)],
  ],
  [
    'not what an old primary wrote beyond the promotion, or another line of timelines',
    [...segments(1, 6, 7), ...segments(3, 7), ...segments(2, 5), `${segment(2, 8)}.partial`, `${segment(1, 7)}.partial`],
    promoted,
    0n,
    [],
  ],
];

for (const [what, names, line, neededFrom, expected] of selections) {
  test(`local WAL to synchronise: ${what}`, () => {
    assert.deepEqual(localWalToSync({ names, line, neededFrom, unfinishedFrom: 10n }), expected);
  });
}

test('local WAL to synchronise: a directory that is behind the server that answered', () => {
  assert.deepEqual(localWalToSync({ names: segments(1, 6, 7, 8), line: first, neededFrom: 0n, unfinishedFrom: 7n }), segments(1, 6));
});

const verifications: readonly [what: string, line: TimelineLine, start: string, expected: string[]][] = [
  ['from before the one being written down to the start', first, segment(1, 7), segments(1, 9, 8, 7)],
  ['nothing right after a base backup', first, segment(1, 10), []],
  ['down to segment 0 and no further', first, segment(1, 0), segments(1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)],
  ['across a promotion, with the history', promoted, segment(1, 5), ['00000002.history', ...segments(2, 9, 8, 7, 6), segment(1, 5)]],
  ['from the segment of the promotion', promoted, segment(1, 6), ['00000002.history', ...segments(2, 9, 8, 7, 6)]],
  ['on one timeline without the history', promoted, segment(2, 8), segments(2, 9, 8)],
];

for (const [what, line, start, expected] of verifications) {
  test(`WAL to verify: ${what}`, () => {
    const parsed = line.parse(start);
    assert.ok(parsed);
    assert.deepEqual([...walToVerify(line, parsed)], expected);
  });
}

function backup(name: string, hour: number, startWalSegment: string) {
  return { name, startTime: new Date(hour * 3_600_000), startWalSegment };
}

test('the required base backup is the newest by time that leads to where the server is', () => {
  const old = backup('2026-11-22_9-00_0', 9, segment(1, 3));
  const newest = backup('2026-11-22_10-00_0', 10, segment(2, 8));
  assert.equal(requiredBackup([newest, old], promoted)?.backup, newest, 'though its name is the lesser one');
  const elsewhere = backup('x', 11, segment(3, 8));
  const beyond = backup('y', 12, segment(2, 11));
  const otherSize = backup('z', 13, '0000000100000000FFFFFFFF');
  assert.equal(requiredBackup([otherSize, beyond, elsewhere, newest, old], promoted)?.backup, newest);
  assert.deepEqual(requiredBackup([elsewhere, old], promoted)?.start, { timeline: 1, number: 3n });
  assert.equal(requiredBackup([elsewhere], promoted), undefined);
});

test('how far local files are finished depends on whether it is their server that answered', () => {
  const checkpointLsn = parseLsn('0/500000');
  const cases = [
    ['in production', '0/A00100', '0/A00100'],
    ['in production', '0/400000', '0/400000'],
    ['in archive recovery', '0/A00100', '0/500000'],
    ['in archive recovery', '0/400000', '0/400000'],
    ['shut down', '0/A00100', '0/500000'],
  ] as const;
  for (const [state, position, expected] of cases) {
    assert.equal(finishedUpTo({ state, checkpointLsn }, parseLsn(position)), parseLsn(expected), `${state} ${position}`);
  }
});
