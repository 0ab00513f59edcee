import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { sourceOfBytes } from '../../src/storage/object-source.ts';
import { restoreCommandTo } from '../support/daemon.ts';
import { TestSite } from '../support/test-site.ts';

test('a recovery that meets a hole in the WAL stops there, names it, and goes on once it is filled; a target before it is reached', async () => {
  await using site = await TestSite.start({ initdb: ['--wal-segsize=1'], site: { basebackup_after_wal_gap: false } });
  const { postgres, daemon } = site;
  await postgres.query('CREATE TABLE ledger (note text)');
  await site.basebackup();
  await postgres.query(`INSERT INTO ledger VALUES ('before')`);
  await postgres.query(`SELECT pg_create_restore_point('before the hole')`);
  await site.archiveAll();
  await postgres.query(`INSERT INTO ledger VALUES ('lost')`);
  const lost = await site.archiveAll();
  await postgres.query(`INSERT INTO ledger VALUES ('behind')`);
  await site.archiveAll();
  await postgres.stop();

  const { store, keys } = await daemon.catalog();
  const { entry, bytes } = await store.get(keys.wal(lost));
  const segment = await buffer(bytes);
  await store.delete(keys.wal(lost));

  const restore_command = `${restoreCommandTo(daemon.port)} --retry-interval 0`;
  const target = site.place('restored');
  await daemon.restore(target, ['--restore-to-primary']);
  await using stopped = await site.startOn(target, { waitForRecovery: false, settings: { restore_command } });
  const log = await stopped.ended();
  assert.match(log, new RegExp(`wal-hole: WAL ${lost} is not stored, but .* behind it is`));
  assert.match(log, /could not restore file/);
  assert.doesNotMatch(log, /archive recovery complete/);

  await using early = await site.recovered('early', ['--recovery-target-name', 'before the hole'], {
    // It would ask for WAL behind the target before it gets there.
    settings: { recovery_prefetch: 'off' },
  });
  assert.deepEqual(await early.query('SELECT note FROM ledger'), [{ note: 'before' }]);

  await store.put(keys.wal(lost), sourceOfBytes(segment), { metadata: entry.metadata });
  await using whole = await site.startOn(target);
  await whole.promoted();
  assert.equal((await whole.query('SELECT note FROM ledger')).length, 3);
});
