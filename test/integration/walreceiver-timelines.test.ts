import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { wholeLedger } from '../support/load.ts';
import type { TestPostgres } from '../support/postgres.ts';
import { ReceivingSite } from '../support/receiving-site.ts';
import { waitFor } from '../support/wait-for.ts';

test('timelines are followed to their ends and beyond: from a standby that is promoted, past an old primary, and twice while the daemon is down', async () => {
  await using site = await ReceivingSite.start({ mode: 'walreceiver' });
  const { postgres: primary, daemon } = site;
  await daemon.basebackup();
  await site.addSegment();
  await using standby = await site.standby('standby');
  const nodes = [primary, standby].map(({ dsn }) => ({ connection_string: dsn, slot: 'pghoard' }));
  await daemon.reconfigure({ site: { nodes } });
  await site.addSegment();
  await site.caughtUp(standby);

  await primary.query(`INSERT INTO ledger SELECT max(id) + 1, md5((max(id) + 1)::text) FROM ledger`);
  await site.caughtUp(standby);
  await primary.kill9();
  await standby.query('SELECT pg_promote()');
  await standby.promoted();
  let logged = await site.logged(/the timeline has ended at .*, 2 follows/);
  await addTo(standby);
  await assertFollowed(2);

  await primary.launch();
  await daemon.stop();
  await daemon.launch();
  // Whether the old primary is asked first, and passed over, depends on who has answered by then.
  logged = await site.logged(/receiving WAL from \S+ on timeline 2/, logged);
  await addTo(standby);
  await primary.stop();

  await daemon.stop();
  for (const _time of [1, 2]) await promoteItself(standby);
  await addTo(standby, false);
  await daemon.launch();
  await site.logged(/the timeline has ended at .*, 4 follows/, logged);
  await addTo(standby);
  await assertFollowed(3);
  await assertFollowed(4);
  await site.assertNoHole(4);
  await using restored = await site.restored('fourth-timeline');
  assert.equal(await wholeLedger(restored), await wholeLedger(standby));

  async function addTo(server: TestPostgres, isAwaited = true): Promise<void> {
    await server.query(`INSERT INTO ledger SELECT max(id) + 1, md5((max(id) + 1)::text) FROM ledger`);
    const name = await server.switchWal();
    if (isAwaited) await daemon.archived(name);
  }

  /** The store has the history of a timeline, and of the one before the part of the segment in which it was left. */
  async function assertFollowed(timeline: number): Promise<void> {
    await daemon.archived(`0000000${timeline}.history`);
    const { store, keys } = await daemon.catalog();
    const before = async () => {
      for await (const { key } of store.list(`${keys.walPartialPrefix}0000000${timeline - 1}`)) return key;
      return undefined;
    };
    assert.match(
      await waitFor(before, { withinMs: 30_000, what: `timeline ${timeline - 1} is stored to its end` }),
      /[0-9A-F]{24}\.partial$/,
    );
  }
});

/** As a standby whose primary is gone. */
async function promoteItself(server: TestPostgres): Promise<void> {
  await server.stop();
  await writeFile(join(server.dataDirectory, 'standby.signal'), '');
  await server.launch();
  await server.query('SELECT pg_promote()');
  await server.promoted();
}
