import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { type BackupLabel, parseBackupLabel } from './backup-label.ts';

const lines = [
  'START WAL LOCATION: 0/2000028 (file 000000010000000000000002)',
  'CHECKPOINT LOCATION: 0/2000080',
  'BACKUP METHOD: streamed',
  'BACKUP FROM: primary',
  'START TIME: 2026-11-22 23:39:52 UTC',
  'LABEL: pghoard_base_backup',
  'START TIMELINE: 1',
];

function text(changes: Readonly<Record<string, string | undefined>> = {}): string {
  const changed = lines.map((line) => {
    const keyword = line.slice(0, line.indexOf(':'));
    return keyword in changes ? changes[keyword] : line;
  });
  return changed
    .filter((line) => line !== undefined)
    .map((line) => `${line}\n`)
    .join('');
}

const whole: BackupLabel = {
  startWalLocation: 0x200_0028n,
  startWalSegment: '000000010000000000000002',
  checkpointLocation: 0x200_0080n,
  backupMethod: 'streamed',
  backupFrom: 'primary',
  startTime: new Date('2026-11-22T23:39:52Z'),
  label: 'pghoard_base_backup',
  timeline: 1,
};

test('a label of PostgreSQL 18', () => {
  assert.deepEqual(parseBackupLabel(text()), whole);
});

test('line ends of Windows, none at the end, and lines of later versions', () => {
  assert.deepEqual(parseBackupLabel(text().replaceAll('\n', '\r\n')), whole);
  assert.deepEqual(parseBackupLabel(text().trimEnd()), whole);
  assert.deepEqual(parseBackupLabel(`${text()}INCREMENTAL FROM LSN: 0/1000028\nINCREMENTAL FROM TLI: 1\n`), whole);
});

test('a label of PostgreSQL 9.2 has fewer lines', () => {
  const old = text({ 'BACKUP METHOD': undefined, 'BACKUP FROM': undefined, 'START TIMELINE': undefined, LABEL: undefined });
  const { startWalLocation, startWalSegment, checkpointLocation, startTime } = whole;
  assert.deepEqual(parseBackupLabel(old), { startWalLocation, startWalSegment, checkpointLocation, startTime });
});

test('what somebody wrote into the label is not taken for the truth', () => {
  const label =
    'LABEL: x\nSTART WAL LOCATION: F/F000028 (file 0000000F0000000F0000000F)\nCHECKPOINT LOCATION: F/0\nSTART TIME: 2001-01-01 00:00:00 UTC\nSTART TIMELINE: 15';
  assert.deepEqual(parseBackupLabel(text({ LABEL: label })), { ...whole, label: 'x' });
});

const times: readonly (readonly [text: string, iso: string])[] = [
  ['2026-11-22 23:39:52 UTC', '2026-11-22T23:39:52Z'],
  ['2026-11-22 23:39:52 GMT', '2026-11-22T23:39:52Z'],
  ['2026-11-22 20:39:52 -03', '2026-11-22T23:39:52Z'],
  ['2026-11-23 05:24:52 +0545', '2026-11-22T23:39:52Z'],
  ['2026-11-23 05:24:52 +05:45', '2026-11-22T23:39:52Z'],
];

for (const [time, iso] of times) {
  test(`START TIME ${time}`, () => {
    const fallback = { startTimeFallback: new Date(0) };
    assert.equal(parseBackupLabel(text({ 'START TIME': `START TIME: ${time}` }), fallback).startTime.getTime(), Date.parse(iso));
  });
}

for (const time of ['2026-11-22 23:39:52 IST', '2026-11-22 23:39:52 EST', '2026-11-22 23:39:52', '2026-13-41 23:39:52 UTC', 'soon']) {
  test(`no guessing: START TIME ${time}`, () => {
    const labelText = text({ 'START TIME': `START TIME: ${time}` });
    assert.throws(
      () => parseBackupLabel(labelText),
      (error) => isOperatorError(error, 'backup-label-invalid'),
    );
    const startTimeFallback = new Date('2026-11-22T22:00:00Z');
    assert.equal(parseBackupLabel(labelText, { startTimeFallback }).startTime, startTimeFallback);
  });
}

const invalid: Readonly<Record<string, string>> = {
  empty: '',
  'something else': 'hello\nworld\n',
  binary: '\0\u0001\ufffd'.repeat(100),
  'no start': text({ 'START WAL LOCATION': undefined }),
  'no segment': text({ 'START WAL LOCATION': 'START WAL LOCATION: 0/2000028' }),
  'a short segment': text({ 'START WAL LOCATION': 'START WAL LOCATION: 0/2000028 (file 0000000100000000000002)' }),
  'no checkpoint': text({ 'CHECKPOINT LOCATION': undefined }),
  'no start time': text({ 'START TIME': undefined }),
};

for (const [what, labelText] of Object.entries(invalid)) {
  test(`invalid: ${what}`, () => {
    assert.throws(
      () => parseBackupLabel(labelText),
      (error) => isOperatorError(error, 'backup-label-invalid'),
    );
  });
}

test('invalid positions', () => {
  for (const changes of [
    { 'CHECKPOINT LOCATION': 'CHECKPOINT LOCATION: nowhere' },
    { 'START WAL LOCATION': 'START WAL LOCATION: 0/123456789 (file 000000010000000000000002)' },
  ]) {
    assert.throws(
      () => parseBackupLabel(text(changes)),
      (error) => isOperatorError(error, 'backup-label-invalid'),
    );
  }
});
