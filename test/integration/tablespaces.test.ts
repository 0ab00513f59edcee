import assert from 'node:assert/strict';
import { chown, mkdir, readdir, readlink, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { siteName } from '../support/daemon.ts';
import { systemUser } from '../support/postgres.ts';
import { tableChecksums } from '../support/table-checksums.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

const names = ['fast disk', 'große Platte'] as const;

for (const version of ['15', 'embedded'] as const) {
  describe(`PostgreSQL ${version}, two tablespaces`, () => {
    let site: TestSite;
    let chunked: string;
    let single: string;
    let checksums: Record<string, string>;
    const oids: string[] = [];

    before(async () => {
      site = await TestSite.start({ version, encrypted: true, site: { basebackup_chunk_size: 4_000_000 } });
      for (const name of names) {
        const directory = await ownedDirectory(site.place(`source of ${name}`));
        await site.postgres.query(`CREATE TABLESPACE "${name}" LOCATION '${directory}'`);
        await site.postgres.query(
          `CREATE TABLE "in ${name}" TABLESPACE "${name}" AS SELECT i, md5(i::text) AS text FROM generate_series(1, 20000) AS i`,
        );
        await site.postgres.query(`CREATE INDEX ON "in ${name}" (i) TABLESPACE "${name}"`);
      }
      for (const { oid } of await site.postgres.query('SELECT oid::text FROM pg_tablespace WHERE oid > 16383 ORDER BY oid'))
        oids.push(String(oid));
      chunked = await site.basebackup();
      await site.daemon.reconfigure({ site: { basebackup_format: 'pghoard-bb-v1' } });
      single = await site.basebackup();
      await site.postgres.query(`INSERT INTO "in ${names[0]}" SELECT i, 'after the backups' FROM generate_series(1, 1000) AS i`);
      await site.archiveAll();
      checksums = await tableChecksums(site.postgres);
    });
    after(() => site?.[Symbol.asyncDispose]());

    const linksOf = async (dataDirectory: string) =>
      Promise.all(oids.map(async (oid) => realpath(await readlink(join(dataDirectory, 'pg_tblspc', oid)))));

    test('beside the running source each one is given a directory of its own', async () => {
      const directories = await Promise.all(names.map((name) => ownedDirectory(site.place(`mapped ${name}`))));
      const mapping = names.flatMap((name, index) => ['--tablespace-dir', `${name}=${directories[index]}`]);
      await using restored = await site.recovered('mapped', ['--basebackup', chunked, ...mapping]);
      assert.deepEqual(await linksOf(restored.dataDirectory), directories);
      assert.deepEqual(await tableChecksums(restored), checksums);
    });

    // Which version it is makes no difference there.
    if (version === '15') {
      test('what a server has done to its directories is undone by --reuse, but not while it runs', async () => {
        const directories = await Promise.all(names.map((name) => ownedDirectory(site.place(`reused ${name}`))));
        const flags = ['--basebackup', chunked, ...names.flatMap((name, index) => ['--tablespace-dir', `${name}=${directories[index]}`])];
        const used = await site.recovered('reused', flags);
        try {
          await used.query(`UPDATE "in ${names[0]}" SET text = 'changed' WHERE i % 100 = 0`);
          await used.query(`TRUNCATE "in ${names[1]}"`);
          await used.query(`CREATE TABLE extra TABLESPACE "${names[1]}" AS SELECT generate_series(1, 1000) AS i`);
          await used.query('CHECKPOINT');
          const running = await site.daemon.tryRestore(used.dataDirectory, [...flags, '--reuse']);
          assert.match(running.stderr, /FATAL: target-in-use/);
          assert.notDeepEqual(await tableChecksums(used), checksums);
        } finally {
          await used[Symbol.asyncDispose]();
        }
        await using again = await site.recovered('reused', [...flags, '--reuse']);
        assert.deepEqual(await linksOf(again.dataDirectory), directories);
        assert.deepEqual(await tableChecksums(again), checksums);
      });
    }

    test('without a mapping the directories of the running source are not touched', async () => {
      const { code, stderr } = await site.daemon.tryRestore(site.place('unmapped'));
      assert.equal(code, 1);
      assert.match(stderr, /target-not-empty[^]*fast disk/);
      assert.deepEqual(await tableChecksums(site.postgres), checksums);
    });

    test('a mode that cannot hold tablespaces says so, and which one can', async () => {
      await site.daemon.reconfigure({ site: { basebackup_mode: 'pipe', basebackup_format: undefined } });
      const taken = await site.daemon.basebackups(0);
      await site.daemon.request('PUT', `/${siteName}/basebackup`);
      const said = await waitFor(() => /base backup failed: [^]*/.exec(site.daemon.log), {
        withinMs: 30_000,
        what: () => `the base backup fails:\n${site.daemon.log}`,
      });
      assert.match(said[0], /cannot store user tablespaces[^]*local-tar/);
      assert.deepEqual(await site.daemon.basebackups(0), taken);
    });

    test('on another host, without the original directories, they go below one base directory (format pghoard-bb-v1)', async () => {
      await using daemon = await site.elsewhere('other host');
      await site.postgres.stop();
      for (const name of names) await rm(site.place(`source of ${name}`), { recursive: true });
      const base = await ownedDirectory(site.place('base'));
      await using restored = await site.recovered('elsewhere', ['--basebackup', single, '--tablespace-base-dir', base], { daemon });
      assert.deepEqual((await readdir(base)).toSorted(), oids.toSorted());
      assert.deepEqual(
        await linksOf(restored.dataDirectory),
        oids.map((oid) => join(base, oid)),
      );
      assert.deepEqual(await tableChecksums(restored), checksums);
    });
  });
}

async function ownedDirectory(path: string): Promise<string> {
  await mkdir(path, { mode: 0o700 });
  const { uid, gid } = systemUser();
  await chown(path, uid, gid);
  return path;
}
