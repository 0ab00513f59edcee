import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ArchiveCommand, parseArchiveCommand } from './archive-command.ts';

const ours = {
  kind: 'ours',
  program: 'pghoard_postgres_command',
  site: 'main',
  host: '127.0.0.1',
  port: 16_000,
  mode: 'archive',
  file: '%f',
  hasCredentials: false,
} as const;

const rows: readonly [text: string, expected: ArchiveCommand][] = [
  ['', { kind: 'none' }],
  ['  ', { kind: 'none' }],
  ['(disabled)', { kind: 'none' }],
  ['pghoard_postgres_command --mode archive --site main --xlog %f', ours],
  ['"/a b/pghoard_postgres_command" --mode=archive -site main --xlog=%f', { ...ours, program: '/a b/pghoard_postgres_command' }],
  [
    "/x/pghoard_postgres_command --mode archive --site 'ma''in' --xlog %f --port 17000",
    { ...ours, program: '/x/pghoard_postgres_command', port: 17_000 },
  ],
  [
    'PGHOARD_USERNAME=a PGHOARD_PASSWORD=b pghoard_postgres_command --site main --mode archive --xlog "%f"',
    { ...ours, hasCredentials: true },
  ],
  ['pghoard_postgres_command --username a --site main --mode archive --xlog %f', { ...ours, hasCredentials: true }],
  ['pghoard_postgres_command --site main --mode archive --xlog %f --host db2 && rsync --site other', { ...ours, host: 'db2' }],
  ['pghoard_postgres_command', { ...ours, site: undefined, mode: undefined, file: undefined }],
  ['curl -X PUT http://127.0.0.1:16001/main/archive/%f', { kind: 'http', site: 'main', port: 16_001, isWholeName: true }],
  ['curl -X PUT "http://localhost/a%20b/archive/"', { kind: 'http', site: 'a b', port: undefined, isWholeName: false }],
  ['cp %p /archive/%f', { kind: 'other', program: 'cp' }],
  ['TOKEN=secret /usr/local/bin/archive.sh %p', { kind: 'other', program: '/usr/local/bin/archive.sh' }],
  ['/bin/true', { kind: 'idle', succeeds: true }],
  ['exit 0', { kind: 'idle', succeeds: true }],
  ['exit 1', { kind: 'idle', succeeds: false }],
  ['false', { kind: 'idle', succeeds: false }],
  ["'unbalanced", { kind: 'other', program: 'unbalanced' }],
];

for (const [text, expected] of rows) {
  test(`archive_command ${JSON.stringify(text)} is understood`, () => assert.deepEqual(parseArchiveCommand(text), expected));
}
