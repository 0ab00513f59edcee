import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Catalog } from '../../src/catalog/catalog.ts';
import type { ProgramResult } from '../../src/lib/subprocess.ts';
import { sourceOfBytes } from '../../src/storage/object-source.ts';
import { runOurs } from '../support/commands.ts';
import { siteName } from '../support/daemon.ts';
import type { TestPostgres } from '../support/postgres.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

const user = 'operator';
const password = 'se:cret "#';

/** A server with segments of 1 MB that keeps what it has archived, a daemon that wants credentials, and holes in the archive. */
class SyncBench implements AsyncDisposable {
  readonly site: TestSite;
  readonly catalog: Catalog;

  static async start(): Promise<SyncBench> {
    const site = await TestSite.start({
      version: '15',
      initdb: ['--wal-segsize=1'],
      settings: { archive_command: '/bin/false', wal_keep_size: '128MB', min_wal_size: '4MB' },
      global: { webserver_username: user, webserver_password: password },
    });
    return new SyncBench(site, await site.daemon.catalog());
  }

  private constructor(site: TestSite, catalog: Catalog) {
    this.site = site;
    this.catalog = catalog;
  }

  get postgres(): TestPostgres {
    return this.site.postgres;
  }

  sync(...flags: string[]): Promise<ProgramResult> {
    return runOurs('archive-sync', ['--site', siteName, '--config', this.site.daemon.configFile, ...flags]);
  }

  async syncs(...flags: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.sync(...flags);
    assert.deepEqual([code, stderr], [0, ''], stdout);
    return stdout;
  }

  /** Has the server archive to the daemon, except while there is a file `hole`: then it believes that it does. */
  async beginArchiving(): Promise<void> {
    const real = `PGHOARD_USERNAME='${user}' PGHOARD_PASSWORD='${password}' ${this.site.daemon.archiveCommand}`;
    const command = `[ -e ${this.site.place('hole')} ] || ${real}`;
    await this.postgres.query(`ALTER SYSTEM SET archive_command = '${command.replaceAll("'", "''")}'`);
    await this.postgres.query('SELECT pg_reload_conf()');
    await this.site.archiveAll();
  }

  /** What the work switches out is only in the WAL directory, though PostgreSQL believes it to be archived. */
  async withoutArchiving<T>(work: () => Promise<T>): Promise<T> {
    await this.site.archiveAll();
    await writeFile(this.site.place('hole'), '');
    const result = await work();
    await this.switchAndForget();
    await rm(this.site.place('hole'));
    await this.site.archiveAll();
    return result;
  }

  /** Segments in a row that the archive lacks; one more follows. */
  async hole(count: number): Promise<string[]> {
    return this.withoutArchiving(async () => {
      const names: string[] = [];
      while (names.length < count) names.push(await this.switchAndForget());
      return names;
    });
  }

  walPath(name: string): string {
    return join(this.postgres.dataDirectory, 'pg_wal', name);
  }

  async isStored(name: string): Promise<boolean> {
    return (await this.catalog.findWal(name)) !== undefined;
  }

  async assertStoredAsHere(name: string): Promise<void> {
    const hash = createHash('sha1')
      .update(await readFile(this.walPath(name)))
      .digest('hex');
    assert.equal((await this.catalog.findWal(name))?.metadata['hash'], hash, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.catalog.store.close();
    await this.site[Symbol.asyncDispose]();
  }

  async switchAndForget(): Promise<string> {
    const name = await this.postgres.switchWal();
    const isTaken = async () => {
      const [row] = await this.postgres.query('SELECT last_archived_wal >= $1 AS taken FROM pg_stat_archiver', [name]);
      return row?.['taken'] === true;
    };
    await waitFor(isTaken, { withinMs: 30_000, what: `PostgreSQL is done with ${name}` });
    return name;
  }
}

test('archive_sync on a server with segments of 1 MB and a daemon that wants credentials', async (t) => {
  await using bench = await SyncBench.start();
  await step(t, 'without a base backup it fails, and asks for one if told to', () => firstBackup(bench));
  await step(t, 'right after a base backup there is nothing to complain about', () => freshBackup(bench));
  await step(t, 'a hole is filled from the WAL directory, oldest first', () => fillHole(bench));
  await step(t, 'other credentials are refused and said so', () => wrongCredentials(bench));
  await step(t, 'the first node that answers is asked', () => otherNodes(bench));
  await step(t, 'what is gone is named; a new base backup mends it', () => reportLoss(bench));
  await step(t, 'other content in the store is found, told and left alone', () => wrongContent(bench));
  await step(t, 'archive_cleanup deletes what lies before the base backups, and nothing else', () => cleanUp(bench));
  await step(t, 'a promotion is followed over its timelines, and what was filled in restores', () => followPromotion(bench));
});

/** Later steps build on earlier ones. */
async function step(t: TestContext, what: string, work: () => Promise<void>): Promise<void> {
  let isDone = false;
  await t.test(what, async () => {
    await work();
    isDone = true;
  });
  if (!isDone) throw new Error(`the steps after "${what}" are not tried`);
}

async function firstBackup(bench: SyncBench): Promise<void> {
  const { code, stderr } = await bench.sync();
  assert.equal(code, 1);
  assert.match(stderr, /^pghoard_archive_sync: FATAL: basebackup-missing: /m);
  await bench.beginArchiving();
  assert.equal((await bench.sync('--create-new-backup-on-failure')).code, 0);
  await bench.site.daemon.basebackups(1);
}

async function freshBackup(bench: SyncBench): Promise<void> {
  // The server's own archiver may not have come to the last segment yet.
  assert.match(await bench.syncs(), /Archived [0-9]+ files that were missing or different\nVerified that all WAL since the base backup /);
}

async function fillHole(bench: SyncBench): Promise<void> {
  const hole = await bench.hole(4);
  const stdout = await bench.syncs();
  const archived = [...stdout.matchAll(/^Archiving (.*)$/gm)].map(([, name]) => name);
  assert.equal(archived.length, hole.length + 1);
  assert.deepEqual(archived.slice(0, -1), hole);
  for (const name of hole) await bench.assertStoredAsHere(name);
  assert.match(await bench.syncs(), /^Archived 0 files/);
}

async function wrongCredentials(bench: SyncBench): Promise<void> {
  const { code, stderr } = await syncWith(bench, { webserver_password: 'guessed' });
  assert.equal(code, 1);
  assert.match(stderr, /FATAL: daemon-refused: .*credentials/);
  assert.doesNotMatch(stderr, /guessed|se:cret/);
}

async function otherNodes(bench: SyncBench): Promise<void> {
  const nowhere = 'host=127.0.0.1 port=1 user=postgres';
  const site = await bench.site.daemon.siteConfig();
  const second = await syncWith(bench, { backup_sites: { [siteName]: { ...site, nodes: [nowhere, bench.postgres.dsn] } } });
  assert.deepEqual([second.code, second.stderr], [0, '']);
  const none = await syncWith(bench, { backup_sites: { [siteName]: { ...site, nodes: [nowhere] } } });
  assert.equal(none.code, 1);
  assert.match(none.stderr, /FATAL: postgres-unreachable/);
}

async function reportLoss(bench: SyncBench): Promise<void> {
  const [gone = '', left = ''] = await bench.hole(2);
  await bench.postgres.query('CHECKPOINT');
  await rm(bench.walPath(gone));
  const failed = await bench.sync();
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, new RegExp(`FATAL: archive-incomplete: 1 WAL files are missing in the archive: ${gone}\n`));
  assert.ok(await bench.isStored(left), 'what was left is archived all the same');
  await bench.syncs('--no-verify');
  const mended = await bench.sync('--create-new-backup-on-failure');
  assert.equal(mended.code, 0);
  assert.match(mended.stderr, new RegExp(gone));
  assert.match(mended.stdout, /^Requested a new base backup$/m);
  await bench.site.daemon.basebackups(2);
  await bench.syncs();
}

async function wrongContent(bench: SyncBench): Promise<void> {
  const name = await bench.site.archiveAll();
  const stored = await bench.catalog.findWal(name);
  assert.ok(stored);
  const metadata = { ...stored.metadata, hash: createHash('sha1').update('of another server').digest('hex') };
  await bench.catalog.store.put(stored.key, sourceOfBytes(Buffer.from('x')), { metadata });

  await bench.syncs('--max-hash-checks', '0');
  for (const flags of [[], ['--max-hash-checks', '-1'], ['--no-verify', '--max-hash-checks=100']]) {
    const { code, stdout, stderr } = await bench.sync(...flags);
    assert.equal(code, 1, flags.join(' '));
    assert.match(stdout, new RegExp(`^${name} is archived with other content`, 'm'));
    assert.match(stderr, /wal-conflict: .* is already stored with other content/);
    assert.match(stderr, new RegExp(`FATAL: archive-incomplete: 1 WAL files could not be archived: ${name}$`, 'm'));
  }
  assert.equal((await bench.catalog.findWal(name))?.metadata['hash'], metadata.hash);
  await bench.catalog.store.delete(stored.key);
  assert.match(await bench.syncs(), new RegExp(`^Archiving ${name}\nArchived 1 `));
  await bench.assertStoredAsHere(name);
}

async function cleanUp(bench: SyncBench): Promise<void> {
  const { catalog, site } = bench;
  const starts = (await catalog.basebackups()).entries.map(({ startWalSegment }) => startWalSegment).toSorted();
  const oldest = starts[0] ?? '';
  const orphans = ['000000010000000000000000', '000000010000000000000002', '00000003.history'];
  for (const name of orphans) await catalog.store.put(catalog.walKey(name), sourceOfBytes(Buffer.from('12345')), { metadata: {} });
  const before = await readdir(join(site.daemon.storeDirectory, siteName, 'xlog'));
  const clean = (...flags: string[]) => runOurs('archive-cleanup', ['--config', site.daemon.configFile, ...flags]);
  const looked = await clean('--dry-run');
  assert.deepEqual([looked.code, looked.stderr], [0, '']);
  assert.deepEqual(await readdir(join(site.daemon.storeDirectory, siteName, 'xlog')), before);
  assert.equal((await clean()).code, 0);
  const after = await readdir(join(site.daemon.storeDirectory, siteName, 'xlog'));
  assert.deepEqual(
    after,
    before.filter((name) => name.slice(0, 24) >= oldest),
  );
  const lines = looked.stdout.match(/^Would delete .*\/xlog\/.*$/gm) ?? [];
  assert.equal(lines.length * 2, before.length - after.length, 'each with its metadata');
  assert.ok(await bench.isStored('00000003.history'), 'histories stay');
  await catalog.store.delete(catalog.walKey('00000003.history'));
  await bench.syncs();
}

async function followPromotion(bench: SyncBench): Promise<void> {
  const { postgres } = bench;
  const lost = await bench.withoutArchiving(async () => {
    await bench.switchAndForget();
    await postgres.stop();
    await writeFile(join(postgres.dataDirectory, 'standby.signal'), '');
    await postgres.launch();
    await postgres.query('SELECT pg_promote()');
    await postgres.promoted();
    await postgres.query('CREATE TABLE written_after_promotion AS SELECT generate_series(1, 100) AS id');
    return bench.switchAndForget();
  });
  const partial = (await readdir(join(postgres.dataDirectory, 'pg_wal'))).find((name) => name.endsWith('.partial')) ?? '';
  assert.match(lost, /^00000002/);
  assert.match(partial, /^00000001/);
  for (const name of ['00000002.history', partial, lost]) assert.equal(await bench.isStored(name), false, name);

  const stdout = await bench.syncs();
  assert.match(stdout, /^Archiving 00000002\.history$/m);
  for (const name of ['00000002.history', partial, lost]) assert.ok(await bench.isStored(name), name);
  const start = (await bench.catalog.basebackups()).entries.at(-1)?.startWalSegment ?? '';
  assert.ok(start.startsWith('00000001'), 'it was verified over both timelines');

  await bench.catalog.store.delete(bench.catalog.walKey('00000002.history'));
  assert.match(await bench.syncs(), /^Archiving 00000002\.history$/m);

  await using restored = await bench.site.recovered('restored');
  assert.deepEqual(await restored.query('SELECT count(*)::int AS rows FROM written_after_promotion'), [{ rows: 100 }]);
}

/** With a changed copy of the configuration. */
async function syncWith({ site }: SyncBench, changes: Readonly<Record<string, unknown>>): Promise<ProgramResult> {
  const config = JSON.parse(await readFile(site.daemon.configFile, 'utf8')) as Record<string, unknown>;
  const path = site.place('changed.json');
  await writeFile(path, JSON.stringify({ ...config, ...changes }));
  return runOurs('archive-sync', ['--config', path]);
}
