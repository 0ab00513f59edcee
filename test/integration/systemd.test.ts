import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { NotifyListener } from '../support/notify-listener.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const watchdogMs = 2000;

test('systemd hears when the daemon is up, that it lives, how it is, and that it goes', async () => {
  await using directory = await makeTemporaryDirectory();
  await using systemd = await NotifyListener.open(join(directory.path, 'notify'));
  const env = { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: String(watchdogMs * 1000), WATCHDOG_PID: undefined };
  await using daemon = await TestDaemon.start({ directory: join(directory.path, 'pghoard'), env });
  const pid = daemon.pid ?? 0;
  const countOf = (what: string) => systemd.messages.filter((message) => message.includes(what)).length;

  const ready = await systemd.heard(/^READY=1$/);
  assert.match(ready[1] ?? '', /^STATUS=no alerts; main (not listed yet|has no base backup) \(not active\)$/);
  assert.equal(systemd.messages[0], ready, 'nothing is told before the API answers');
  await systemd.heard(/^STATUS=no alerts; main has no base backup \(not active\)$/);
  await waitFor(() => countOf('WATCHDOG=1') >= 3, { withinMs: 30_000, what: 'signs of life' });

  const beforeReload = systemd.messages.length;
  process.kill(pid, 'SIGHUP');
  await systemd.heard(/^RELOADING=1$/, beforeReload);
  await systemd.heard(
    /^READY=1$/,
    systemd.messages.findIndex((message) => message.includes('RELOADING=1')),
  );
  const beforeBadReload = systemd.messages.length;
  await writeFile(daemon.configFile, 'garbage');
  process.kill(pid, 'SIGHUP');
  await systemd.heard(/^READY=1$/, beforeBadReload);
  const isRefused = () => daemon.log.includes('configuration not reloaded, the old one stays');
  await waitFor(isRefused, { withinMs: 30_000, what: () => `garbage is refused:\n${daemon.log}` });

  // A process that does not get on is silent; systemd would end it by now.
  process.kill(pid, 'SIGSTOP');
  let silentFromMs = performance.now();
  let heard = systemd.messages.length;
  const isSilent = () => {
    if (systemd.messages.length === heard) return performance.now() - silentFromMs > watchdogMs;
    [heard, silentFromMs] = [systemd.messages.length, performance.now()];
    return false;
  };
  await waitFor(isSilent, { withinMs: 30_000, what: 'silence' });
  process.kill(pid, 'SIGCONT');
  await systemd.heard(/^WATCHDOG=1$/, heard);

  assert.equal(await daemon.stop(), 0, daemon.log);
  const stopping = systemd.messages.findIndex((message) => message.includes('STOPPING=1'));
  assert.match(systemd.messages[stopping]?.join(' ') ?? '', /STATUS=stopping.* EXTEND_TIMEOUT_USEC=30000000$/);
  assert.equal(countOf('READY=1'), 3, 'at the start and after each reload');
  assert.doesNotMatch(daemon.log, /systemd cannot be told/);
});

test('a signal during the start is heeded: SIGHUP once it is up, SIGTERM and SIGINT at once', async () => {
  await using directory = await makeTemporaryDirectory();
  await using daemon = await TestDaemon.prepare({ directory: join(directory.path, 'pghoard') });
  const isReloaded = () => daemon.log.includes('configuration reloaded');
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGINT'] as const) {
    const starting = daemon.spawn();
    await waitFor(() => catchesHup(starting.pid ?? 0), { withinMs: 30_000, everyMs: 1, what: 'the daemon listens to signals' });
    starting.kill(signal);
    if (signal === 'SIGHUP')
      await waitFor(isReloaded, { withinMs: 60_000, what: () => `it reads its configuration again:\n${daemon.log}` });
    assert.equal(await (signal === 'SIGHUP' ? daemon.stop() : daemon.ended()), 0, daemon.log);
  }
});

/** Node catches the others from the beginning on, and ends. */
async function catchesHup(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return (Number.parseInt(/^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1]?.slice(-1) ?? '0', 16) & 1) === 1;
}
