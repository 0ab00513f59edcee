import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { type Choosable, chooseBasebackup, namesBackup, type RecoveryTarget } from './choose.ts';
import { parseTargetTime } from './target-time.ts';

const now = new Date('2026-12-01T00:00:00Z');
const latest: RecoveryTarget = { kind: 'latest' };
const at = (text: string): RecoveryTarget => ({ kind: 'time', time: parseTargetTime(text, now) });

function backup(name: string, start: string, end?: string): Choosable {
  const key = `site/basebackup/${name}${end ? '.00000000.pghoard' : ''}`;
  return { key, name, startTime: new Date(start), startWalSegment: '000000010000000000000001', ...(end && { endTime: new Date(end) }) };
}

// As text, the start of `b` (+05:00) sorts after that of `c`.
const a = backup('a', '2026-11-20T10:00:00Z', '2026-11-20T11:00:00Z');
const b = backup('b', '2026-11-22T02:00:00+05:00', '2026-11-21T21:30:00Z');
const c = backup('c', '2026-11-21T23:00:00Z', '2026-11-21T23:30:00Z');
const raw = backup('raw', '2026-11-25T10:00:00Z');
const all = [c, a, raw, b];

const rows: [what: string, basebackup: string, target: RecoveryTarget, chosen: string][] = [
  ['the newest, by the clock and not by text', 'latest', at('2026-11-23 00:00:00Z'), 'c'],
  ['the end of a backup counts, not its start', 'latest', at('2026-11-21 23:10:00Z'), 'b'],
  ['a target equal to the end works', 'latest', at('2026-11-21 23:30:00Z'), 'c'],
  ['where the end is unknown the start stands in', 'latest', at('2026-11-25 10:00:00Z'), 'raw'],
  ['no target: the newest', 'latest', latest, 'raw'],
  ['an xid says nothing about time: the newest', 'latest', { kind: 'xid', xid: '732' }, 'raw'],
  ['a restore point says nothing about time: the newest', 'latest', { kind: 'name', name: 'x' }, 'raw'],
  ['a named backup wins over a newer one', 'a', latest, 'a'],
  ['a named backup wins with a target time too', 'a', at('2026-11-23 00:00:00Z'), 'a'],
  ['the full key names it', 'site/basebackup/a.00000000.pghoard', latest, 'a'],
  ['the key without its suffix names it', 'site/basebackup/a', latest, 'a'],
  ['the bare name with the suffix names it', 'a.00000000.pghoard', latest, 'a'],
];
for (const [what, basebackup, target, chosen] of rows) {
  test(what, () => assert.equal(chooseBasebackup(all, { basebackup, target }, now).backup.name, chosen));
}

const refusals: [what: string, backups: Choosable[], basebackup: string, target: RecoveryTarget, code: string, hint: RegExp][] = [
  ['an empty store', [], 'latest', latest, 'no-basebackup', /prefix/],
  ['an unknown name', all, 'd', latest, 'basebackup-missing', /basebackup\/raw/],
  ['a target before every backup', all, 'latest', at('2026-11-20 10:30:00Z'), 'target-before-basebackup', /Nearest: site\/basebackup\/a/],
  ['a named backup that ended after the target', all, 'c', at('2026-11-21 23:10:00Z'), 'target-before-basebackup', /Nearest/],
  ['a target in the future', all, 'latest', at('2026-12-01 00:00:01Z'), 'target-in-future', /end of the archive/],
];
for (const [what, backups, basebackup, target, code, hint] of refusals) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => chooseBasebackup(backups, { basebackup, target }, now),
      (error) => isOperatorError(error, code) && hint.test(error.hint ?? ''),
    );
  });
}

test('tells which backups would have done, newest first', () => {
  const { applicable } = chooseBasebackup(all, { basebackup: 'latest', target: at('2026-11-23 00:00:00Z') }, now);
  assert.deepEqual(
    applicable.map(({ name }) => name),
    ['c', 'b', 'a'],
  );
});

test('a part of a name does not name a backup', () => {
  assert.equal(namesBackup('basebackup/a', a), false);
  assert.equal(namesBackup('', a), false);
});

test('a position in the WAL is reached from what ended before it, and from what has no known end and began before', () => {
  const withWal = (name: string, first: string, last?: string): Choosable => {
    const segments = { startWalSegment: `0000000100000000000000${first}`, ...(last && { endWalSegment: `0000000100000000000000${last}` }) };
    return { ...backup(name, `2026-11-2${name}T10:00:00Z`), ...segments };
  };
  const backups = [withWal('1', '02', '03'), withWal('2', '05', '05'), withWal('3', '08')];
  const chosen = (lsn: bigint) =>
    chooseBasebackup(backups, { basebackup: 'latest', target: { kind: 'lsn', lsn }, segmentBytes: 1 << 24 }, now).backup.name;
  assert.equal(chosen(0x4000000n), '1', 'at the end of the segment in which it ended');
  assert.equal(chosen(0x5abcdefn), '1', 'the other one may end behind that');
  assert.equal(chosen(0x6000000n), '2');
  assert.equal(chosen(0x9000000n), '3');
  assert.throws(
    () => chosen(0x3fffff0n),
    (error) => isOperatorError(error, 'target-before-basebackup') && /ended by 0\/3FFFFF0/.test(error.message),
  );
});

test('a position in the WAL is reached from what has noted that it was consistent before it, in the same segment too', () => {
  const ended = { ...backup('a', '2026-11-20T10:00:00Z'), endWalSegment: '000000010000000000000003', endLsn: 0x3000150n };
  const chosen = (lsn: bigint) => chooseBasebackup([ended], { basebackup: 'latest', target: { kind: 'lsn', lsn } }, now).backup;
  assert.equal(chosen(0x3000150n), ended);
  assert.throws(
    () => chosen(0x300014fn),
    (error) => isOperatorError(error, 'target-before-basebackup'),
  );
});
