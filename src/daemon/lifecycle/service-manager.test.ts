import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { NotifyListener } from '../../../test/support/notify-listener.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { silentLog } from '../../lib/log.ts';
import { isFeedingTime } from './service-beat.ts';
import { ServiceManager, takeServiceManagerFrom } from './service-manager.ts';

test('what is told comes to the socket, in order, one line per status', async () => {
  await using directory = await makeTemporaryDirectory();
  await using systemd = await NotifyListener.open(join(directory.path, 'notify'));
  const manager = new ServiceManager({ socket: systemd.path, watchdogMs: 1000, log: silentLog });
  void manager.ready('two\nlines');
  void manager.reloading();
  void manager.tell({});
  void manager.tell({ isAlive: true, status: 'so lala' });
  void manager.extend(1500);
  await manager.stopping('going', 30_000);
  const [ready, reloading, ...others] = systemd.messages;
  assert.deepEqual(ready, ['READY=1', 'STATUS=two lines']);
  assert.equal(reloading?.[0], 'RELOADING=1');
  const usec = Number(/^MONOTONIC_USEC=(\d+)$/.exec(reloading?.[1] ?? '')?.[1]);
  assert(usec <= Number(process.hrtime.bigint() / 1000n) && usec > Number(process.hrtime.bigint() / 1000n) - 30_000_000);
  assert.deepEqual(others, [
    ['STATUS=so lala', 'WATCHDOG=1'],
    ['EXTEND_TIMEOUT_USEC=1500000', 'WATCHDOG=1'],
    ['STOPPING=1', 'STATUS=going', 'EXTEND_TIMEOUT_USEC=30000000'],
  ]);
});

test('a socket that is gone is told once, and holds nothing up', async () => {
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_fields: object, message: string) => void warnings.push(message) };
  const manager = new ServiceManager({ socket: '/nonexistent/notify', watchdogMs: undefined, log });
  await manager.ready('up');
  await manager.tell({ status: 'still up' });
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^systemd cannot be told how pghoard is: .*No such file or directory/);
});

test('the environment tells once, and is not handed on', () => {
  const environment = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '3000000', WATCHDOG_PID: String(process.pid), PATH: '/bin' };
  const manager = takeServiceManagerFrom(environment, silentLog);
  assert.deepEqual([manager.isListening, manager.watchdogMs, environment], [true, 3000, { PATH: '/bin' }]);
  assert.equal(
    takeServiceManagerFrom({ NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '3000000', WATCHDOG_PID: '1' }, silentLog).watchdogMs,
    undefined,
  );
  assert.equal(takeServiceManagerFrom({ WATCHDOG_USEC: '3000000' }, silentLog).watchdogMs, undefined);
  assert.equal(takeServiceManagerFrom({}, silentLog).isListening, false);
});

test('the watchdog is fed when half of its time is over, at the beat that comes nearest', () => {
  const cases: [sinceMs: number, everyMs: number, watchdogMs: number | undefined, is: boolean][] = [
    [Number.POSITIVE_INFINITY, 10_000, 180_000, true],
    [80_000, 10_000, 180_000, false],
    [90_000, 10_000, 180_000, true],
    [85_000, 10_000, 180_000, true],
    [1000, 1000, 2000, true],
    [100_000, 10_000, undefined, false],
  ];
  for (const [sinceMs, everyMs, watchdogMs, is] of cases)
    assert.equal(isFeedingTime(sinceMs, everyMs, watchdogMs), is, String([sinceMs, everyMs, watchdogMs]));
});
