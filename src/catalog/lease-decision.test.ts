import assert from 'node:assert/strict';
import { test } from 'node:test';
import { actsUntilMs, type Contender, type FoundLease, nextLeaseStep, watchLease } from './lease-decision.ts';
import { formatLeaseNote, type LeaseNote, parseLeaseNote } from './lease-note.ts';

const note: LeaseNote = {
  owner: 'them',
  place: 'there',
  host: 'db1',
  pid: 17,
  version: '3.0.0',
  since: new Date('2026-11-23T12:00:00Z'),
  ttlMs: 60_000,
  riskMs: 0,
  isReleased: false,
};
const found = (changes: Partial<LeaseNote> = {}): FoundLease => ({ generation: 7, text: 'x', note: { ...note, ...changes } });
const me: Contender = { owner: 'us', place: 'here', ttlMs: 10_000 };

const cases: [what: string, found: FoundLease | undefined, unchangedMs: number, step: object][] = [
  ['nobody', undefined, 0, { do: 'take', generation: 1, riskIfChangedMs: 0, riskMs: 0 }],
  ['one that was let go', found({ isReleased: true }), 0, { do: 'take', generation: 8, riskIfChangedMs: 0, riskMs: 0 }],
  ['one that was let go in doubt', found({ isReleased: true, riskMs: 5 }), 0, { do: 'take', generation: 8, riskMs: 5 }],
  ['the process before, in the same place', found({ place: 'here' }), 0, { do: 'take', generation: 8, riskIfChangedMs: 0, riskMs: 0 }],
  ['the process before, which was in doubt', found({ place: 'here', riskMs: 60_000 }), 0, { do: 'take', riskMs: 60_000 }],
  ['ourselves, who never heard that we made it', found({ owner: 'us', riskMs: 9 }), 0, { do: 'take', riskIfChangedMs: 0, riskMs: 9 }],
  ['another one', found(), 0, { do: 'wait' }],
  ['another one, for as long as it says and not as we do', found(), 59_999, { do: 'wait' }],
  ['another one that is not heard of any more', found(), 60_000, { do: 'take', generation: 8, riskIfChangedMs: 60_000, riskMs: 0 }],
  ['one without a place', found({ place: undefined }), 59_999, { do: 'wait' }],
  ['one that cannot be read, for our own time', { ...found(), note: undefined }, 9_999, { do: 'wait' }],
  [
    'one that cannot be read and never changes',
    { ...found(), note: undefined },
    10_000,
    { do: 'take', riskIfChangedMs: 10_000, riskMs: 0 },
  ],
];
for (const [what, lease, unchangedMs, expected] of cases) {
  test(`the lease of ${what}`, () => {
    const watched = lease && { ...lease, sinceMs: 1000 };
    assert.partialDeepStrictEqual(nextLeaseStep(lease, watched, me, 1000 + unchangedMs), expected);
  });
}

test('a place that is not known is no proof, not even against another of that kind', () => {
  const step = nextLeaseStep(found({ place: undefined }), undefined, { ...me, place: undefined }, 0);
  assert.equal(step.do, 'wait');
});

test('who waits says for whom', () => {
  assert.match(nextLeaseStep(found(), undefined, me, 0).because, /^pghoard 3\.0\.0 on db1 \(process 17\) does it$/);
});

test('watching begins anew with every change and every generation', () => {
  const first = watchLease(undefined, found(), 10);
  assert.equal(watchLease(first, found(), 20), first);
  assert.equal(watchLease(first, { ...found(), text: 'y' }, 20).sinceMs, 20);
  assert.equal(watchLease(first, { ...found(), generation: 8 }, 20).sinceMs, 20);
});

test('an owner stops acting before anybody may take over', () => {
  assert.equal(actsUntilMs(1000, 60_000), 46_000);
});

test('a note is read as it was written, and two writings of it differ', () => {
  assert.deepEqual(parseLeaseNote(formatLeaseNote(note, 'a')), note);
  assert.deepEqual(parseLeaseNote(formatLeaseNote({ ...note, place: undefined }, 'a')), { ...note, place: undefined });
  assert.notEqual(formatLeaseNote(note, 'a'), formatLeaseNote(note, 'b'));
});

const good = JSON.parse(formatLeaseNote(note, 'a')) as Record<string, unknown>;
const bad: [what: string, text: string][] = [
  ['nothing', ''],
  ['no object', '17'],
  ['half of it', formatLeaseNote(note, 'a').slice(0, 50)],
  ['a later format', JSON.stringify({ ...good, format: 2 })],
  ['a time that never ends', JSON.stringify({ ...good, ttl_seconds: 1e9 })],
  ['no time', JSON.stringify({ ...good, ttl_seconds: null })],
  ['a risk of before', JSON.stringify({ ...good, risk_seconds: -1 })],
  ['no owner', JSON.stringify({ ...good, owner: 5 })],
  ['something in between', JSON.stringify({ ...good, released: 'maybe' })],
];
for (const [what, text] of bad) {
  test(`not understood: ${what}`, () => assert.equal(parseLeaseNote(text), undefined));
}
