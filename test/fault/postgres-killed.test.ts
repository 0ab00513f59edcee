import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunked, FaultSite } from '../support/fault-site.ts';
import { waitFor } from '../support/wait-for.ts';

/** Kills all of PostgreSQL while a base backup is being taken, and returns once the daemon has given that up and left nothing of it. */
async function killDuringBasebackup(site: FaultSite): Promise<void> {
  await site.beginBasebackup();
  await site.spooledPart(1);
  // Held still, so that it does not finish before PostgreSQL is dead.
  process.kill(site.daemon.pid ?? 0, 'SIGSTOP');
  await site.postgres.kill9();
  process.kill(site.daemon.pid ?? 0, 'SIGCONT');
  await waitFor(() => site.daemon.log.includes('base backup failed'), {
    withinMs: 60_000,
    what: () => `the daemon says that the base backup failed:\n${site.daemon.log}`,
  });
  assert.deepEqual(await site.chunks(), []);
  assert.deepEqual(await site.spooled(), []);
}

for (const mode of ['local-tar', 'stream']) {
  test(`PostgreSQL killed -9 under a ${mode} backup: that one fails and is taken again by itself`, async () => {
    await using site = await FaultSite.start({ site: { ...chunked, basebackup_mode: mode } });
    await killDuringBasebackup(site);
    await site.postgres.launch();
    await site.settle();
    assert.deepEqual((await site.check()).basebackups, []);
    await site.daemon.basebackups(1);
    assert.deepEqual((await site.check()).orphanChunks, []);
    await site.restoreAndCompare();
  });
}

test('PostgreSQL killed -9 under pg_basebackup: that backup fails, and is taken again although pghoard was restarted meanwhile', async () => {
  await using site = await FaultSite.start({ site: { basebackup_mode: 'pipe' }, encrypted: true });
  await killDuringBasebackup(site);
  await site.postgres.launch();
  assert.equal(await site.daemon.stop(), 0);
  await site.daemon.launch();
  await site.requestServed();
  await site.settle();
  await site.check();
  await site.restoreAndCompare();
});
