import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TimelineLine } from '../../postgres/timeline-line.ts';
import type { Gaps, Hole } from './gaps.ts';
import { type Trouble, troublesOf } from './trouble.ts';
import { TroubleBook } from './trouble-book.ts';

const mebibyte = 1024 * 1024;
const noon = new Date('2026-11-23T12:00:00Z');
const minutesAfterNoon = (minutes: number) => new Date(noon.getTime() + minutes * 60_000);
const momentAt = (now: Date, seenMinutes = 0) => ({ now, monotonicMs: 5 + seenMinutes * 60_000 });
const line = new TimelineLine({ timeline: 1, position: BigInt(100 * mebibyte), history: [], segmentBytes: mebibyte });
const none: Gaps = { timeline: 1, holes: [], missingHistories: [], stranded: undefined, runs: [], apart: [] };

function hole(first: number, last: number, more: Partial<Hole> = {}): Hole {
  return { line, first: BigInt(first), last: BigInt(last), since: noon, kind: 'inside', isOpen: true, ...more };
}

function troubles(...holes: Hole[]): readonly Trouble[] {
  return troublesOf({ ...none, holes });
}

test('everything is told in words, the worst last', () => {
  const all = troublesOf({
    ...none,
    holes: [hole(5, 5), hole(8, 9, { isOpen: false }), hole(12, 13, { kind: 'end' })],
    missingHistories: [{ timeline: 2, since: noon, isOpen: false }],
    stranded: { timeline: 3, since: noon },
  });
  assert.deepEqual(
    all.map(({ words }) => words),
    [
      '00000002.history is missing: recovery ends on a timeline before it',
      'WAL from 000000010000000000000008 to 000000010000000000000009 (2 segments) is missing',
      'WAL segment 000000010000000000000005 is missing',
      'WAL from 00000001000000000000000C to 00000001000000000000000D (2 segments), which a base backup needs, is not stored (yet)',
      'no base backup leads to timeline 3, of which WAL is archived',
    ],
  );
});

const suspicions: readonly [what: string, trouble: Trouble | undefined, here: readonly string[], minutes: number, expected: boolean][] = [
  ['a hole of a moment ago', troubles(hole(5, 6))[0], [], 0, false],
  ['a hole of a minute ago', troubles(hole(5, 6))[0], [], 1, true],
  ['one of which a segment is on its way', troubles(hole(5, 6))[0], ['000000010000000000000006'], 1, false],
  ['one of which nothing is on its way', troubles(hole(5, 6))[0], ['000000010000000000000007', '000000020000000000000006'], 1, true],
  ['one that has been on its way for too long', troubles(hole(5, 6))[0], ['000000010000000000000006'], 11, true],
  ['WAL at the end that may still come', troubles(hole(5, 6, { kind: 'end' }))[0], [], 14, false],
  ['WAL at the end that does not come', troubles(hole(5, 6, { kind: 'end' }))[0], [], 16, true],
  [
    'a history that is on its way',
    troublesOf({ ...none, missingHistories: [{ timeline: 2, since: noon, isOpen: true }] })[0],
    ['00000002.history'],
    1,
    false,
  ],
];
for (const [what, trouble, here, minutes, expected] of suspicions) {
  test(`${what} is ${expected ? '' : 'not '}to be looked at`, () => {
    assert(trouble);
    const [book, at] = [new TroubleBook(), momentAt(minutesAfterNoon(minutes))];
    assert.equal(book.suspects(book.unknown([trouble], at), here, at).length > 0, expected);
  });
}

test('a clock that is set back does not put off what has been seen for long enough', () => {
  const book = new TroubleBook();
  const [inside] = troubles(hole(5, 6));
  assert(inside);
  const yesterday = minutesAfterNoon(-24 * 60);
  assert.deepEqual(book.unknown([inside], momentAt(yesterday)), []);
  assert.deepEqual(book.unknown([inside], momentAt(yesterday, 1)), [inside]);
  assert.deepEqual(book.suspects([inside], ['000000010000000000000006'], momentAt(yesterday, 1)), [], 'it is on its way');
  assert.deepEqual(book.suspects([inside], ['000000010000000000000006'], momentAt(yesterday, 11)), [inside]);
  assert.deepEqual(book.unknown([], momentAt(yesterday, 12)), []);
  assert.deepEqual(book.unknown([inside], momentAt(yesterday, 13)), [], 'gone meanwhile, it begins anew');
});

test('what is certain stays known while it shrinks, until it is harmless or gone', () => {
  const book = new TroubleBook();
  const words = (changes: ReturnType<TroubleBook['update']>) =>
    Object.entries(changes).flatMap(([change, all]) => (all as Trouble[]).map(({ key }) => `${change} ${key}`));
  const [first, second] = troubles(hole(5, 6), hole(8, 9));
  assert(first && second);
  assert.deepEqual(words(book.update([first, second], new Set([first.key]), noon)), [`noticed ${first.key}`]);
  book.sought(first.key, { because: 'nobody has it', isLost: true });
  const [shrunk] = troubles(hole(6, 6));
  assert.deepEqual(book.unknown(troubles(hole(6, 6)), momentAt(minutesAfterNoon(1))), []);
  assert.deepEqual(words(book.update(troubles(hole(6, 6)), new Set(), minutesAfterNoon(1))), []);
  assert.deepEqual(book.known, [{ trouble: shrunk, noticed: noon, sought: { because: 'nobody has it', isLost: true } }]);
  assert.deepEqual(words(book.update(troubles(hole(6, 6, { isOpen: false })), new Set(), noon)), [`harmless ${first.key}`]);
  assert.deepEqual(words(book.update([], new Set(), noon)), [`gone ${first.key}`]);
  assert.deepEqual(book.known, []);
});

test('what is left of a hole after a part of it was mended was known before', () => {
  const book = new TroubleBook();
  const [whole] = troubles(hole(5, 20));
  assert(whole);
  book.update([whole], new Set([whole.key]), noon);
  const left = troubles(hole(5, 8), hole(12, 13));
  const later = minutesAfterNoon(1);
  assert.deepEqual(book.unknown(left, momentAt(later)), []);
  assert.deepEqual(book.update(left, new Set(), later), { noticed: [], harmless: [], gone: [] });
  assert.deepEqual(
    book.known.map(({ trouble, noticed }) => [trouble.key, noticed]),
    left.map(({ key }) => [key, noon]),
  );
  const [beside] = troubles(hole(14, 15));
  assert(beside);
  assert.deepEqual(book.unknown([beside], momentAt(later)), [beside]);
});
