import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { parseTimelineHistory } from './timeline-history.ts';

test('the history of a third timeline', () => {
  assert.deepEqual(parseTimelineHistory('1\t0/5000000\tno recovery target specified\n\n2\t1/A0000D8\tbefore 2026-11-22 23:39:52+00\n'), [
    { timeline: 1, switchLsn: 0x500_0000n, reason: 'no recovery target specified' },
    { timeline: 2, switchLsn: 0x1_0a00_00d8n, reason: 'before 2026-11-22 23:39:52+00' },
  ]);
});

test('comments, blank lines, spaces, tabs in reasons, no line end, no reason', () => {
  const text = '# a comment\n\n  1 0/1000000 at restore point\t"x"\r\n\t\n#2\t0/0\tgone\n7\tffffffff/ffffffff';
  assert.deepEqual(parseTimelineHistory(text), [
    { timeline: 1, switchLsn: 0x100_0000n, reason: 'at restore point\t"x"' },
    { timeline: 7, switchLsn: 0xffff_ffff_ffff_ffffn, reason: '' },
  ]);
});

test('the largest timeline', () => {
  assert.equal(parseTimelineHistory('4294967295\t0/0\tx')[0]?.timeline, 0xffff_ffff);
});

const invalid: Readonly<Record<string, string>> = {
  empty: '',
  'comments only': '# nothing\n\n',
  text: 'hello\n',
  'no position': '1\n',
  'a segment name, as 9.2 wrote': '1\t000000010000000000000002\tno recovery target specified\n',
  'a bad position': '1\t0/XYZ\tx\n',
  'timeline zero': '0\t0/0\tx\n',
  'a timeline too large': '4294967296\t0/0\tx\n',
  'a negative timeline': '-1\t0/0\tx\n',
  'descending timelines': '2\t0/1\tx\n1\t0/2\ty\n',
  'a timeline twice': '1\t0/1\tx\n1\t0/2\ty\n',
  'a half-written line': '1\t0/5000000\tx\n2\t0/',
  zeros: '\0'.repeat(64),
};

for (const [what, text] of Object.entries(invalid)) {
  test(`invalid: ${what}`, () => {
    assert.throws(
      () => parseTimelineHistory(text),
      (error) => isOperatorError(error, 'timeline-history-invalid'),
    );
  });
}
