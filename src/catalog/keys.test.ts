import assert from 'node:assert/strict';
import { test } from 'node:test';
import { basebackupNameOf, SiteKeys } from './keys.ts';

test('keys lie where the original has them', () => {
  const keys = new SiteKeys('site_c');
  assert.deepEqual(
    [
      keys.wal('000000010000000000000002'),
      keys.history('00000002.history'),
      keys.walPartial('000000010000000000000002.partial'),
      keys.walBeginning({ segment: '000000010000000000000002', bytes: 70_000 }),
      keys.basebackup('2026-11-22_23-42_0'),
      keys.basebackupMain('2026-11-22_23-42_0'),
      keys.chunk('2026-11-22_23-42_0', 12),
      keys.chunkFile('2026-11-22_23-42_0/2026-11-22_23-42_0.00000001.pghoard'),
      keys.chunkPrefix('2026-11-22_23-42_0'),
    ],
    [
      'site_c/xlog/000000010000000000000002',
      'site_c/timeline/00000002.history',
      'site_c/xlog_partial/000000010000000000000002.partial',
      'site_c/xlog_partial/000000010000000000000002.00011170.partial',
      'site_c/basebackup/2026-11-22_23-42_0',
      'site_c/basebackup/2026-11-22_23-42_0.00000000.pghoard',
      'site_c/basebackup_chunk/2026-11-22_23-42_0/2026-11-22_23-42_0.00000012.pghoard',
      'site_c/basebackup_chunk/2026-11-22_23-42_0/2026-11-22_23-42_0.00000001.pghoard',
      'site_c/basebackup_chunk/2026-11-22_23-42_0/',
    ],
  );
});

for (const [given, wal] of [
  ['', 'xlog/x'],
  ['a/b', 'a/b/xlog/x'],
  ['/a//b/', 'a/b/xlog/x'],
  ['/', 'xlog/x'],
] as const) {
  test(`prefix ${JSON.stringify(given)}`, () => assert.equal(new SiteKeys(given).wal('x'), wal));
}

test('a prefix that leads out of the store is refused', () => {
  for (const prefix of ['..', 'a/../..', '.hidden']) assert.throws(() => new SiteKeys(prefix), { code: 'config-invalid' });
});

for (const [key, name] of [
  ['s/basebackup/2016-04-12_0', '2016-04-12_0'],
  ['s/basebackup/2021-07-30_13-56_0.00000000.pghoard', '2021-07-30_13-56_0'],
  ['2021-07-30_13-56_0.00000000.pghoard', '2021-07-30_13-56_0'],
  ['2021-07-30_13-56_0.00000001.pghoard', '2021-07-30_13-56_0.00000001.pghoard'],
] as const) {
  test(`the name in ${key}`, () => assert.equal(basebackupNameOf(key), name));
}
