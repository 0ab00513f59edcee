import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TimelineRange } from '../../catalog/line-runs.ts';
import { type NeedyBackup } from '../../catalog/needy-backups.ts';
import { type StoredHistory, type WalArchiveView } from '../../catalog/wal-archive-view.ts';
import { WalRanges } from '../../catalog/wal-ranges.ts';
import { parseLsn } from '../../postgres/lsn.ts';
import { formatWalName, type WalSegment } from '../../postgres/wal-name.ts';
import { findGaps, type Gaps } from './gaps.ts';

const mebibyte = 1024 * 1024;
const early = new Date('2026-11-23T08:00:00Z');
const late = new Date('2026-11-23T12:00:00Z');

interface Case {
  /** By timeline: `3-5 7`, numbers of segments. */
  readonly stored: Readonly<Record<number, string>>;
  /** By timeline: ancestors with the position where each was left; null: cannot be read. */
  readonly histories?: Readonly<Record<number, readonly (readonly [timeline: number, switchLsn: string])[] | null>>;
  /** `timeline:start` or `timeline:start-end`, oldest first; `alone` in front where one is only kept for itself. */
  readonly backups: readonly string[];
  /** By timeline: the first segment that is not known to be finished. */
  readonly reached?: Readonly<Record<number, number>>;
  readonly segmentBytes?: number;
}

/** `open 1:4-6`: names of the first and the last missing segment by timeline and number. */
type Expected = readonly string[];

const cases: readonly [
  what: string,
  given: Case,
  holes: Expected,
  more?: Partial<Record<'missing' | 'apart' | 'runs' | 'stranded', unknown>>,
][] = [
  ['nothing at all', { stored: {}, backups: [] }, []],
  ['WAL without a base backup', { stored: { 1: '1-3 7' }, backups: [] }, []],
  ['all there', { stored: { 1: '2-9' }, backups: ['1:2-2'] }, [], { runs: ['1:2-9'] }],
  ['one segment', { stored: { 1: '2-4 6-9' }, backups: ['1:2-2'] }, ['open 1:5'], { runs: ['1:2-4', '1:6-9'] }],
  ['two holes', { stored: { 1: '2-4 6-7 9' }, backups: ['1:2-2'] }, ['open 1:5', 'open 1:8']],
  ['before a later backup', { stored: { 1: '2-4 6-9' }, backups: ['1:2-2', '1:7-7'] }, ['past 1:5']],
  ['one before and one after the later backup', { stored: { 1: '2-3 5-6 8-9' }, backups: ['1:2-2', '1:5-5'] }, ['past 1:4', 'open 1:7']],
  [
    'a later backup that lacks WAL itself does not make it harmless',
    { stored: { 1: '2-3 5-6 8-9' }, backups: ['1:2-2', '1:6-7'] },
    ['open 1:4', 'open 1:7'],
  ],
  ['the segment in which the backup begins', { stored: { 1: '3-9' }, backups: ['1:2-2'] }, ['open 1:2']],
  ['the segment in which the backup ends', { stored: { 1: '2 4-9' }, backups: ['1:2-3'] }, ['open 1:3']],
  ['the end of the newest backup, with nothing behind it', { stored: { 1: '2-5' }, backups: ['1:2-2', '1:5-7'] }, ['open end 1:6-7']],
  ['a backup of which nothing is stored yet', { stored: { 1: '2-4' }, backups: ['1:2-2', '1:6-6'] }, ['open end 1:5-6']],
  ['a backup on a standby in the segment that is being written', { stored: { 1: '2-4' }, backups: ['1:2-2', '1:5'] }, []],
  ['WAL deleted because no backup needs it', { stored: { 1: '1 5-9' }, backups: ['1:5-5'] }, [], { runs: ['1:5-9'] }],
  ['what was not finished yet', { stored: { 1: '2-9' }, backups: ['1:2-2'], reached: { 1: 10 } }, []],
  ['what is finished elsewhere and not stored', { stored: { 1: '2-6' }, backups: ['1:2-2'], reached: { 1: 10 } }, ['open 1:7-9']],
  [
    'the rest of the WAL that a backup waits for',
    { stored: { 1: '2-4' }, backups: ['1:2-2', '1:8-8'], reached: { 1: 7 } },
    ['open 1:5-6', 'open end 1:7-8'],
  ],
  [
    'WAL between backups that are only kept for themselves',
    { stored: { 1: '2-3 6-7 10-12' }, backups: ['alone 1:2-3', 'alone 1:6-7', '1:10-10'] },
    [],
  ],
  ['a hole within one of them', { stored: { 1: '2 4 10-12' }, backups: ['alone 1:2-4', '1:10-10'] }, ['past 1:3']],
  ['the end of one of them', { stored: { 1: '2 10-12' }, backups: ['alone 1:2-3', '1:10-10'] }, ['past 1:3']],
  ['a hole behind them', { stored: { 1: '2-3 10 12' }, backups: ['alone 1:2-3', '1:10-10'] }, ['open 1:11']],
  ['names that go over 4 GiB', { stored: { 1: '254 257' }, backups: ['1:254-254'], segmentBytes: 16 * mebibyte }, ['open 1:255-256']],
  ['segments of 1 GiB', { stored: { 1: '2 4 8' }, backups: ['1:2-2'], segmentBytes: 1024 * mebibyte }, ['open 1:3', 'open 1:5-7']],

  [
    'a promotion, all there',
    { stored: { 1: '2-5', 2: '6-9' }, histories: { 2: [[1, '0/680000']] }, backups: ['1:2-2'] },
    [],
    { runs: ['1:2-5', '2:6-9'] },
  ],
  [
    'a promotion exactly between two segments',
    { stored: { 1: '2-5', 2: '6-9' }, histories: { 2: [[1, '0/600000']] }, backups: ['1:2-2'] },
    [],
  ],
  [
    'a promotion of which only the history is stored',
    { stored: { 1: '2-5' }, histories: { 2: [[1, '0/680000']] }, backups: ['1:2-2'] },
    [],
  ],
  ['the end of a timeline that was left', { stored: { 1: '2-4' }, histories: { 2: [[1, '0/680000']] }, backups: ['1:2-2'] }, ['open 1:5']],
  [
    'a hole over the end of a timeline',
    { stored: { 1: '2-4', 2: '8-9' }, histories: { 2: [[1, '0/680000']] }, backups: ['1:2-2'] },
    ['open 1:5-2:7'],
  ],
  [
    'what an old primary wrote after the promotion',
    { stored: { 1: '2-8 11-12', 2: '6-9' }, histories: { 2: [[1, '0/680000']] }, backups: ['1:2-2'] },
    [],
    { apart: ['1:6-8', '1:11-12'] },
  ],
  ['the history of the newest timeline', { stored: { 1: '2-5', 2: '6-9' }, backups: ['1:2-2'] }, [], { missing: ['open 2'] }],
  ['the same with a backup on it', { stored: { 1: '2-5', 2: '6-9' }, backups: ['1:2-2', '2:7-7'] }, [], { missing: ['past 2'] }],
  [
    'a history between, where recovery would stop looking',
    {
      stored: { 1: '2-3', 2: '4-5', 3: '6-9' },
      histories: {
        3: [
          [1, '0/480000'],
          [2, '0/680000'],
        ],
      },
      backups: ['1:2-2'],
    },
    [],
    { missing: ['open 2'], runs: ['1:2-3', '2:4-5', '3:6-9'] },
  ],
  [
    'no history from before the oldest backup',
    {
      stored: { 3: '6-9' },
      histories: {
        3: [
          [1, '0/480000'],
          [2, '0/680000'],
        ],
      },
      backups: ['3:7-7'],
    },
    [],
  ],
  [
    'a newest timeline that nobody here can read leaves the others to be looked at',
    { stored: { 1: '2-3 5', 2: '6-9' }, histories: { 2: null }, backups: ['1:2-2'] },
    ['open 1:4'],
  ],
  [
    'a newest timeline to which no backup leads',
    { stored: { 1: '2-8', 2: '6-9' }, histories: { 2: [[1, '0/680000']] }, backups: ['1:7-7'] },
    [],
    { stranded: true, runs: ['1:7-8'], apart: ['2:7-9'] },
  ],
  [
    'a backup that ended behind the place where its timeline was left does not lead on',
    { stored: { 1: '2-8', 2: '6-9' }, histories: { 2: [[1, '0/680000']] }, backups: ['1:6-7'] },
    [],
    { stranded: true },
  ],
  [
    'a newer timeline that is none of the server in use does not hide the holes of that',
    { stored: { 1: '2-6 8-9', 2: '4-5' }, histories: { 2: [[1, '0/480000']] }, backups: ['1:2-2', '1:6-6'] },
    ['open 1:7'],
  ],
  [
    'holes of a line that was left stay in view, but are no trouble',
    { stored: { 1: '2-7 9-10', 2: '6-9' }, histories: { 2: [[1, '0/680000']] }, backups: ['1:7-7', '2:8-8'] },
    ['past 1:8'],
  ],
  [
    'two timelines that were left in one segment',
    {
      stored: { 1: '2-5', 3: '6-9' },
      histories: {
        2: [[1, '0/610000']],
        3: [
          [1, '0/610000'],
          [2, '0/690000'],
        ],
      },
      backups: ['1:2-2'],
    },
    [],
    { runs: ['1:2-5', '3:6-9'] },
  ],
];

for (const [what, given, holes, { missing = [], apart, runs, stranded = false } = {}] of cases) {
  test(`gaps: ${what}`, () => {
    const gaps = findGaps(
      viewOf(given),
      given.backups.map((text, index) => backupOf(text, index)),
    );
    assert.deepEqual(holesOf(gaps, given.segmentBytes), holes);
    assert.deepEqual(
      gaps.missingHistories.map(({ timeline, isOpen }) => `${isOpen ? 'open' : 'past'} ${timeline}`),
      missing,
    );
    assert.equal(gaps.stranded !== undefined, stranded);
    if (runs !== undefined) assert.deepEqual(gaps.runs.map(inWords), runs);
    if (apart !== undefined) assert.deepEqual(gaps.apart.map(inWords), apart);
  });
}

test('a hole is as old as what lies behind it', () => {
  const ranges = new WalRanges();
  ranges.add({ timeline: 1, number: 2n }, early);
  ranges.add({ timeline: 1, number: 5n }, late);
  const view = { segmentBytes: mebibyte, ranges, histories: new Map(), reached: new Map() };
  assert.deepEqual(
    findGaps(view, [backupOf('1:2-2')]).holes.map(({ since }) => since),
    [late],
  );
});

function viewOf({ stored, histories = {}, reached = {}, segmentBytes = mebibyte }: Case): WalArchiveView {
  const ranges = new WalRanges();
  for (const [timeline, text] of Object.entries(stored)) {
    for (const part of text.split(' ')) {
      const [first = 0, last = first] = part.split('-').map(Number);
      for (let number = first; number <= last; number++) ranges.add({ timeline: Number(timeline), number: BigInt(number) }, early);
    }
  }
  const readable = (ancestors: readonly (readonly [number, string])[] | null): StoredHistory => ({
    switches: ancestors?.map(([timeline, at]) => ({ timeline, switchLsn: parseLsn(at), reason: '' })),
    since: early,
  });
  return {
    segmentBytes,
    ranges,
    histories: new Map(Object.entries(histories).map(([timeline, ancestors]) => [Number(timeline), readable(ancestors)])),
    reached: new Map(Object.entries(reached).map(([timeline, end]) => [Number(timeline), { end: BigInt(end), since: early }])),
  };
}

function backupOf(text: string, index = 0): NeedyBackup {
  const startTime = new Date(early.getTime() + index);
  const [timeline, numbers = ''] = text.replace('alone ', '').split(':');
  const [start, end] = numbers.split('-');
  const at = (number: string): WalSegment => ({ timeline: Number(timeline), number: BigInt(number) });
  const span = { start: at(start as string), end: end === undefined ? undefined : at(end) };
  return { name: text, ...span, startTime, completed: early, isAlone: text.startsWith('alone ') };
}

function holesOf({ holes }: Gaps, segmentBytes = mebibyte): string[] {
  return holes.map(({ line, first, last, kind, isOpen }) => {
    const place = (number: bigint) => {
      const name = line.nameAt(number) as string;
      assert.equal(name, formatWalName({ timeline: Number.parseInt(name.slice(0, 8), 16), number }, segmentBytes));
      return `${Number.parseInt(name.slice(0, 8), 16)}:${number}`;
    };
    const [from, to] = [place(first), place(last)];
    const end = from.split(':')[0] === to.split(':')[0] ? String(last) : to;
    return `${isOpen ? 'open' : 'past'} ${kind === 'end' ? 'end ' : ''}${from}${from === to ? '' : `-${end}`}`;
  });
}

function inWords({ timeline, first, last }: TimelineRange): string {
  return `${timeline}:${first}${first === last ? '' : `-${last}`}`;
}
