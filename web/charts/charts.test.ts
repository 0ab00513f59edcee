import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecoverabilityDocument } from '../../src/daemon/http/api.ts';

process.env['TZ'] = 'Europe/Helsinki';
const { storagePerDay } = await import('./per-day.ts');
const { walPerDay } = await import('./wal-per-day.ts');
const { columnsOf, storedPerSecond } = await import('./series.ts');

const reading = (atMs: number, walBytes: number) => ({ atMs, walBytes, basebackupBytes: 0, lagBytes: undefined, lagSeconds: undefined });

test('a rate is told from one reading to the next, and not where the counter was set back', () => {
  const rates = storedPerSecond(
    [reading(0, 100), reading(2000, 300), reading(3000, 50), reading(3000, 60), reading(4000, 60)],
    ({ walBytes }) => walBytes,
  );
  assert.deepEqual(
    rates.map(({ value }) => value),
    [100, undefined, undefined, 0],
  );
});

test('a column has its largest value, and none where nothing is known', () => {
  const samples = [
    { atMs: 5, value: 1 },
    { atMs: 6, value: 9 },
    { atMs: 12, value: undefined },
    { atMs: 25, value: 3 },
    { atMs: 40, value: 7 },
  ];
  assert.deepEqual(columnsOf(samples, 0, 30, 3), [9, undefined, 3]);
});

test('WAL is spread over the days of the viewer between places that are known', () => {
  const point = (time: string | null, lsn: string | null) => ({ time, lsn, timeline: 1 });
  const backup = (from: ReturnType<typeof point> | null) => ({ from }) as RecoverabilityDocument['basebackups'][number];
  const written = walPerDay({
    // Midnight of the viewer is at 21:00 in the summer, and at 22:00 after the night of the 25th, which is an hour longer.
    basebackups: [
      backup(point('2026-10-23T19:00:00.000Z', '1/0')),
      backup(null),
      backup(point('2026-10-24T03:00:00.000Z', null)),
      backup(point('2026-10-23T23:00:00.000Z', '1/400')),
      // Restored to an earlier moment.
      backup(point('2026-10-24T00:00:00.000Z', '0/FFFFFF00')),
    ],
    newest: point('2026-10-25T22:00:00.000Z', '1/1F0'),
  });
  const days = [...written].map(([dayMs, bytes]) => [new Date(dayMs).getDate(), Math.round(bytes)]);
  const perHour = 0x2f0 / 46;
  assert.deepEqual(days, [
    [23, 512],
    [24, Math.round(512 + 21 * perHour)],
    [25, Math.round(25 * perHour)],
  ]);
});

test('storage is told for each day of the viewer, empty ones too', () => {
  const mark = {
    state: 'covered',
    because: '',
    cause: null,
    timeline: 1,
    start: null,
    first_segment: null,
    last_segment: null,
    from: null,
    reaches: null,
    is_alone: false,
    verified_at: null,
    drilled_at: null,
  } as const;
  const backups: RecoverabilityDocument['basebackups'] = [
    { ...mark, name: 'a', end: '2026-10-23T22:30:00.000Z', stored_bytes: 5 },
    { ...mark, name: 'b', end: '2026-10-24T10:00:00.000Z', stored_bytes: 7 },
    { ...mark, name: 'c', end: '2026-10-25T23:30:00.000Z', stored_bytes: null },
    { ...mark, name: 'd', end: null, stored_bytes: 9 },
  ];
  const wal = new Map([[new Date(2026, 9, 27).getTime(), 33]]);
  assert.deepEqual(
    storagePerDay(backups, wal).map(({ walBytes }) => walBytes),
    [0, 0, 0, 33],
  );
  const days = storagePerDay(backups).map(({ dayMs, bytes, basebackups }) => [new Date(dayMs).getDate(), bytes, basebackups]);
  assert.deepEqual(days, [
    [24, 12, 2],
    [25, 0, 0],
    [26, 0, 1],
  ]);
  assert.deepEqual(storagePerDay([]), []);
});
