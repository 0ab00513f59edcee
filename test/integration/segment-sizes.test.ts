import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runProgram } from '../../src/lib/subprocess.ts';
import { systemUser } from '../support/postgres.ts';
import { clientProgram } from '../support/postgres-programs.ts';
import { tableChecksums } from '../support/table-checksums.ts';
import { TestSite } from '../support/test-site.ts';

/** Each with the last segment before the high half of the position in its name grows, and one shortly before that to begin at. */
const sizes = [
  { megabytes: 1, begin: '000000010000000000000FFD', last: '000000010000000000000FFF' },
  { megabytes: 64, begin: '00000001000000000000003D', last: '00000001000000000000003F' },
];

for (const version of ['15', 'embedded'] as const) {
  for (const { megabytes, begin, last } of sizes) {
    test(`WAL segments of ${megabytes} MB are archived and restored, across a carry in their names (PostgreSQL ${version})`, async () => {
      const settings = megabytes === 64 ? { min_wal_size: '128MB', max_wal_size: '256MB' } : { min_wal_size: '2MB', max_wal_size: '8MB' };
      await using site = await TestSite.start({ version, encrypted: true, initdb: [`--wal-segsize=${megabytes}`], settings });
      await beginAt(site, begin);
      await site.postgres.query('CREATE TABLE ledger (id int)');
      const { startWalSegment } = await (await site.daemon.catalog()).basebackup(await site.basebackup());
      assert.ok(startWalSegment <= last, startWalSegment);

      const archived: string[] = [];
      for (let id = 0; id < 3; id++) {
        await site.postgres.query('INSERT INTO ledger VALUES ($1)', [id]);
        archived.push(await site.archiveAll());
      }
      assert.equal(archived.at(-1)?.slice(0, 16), '0000000100000001');

      await using restored = await site.recovered('restored');
      assert.deepEqual(await tableChecksums(restored), await tableChecksums(site.postgres));
      const [size] = await restored.query('SHOW wal_segment_size');
      assert.equal(size?.['wal_segment_size'], `${megabytes}MB`);
    });
  }
}

/** Puts the position of the WAL where it would be after many gigabytes. */
async function beginAt(site: TestSite, segment: string): Promise<void> {
  const { postgres, version } = site;
  await postgres.stop();
  const program = await clientProgram('pg_resetwal', version);
  const { code, stderr } = await runProgram(program, ['-l', segment, '-D', postgres.dataDirectory], { ...systemUser(), cwd: '/' });
  assert.equal(code, 0, stderr);
  await postgres.launch();
}
