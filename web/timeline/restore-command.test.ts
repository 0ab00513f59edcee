import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { quoted, restoreCommand } from './restore-command.ts';

test('the command names the second in UTC, and a timeline only where it is another', () => {
  const wish = { configFile: '/etc/pghoard.json', site: 'main', targetMs: Date.UTC(2026, 10, 30, 22, 14, 3), timeline: undefined };
  const words = restoreCommand(wish).replaceAll(/\\\n +/g, '');
  assert.equal(
    words,
    "pghoard_restore get-basebackup --config /etc/pghoard.json --site main --target-dir /path/to/new/data/directory --restore-to-primary --recovery-target-time '2026-11-30 22:14:03+00:00'",
  );
  assert.match(restoreCommand({ ...wish, timeline: 3, site: '-x y' }), /--site='-x y' [^]*--recovery-target-timeline 3$/);
});

test('a shell gives back every name as it was', () => {
  const names = [
    ...fc.sample(fc.string({ unit: 'grapheme', minLength: 1 }), 30),
    "it's",
    '$(id)',
    '`id`',
    '"; rm -rf /',
    '\\',
    '!!',
    '* ?',
    '~root',
  ];
  const printable = names.filter((name) => !/\p{Cc}|\p{Cs}/u.test(name));
  const given = execFileSync('sh', ['-c', `printf '%s\\n' ${printable.map(quoted).join(' ')}`], { encoding: 'utf8' });
  assert.deepEqual(given.split('\n').slice(0, -1), printable);
});
