import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TransferStats } from './transfer-stats.ts';

function restored(previous: unknown): unknown {
  return JSON.parse(JSON.stringify(new TransferStats(previous).snapshot()));
}

test('what was saved is restored', () => {
  const first = new TransferStats();
  first.succeeded({ site: 's', operation: 'upload', fileType: 'xlog', filename: 'f', bytes: 7, seconds: 0.5 });
  first.failed('s', 'download', 'basebackup');
  const saved: unknown = JSON.parse(JSON.stringify(first.snapshot()));
  assert.deepEqual(restored(saved), saved);
});

test('a monotonic clock’s last success, as newer versions of the original saved it, is no time', () => {
  const counters = {
    data: 1,
    count: 1,
    time_taken: 1,
    failures: 0,
    xlogs_since_basebackup: 0,
    last_success: 8_131.5,
    latest_filename: 'f',
  };
  assert.deepEqual(restored({ s: { upload: { xlog: counters } } }), { s: { upload: { xlog: { ...counters, last_success: null } } } });
});

test('unknown types stay, missing ones come when needed', () => {
  const stats = new TransferStats({ s: { teleport: { quantum: { count: 3 } } } });
  stats.failed('s', 'upload', 'basebackup_delta');
  const state = stats.snapshot()['s'];
  assert.equal(state?.['teleport']?.['quantum']?.count, 3);
  assert.equal(state?.['upload']?.['basebackup_delta']?.failures, 1);
});

for (const garbage of [null, undefined, 'text', 7, [], { s: null }, { s: { upload: [] } }, { s: { upload: { xlog: 'x' } } }, [{ s: {} }]]) {
  test(`garbage is survived: ${JSON.stringify(garbage)}`, () => {
    const stats = new TransferStats(garbage);
    stats.succeeded({ site: 's', operation: 'upload', fileType: 'xlog', filename: 'f', bytes: 7, seconds: 0 });
    assert.equal(stats.snapshot()['s']?.['upload']?.['xlog']?.data, 7);
  });
}

test('counters that are no counts are zero', () => {
  const state = restored({ s: { upload: { xlog: { data: -1, count: 'x', time_taken: Number.NaN, failures: null, latest_filename: 5 } } } });
  const nothing = { data: 0, count: 0, time_taken: 0, failures: 0, xlogs_since_basebackup: 0, last_success: null };
  assert.deepEqual(state, { s: { upload: { xlog: nothing } } });
});

test('a site may be called __proto__', () => {
  const stats = new TransferStats();
  stats.failed('__proto__', 'upload', 'constructor');
  assert.equal(stats.snapshot()['__proto__']?.['upload']?.['constructor']?.failures, 1);
  assert.equal(({} as Record<string, unknown>)['upload'], undefined);
});

test('a snapshot does not change any more', () => {
  const stats = new TransferStats();
  stats.failed('s', 'upload', 'xlog');
  const before = stats.snapshot();
  stats.failed('s', 'upload', 'xlog');
  assert.equal(before['s']?.['upload']?.['xlog']?.failures, 1);
});
