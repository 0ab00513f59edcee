import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { readWalIndex } from '../../src/catalog/wal-index/read-wal-indexes.ts';
import { TestDaemon } from '../support/daemon.ts';
import { asDumped, indexDirectory, indexOf } from '../support/indexed-wal.ts';
import { TestPostgres } from '../support/postgres.ts';
import type { PostgresVersion } from '../support/postgres-binaries.ts';
import { clientProgram } from '../support/postgres-programs.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { variedWal, variedWalSettings } from '../support/varied-wal.ts';
import { waitFor } from '../support/wait-for.ts';
import { dumpWal } from '../support/waldump.ts';

/** A server that has written WAL of every sort, and was promoted. */
async function variedServer(version: PostgresVersion): Promise<TestPostgres> {
  const server = await TestPostgres.start({ version, initdb: ['--wal-segsize=1'], settings: variedWalSettings });
  for (const statement of variedWal) await server.query(statement);
  await server.stop();
  await writeFile(join(server.dataDirectory, 'standby.signal'), '', { mode: 0o644 });
  await server.launch();
  await server.query('SELECT pg_promote()');
  await server.promoted();
  await server.query("INSERT INTO t (v) VALUES ('on the second timeline')");
  await server.query("SELECT pg_create_restore_point('second')");
  await server.stop();
  return server;
}

async function segmentsOf(directory: string, timeline: number): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => /^[0-9A-F]{24}$/.test(name));
  return names.filter((name) => Number.parseInt(name.slice(0, 8), 16) === timeline).toSorted();
}

for (const version of ['15', 'embedded'] as const) {
  test(`an index says what pg_waldump says (${version})`, async () => {
    await using server = await variedServer(version);
    const bin = dirname(await clientProgram('pg_waldump', version));
    const directory = join(server.dataDirectory, 'pg_wal');
    for (const timeline of [1, 2]) {
      const names = await segmentsOf(directory, timeline);
      const { pages, otherIndexRecords, ...dumped } = await dumpWal(bin, directory, timeline, names[0] as string, names.at(-1) as string);
      const { pages: ownPages, ...own } = asDumped(await indexDirectory(directory, timeline));
      assert.deepEqual(own, dumped);
      assert(dumped.transactions.length > (timeline === 1 ? 3000 : 1), `${dumped.transactions.length} transactions`);
      assert.equal(dumped.timelineSwitches.length, timeline - 1);
      for (const [database, count] of pages) {
        const found = ownPages.get(database) ?? 0;
        assert(
          found >= count && found <= count + otherIndexRecords,
          `${found} pages of database ${database}, at least ${count} are expected`,
        );
      }
    }
    await expectHarmless(directory);
  });
}

/** Whatever is changed in a real segment, it is read to some point, in its time. */
async function expectHarmless(directory: string): Promise<void> {
  const random = new SeededRandom();
  const runs = Number(process.env['PGHOARD_TEST_FUZZ_RUNS'] ?? 10);
  for (const name of await segmentsOf(directory, 1)) {
    const bytes = await readFile(join(directory, name));
    for (let run = 0; run < runs; run++) {
      const changed = Buffer.from(bytes);
      for (let count = random.between(1, 8); count > 0; count--) {
        const at = random.between(0, changed.length - 64);
        if (random.next() < 0.5) changed[at] = random.between(0, 255);
        else bytes.copy(changed, at, random.between(0, bytes.length - 64), random.between(0, bytes.length));
      }
      const index = indexOf(name, changed, { pieceBytes: random.between(1, 300_000) });
      assert(index === undefined || index.transactions.offsets.every((offset) => offset < bytes.length), `seed ${random.seed}`);
    }
  }
}

test('a daemon notes what happens in the WAL, and makes up for what is missing', async () => {
  await using scratch = await makeTemporaryDirectory();
  const settings = { archive_mode: 'on', archive_command: '/bin/true', wal_keep_size: '1GB' };
  await using postgres = await TestPostgres.start({ initdb: ['--wal-segsize=1'], settings });
  await using daemon = await TestDaemon.start({ directory: join(scratch.path, 'pghoard'), postgres });
  await postgres.query(`ALTER SYSTEM SET archive_command = '${daemon.archiveCommand}'`);
  await postgres.query('SELECT pg_reload_conf()');
  await daemon.basebackups(1);
  await postgres.query("SELECT pg_create_restore_point('in an index')");
  const name = await postgres.switchWal();
  await daemon.archived(name);
  const catalog = await daemon.catalog();
  const { signal } = new AbortController();
  const source = {
    storage: { storage_type: 'local' as const, directory: daemon.storeDirectory, prefix: null, statsd_info: null, notifier: null },
    prefix: catalog.keys.prefix,
    privateKeys: {},
  };
  const restorePoints = async () => (await readWalIndex(source, name, signal))?.restorePoints.map((point) => point.name);
  const isThere = async () => (await restorePoints()) !== undefined;
  await waitFor(isThere, { withinMs: 60_000, what: () => `${name} has an index:\n${daemon.log}` });
  assert.deepEqual(await restorePoints(), ['in an index']);
  await daemon.stop();
  await catalog.store.delete(catalog.keys.walIndex(name));
  await daemon.launch();
  await waitFor(isThere, { withinMs: 120_000, what: () => `${name} has an index again:\n${daemon.log}` });
  assert.deepEqual(await restorePoints(), ['in an index']);
});
