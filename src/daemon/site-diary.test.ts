import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../test/support/simulated-clock.ts';
import { type Log, silentLog } from '../lib/log.ts';
import { SiteDiary, type SiteDiaryDeps } from './site-diary.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

class Bench {
  readonly clock = new SimulatedClock();
  readonly told: string[] = [];
  basebackups: { name: string; startTime: Date }[] | undefined;
  health: ReturnType<SiteDiaryDeps['health']> = {
    alerts: [],
    restorable: { is: false, state: 'no', because: 'there is no complete base backup' },
  };
  readonly diary: SiteDiary;

  constructor() {
    const log: Log = { ...silentLog, info: (fields, message) => this.told.push(`${message} ${JSON.stringify(fields)}`) };
    this.diary = new SiteDiary({
      site: 'main',
      health: () => this.health,
      basebackups: () => this.basebackups,
      segmentBytes: () => 16 * 2 ** 20,
      clock: this.clock,
      log,
    });
  }

  /** What is told within that time. */
  async passes(ms: number): Promise<string[]> {
    const before = this.told.length;
    await this.clock.run(this.clock.sleep(ms));
    return this.told.slice(before);
  }

  wal(n: number): string {
    return `00000001000000000000${n.toString(16).toUpperCase().padStart(4, '0')}`;
  }
}

test('WAL that is stored is told once an hour, and when the site is closed', async () => {
  const bench = new Bench();
  bench.diary.start();
  for (let n = 1; n <= 60; n++) bench.diary.walStored(bench.wal(n));
  assert.deepEqual(await bench.passes(30 * minuteMs), []);
  for (let n = 61; n <= 80; n++) bench.diary.walStored(bench.wal(n));
  assert.deepEqual(await bench.passes(30 * minuteMs + 1), [
    'stored WAL of 60 min: 80 files, 16 MiB/s at most within a minute {"site":"main","walFiles":80,"firstWal":"000000010000000000000001","lastWal":"000000010000000000000050"}',
  ]);
  assert.deepEqual(await bench.passes(5 * hourMs), [], 'nothing is told where there is nothing to tell');
  bench.diary.walStored(bench.wal(81));
  bench.diary.close();
  assert.match(bench.told.at(-1) ?? '', /^stored WAL of 0 s: 1 file, /);
  assert.deepEqual(await bench.passes(48 * hourMs), []);
});

test('a recovery is told when it begins and when it has asked for nothing for a while', async () => {
  const bench = new Bench();
  bench.diary.walServed(bench.wal(1));
  await bench.passes(4 * minuteMs);
  bench.diary.walServed(bench.wal(2));
  await bench.passes(4 * minuteMs);
  assert.deepEqual(bench.told, ['a recovery gets WAL {"site":"main","firstWal":"000000010000000000000001"}']);
  const [end, ...others] = await bench.passes(2 * minuteMs);
  assert.match(end ?? '', /^a recovery got 2 WAL files within 4 min, and asks for no more {.*"lastWal":"000000010000000000000002"}$/);
  bench.diary.walServed(bench.wal(3));
  assert.deepEqual([others, bench.told.length], [[], 3]);
});

test('a day is told at midnight: base backups, WAL, whether it can be restored, alerts', async () => {
  const bench = new Bench();
  const midnight = new Date(bench.clock.now());
  midnight.setHours(24, 0, 0, 0);
  const untilMidnight = midnight.getTime() - bench.clock.now().getTime();
  bench.diary.start();
  const [first] = await bench.passes(untilMidnight + 1);
  assert.match(
    first ?? '',
    /^2026-11-2\d: 0 base backups taken, 0 deleted, 0 there; 0 WAL files stored; not known to be restorable: there is no complete base backup /,
  );

  const at = (hours: number) => new Date(bench.clock.now().getTime() + hours * hourMs);
  bench.basebackups = [{ name: 'old', startTime: at(-30) }];
  await bench.passes(2 * hourMs);
  bench.basebackups = [{ name: 'new', startTime: bench.clock.now() }];
  bench.diary.walStored(bench.wal(1));
  const window = { from: new Date('2026-11-22T05:00:00Z'), until: new Date('2026-11-23T22:59:58.5Z') };
  bench.health = { alerts: [{ name: 'wal_gap', because: 'x' }], restorable: { is: true, state: 'yes', ...window, because: '' } };
  const told = await bench.passes(22 * hourMs + 1);
  const day = told.find((line) => line.startsWith('2026-')) ?? '';
  assert.match(
    day,
    /: 1 base backup taken, 1 deleted, 1 there; 1 WAL file stored; restorable from 2026-11-22T05:00:00Z until 2026-11-23T22:59:58Z /,
  );
  assert.match(day, /"alerts":\["wal_gap"\]/);
  bench.diary.close();
});
