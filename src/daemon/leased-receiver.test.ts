import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import type { ReceiverStatus, WalReceiver } from '../wal/receive/receiver.ts';
import { LeasedReceiver } from './leased-receiver.ts';
import type { Standing } from './ownership.ts';

const status: ReceiverStatus = {
  mode: 'walreceiver',
  running: true,
  latestActivity: new Date(1000),
  lastFlushed: 5n,
  because: 'receiving',
  waiting: [],
  rejected: [],
};

/** Counts how many receivers live. */
class Bench {
  readonly ownership = { standing: 'unknown' as Standing, hindrance: 'x has it' as string | undefined };
  made = 0;
  running = 0;
  waits = 0;
  readonly receiver: LeasedReceiver;

  constructor() {
    const make = (): WalReceiver => {
      this.made++;
      const stop = async () => {
        await new Promise((resolve) => setImmediate(resolve));
        this.running--;
      };
      return { status, start: () => void this.running++, stop };
    };
    const onWaiting = () => void this.waits++;
    const { ownership } = this;
    this.receiver = new LeasedReceiver({
      site: 'main',
      mode: 'walreceiver',
      make,
      ownership,
      onWaiting,
      clock: systemClock,
      log: silentLog,
    });
  }

  async stands(standing: Standing): Promise<number> {
    this.ownership.standing = standing;
    this.receiver.follow();
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(this.running <= 1);
    return this.running;
  }
}

test('it receives unless another daemon is known to', async () => {
  const bench = new Bench();
  assert.equal(await bench.stands('held'), 0, 'it was not started');
  bench.receiver.start();
  for (const [standing, running] of [
    ['held', 1],
    ['unsure', 1],
    ['barred', 1],
    ['elsewhere', 0],
    ['unsure', 1],
    ['unknown', 0],
    ['held', 1],
  ] as const) {
    assert.equal(await bench.stands(standing), running, standing);
  }
  assert.deepEqual([bench.made, bench.waits], [3, 2]);
  await bench.receiver.stop();
  assert.deepEqual([bench.running, bench.waits], [0, 2]);
});

test('however often the lease changes hands, there is never a second receiver', async () => {
  const bench = new Bench();
  bench.receiver.start();
  for (let n = 0; n < 20; n++) {
    bench.ownership.standing = n % 2 === 0 ? 'held' : 'elsewhere';
    bench.receiver.follow();
  }
  assert.equal(await bench.stands('held'), 1);
  await bench.receiver.stop();
  assert.equal(bench.running, 0);
});

test('while it waits it says why, and knows when it was last active', async () => {
  const bench = new Bench();
  bench.receiver.start();
  await bench.stands('held');
  assert.equal(bench.receiver.status, status);
  await bench.stands('elsewhere');
  const { mode, running, because, latestActivity } = bench.receiver.status;
  assert.deepEqual([mode, running, because, latestActivity], ['walreceiver', false, 'x has it', status.latestActivity]);
  await bench.receiver.stop();
});
