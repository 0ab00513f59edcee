import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FaultSite } from '../support/fault-site.ts';
import { packageRoot } from '../support/package-root.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

let site: FaultSite;
let scratch: TemporaryDirectory;

before(async () => {
  scratch = await makeTemporaryDirectory();
  const preload = join(packageRoot, 'dist/test/support/crash-preload.js');
  site = await FaultSite.start({
    env: { NODE_OPTIONS: `--import=${preload} --max-old-space-size=96`, PGHOARD_TEST_CRASH: join(scratch.path, 'order') },
  });
});
after(async () => {
  await site[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

async function crash(how: string): Promise<void> {
  const order = join(scratch.path, 'order');
  await writeFile(`${order}.new`, how);
  await rename(`${order}.new`, order);
}

/** Waits until it is in what is logged from `from` on. */
async function logged(what: RegExp, from: number): Promise<void> {
  const log = () => site.daemon.log.slice(from);
  await waitFor(() => what.test(log()), { withinMs: 60_000, what: () => `the daemon logs ${what}:\n${log()}` });
}

for (const [how, because] of [
  ['worker-exits', /because: its thread ended with code 3|its thread ended with code 3/],
  ['worker-out-of-memory', /its memory|out of memory|memory limit/],
] as const) {
  test(`${how}: a worker dies, and what it did is done by another`, async () => {
    const { pid } = site.daemon;
    const from = site.daemon.log.length;
    await crash(how);
    await site.settle();
    await logged(/a worker thread died while it ran sealWal; another one takes its place/, from);
    await logged(because, from);
    await waitFor(async () => (await alertNames()).includes('worker_crashed'), { withinMs: 30_000, what: 'the alert' });

    if (how === 'worker-out-of-memory') await crashUnderBasebackup(how);
    await site.settle();
    await site.check();
    assert.equal(site.daemon.pid, pid, 'the daemon lives on');
  });
}

for (const how of ['rejection', 'exception', 'worker-segfaults'] as const) {
  test(`${how}: the daemon ends with an exit code that has it started again, and nothing is lost`, async () => {
    const from = site.daemon.log.length;
    await crash(how);
    if (how === 'worker-segfaults') await site.addSegments(1);
    const code = await site.daemon.ended();
    if (how === 'worker-segfaults') assert.equal(code, null, 'ended by a signal');
    else {
      assert.equal(code, 70);
      await logged(/this is a bug in pghoard, please report it:[^]*(that nobody handles|out of the blue)/, from);
    }
    await site.daemon.launch();
    await site.settle();
    await site.check();
  });
}

test('what all that has left can be restored', async () => {
  await site.restoreAndCompare();
});

async function crashUnderBasebackup(how: string): Promise<void> {
  const from = site.daemon.log.length;
  const { length } = await site.daemon.basebackups(0);
  // Not while the WAL that it makes is sealed.
  await crash(`${how} in basebackup`);
  await site.requestBasebackup();
  await logged(/base backup failed: a codec worker died while it ran/, from);
  assert.equal((await site.daemon.basebackups(length + 1)).length, length + 1, 'it is begun anew by itself');
}

async function alertNames(): Promise<string[]> {
  const status = (await (await site.daemon.request('GET', '/status')).json()) as { pghoard: { alerts: { name: string }[] } };
  return status.pghoard.alerts.map(({ name }) => name);
}
