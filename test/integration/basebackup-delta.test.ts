import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { takeBasebackup } from '../../src/basebackup/basebackup.ts';
import type { BasebackupJob, SealChoice } from '../../src/basebackup/job.ts';
import type { BasebackupEntry } from '../../src/catalog/basebackup-entry.ts';
import { createKeyPair } from '../../src/codec/keys.ts';
import { OperatorError } from '../../src/lib/errors.ts';
import { MemoryStore } from '../../src/storage/memory/driver.ts';
import { BackupBench, copyWal } from '../support/backup-bench.ts';
import { OriginalReader } from '../support/original-reader.ts';
import { systemUser, TestPostgres } from '../support/postgres.ts';
import { openStoredArchive } from '../support/sealed-archive.ts';
import { FaultyStore } from '../support/store.ts';
import { tableChecksums } from '../support/table-checksums.ts';
import { waitFor } from '../support/wait-for.ts';

const never = new AbortController().signal;
const compression = { algorithm: 'snappy' as const, level: 0 };
/** Larger than any file of a fresh cluster, so that only the files that a test adds are objects of their own. */
const onlyLarge = { fileBytesMin: 3_000_000, bundleBytesMax: 20_000_000 };
const largeBytes = 3_100_000;

let postgres: TestPostgres;
let keys: { publicKey: string; privateKey: string };

before(async () => {
  keys = await createKeyPair(2048);
  postgres = await TestPostgres.start({ settings: { wal_keep_size: '256MB' } });
  await postgres.query('CREATE TABLE words AS SELECT i, md5(i::text) AS word FROM generate_series(1, 30000) AS i');
});
after(() => postgres[Symbol.asyncDispose]());

let files: string[] = [];
beforeEach(async () => {
  for (const file of files) await rm(file, { force: true });
  files = [];
});

/** A file in the data directory that the next test does not find any more. */
async function addFile(name: string, content: string | Buffer): Promise<string> {
  const file = join(postgres.dataDirectory, name);
  const { uid, gid } = systemUser();
  await writeFile(file, content);
  await chmod(file, 0o600);
  await chown(file, uid, gid);
  files.push(file);
  return file;
}

const large = (character: string) => Buffer.alloc(largeBytes, character);

async function take(bench: BackupBench, changes: Partial<BasebackupJob> = {}): Promise<BasebackupEntry> {
  return takeBasebackup(bench.job(postgres, { mode: 'delta', ...changes }), bench.deps, never);
}

async function manifestOf(bench: BackupBench, { name }: BasebackupEntry) {
  return new OriginalReader(bench.deps.catalog, keys.privateKey).manifest(name, await bench.directory(`manifest of ${name}`));
}

for (const encrypted of [false, true]) {
  test(`the original can restore it, with a tablespace and names like its own (${encrypted ? 'encrypted' : 'plain'})`, async () => {
    await using bench = await BackupBench.open();
    const source = await bench.directory('source of fast');
    await postgres.query(`CREATE TABLESPACE "fast, one" LOCATION '${source}'`);
    try {
      await postgres.query('CREATE TABLE quick TABLESPACE "fast, one" AS SELECT generate_series(1, 5000) AS i');
      await addFile('empty', '');
      await addFile('tiny', 'x'.repeat(150));
      await addFile('small "ö"', 'x'.repeat(151));
      await addFile('large', large('l'));
      const seal = { compression, ...(encrypted && { publicKey: keys.publicKey, encryptionKeyId: 'main' }) };
      const entry = await take(bench, { seal });
      assert.equal(entry.encryptionKeyId, encrypted ? 'main' : undefined);
      const checksums = await tableChecksums(postgres);
      const target = await bench.directory('target');
      const reader = new OriginalReader(bench.deps.catalog, keys.privateKey);
      await reader.restore(entry.name, target, await bench.directory('scratch'), { 'fast, one': await bench.directory('target of fast') });
      assert.equal((await stat(join(target, 'small "ö"'))).size, 151);
      assert.equal((await stat(join(target, 'large'))).size, largeBytes);
      await copyWal(postgres, target);
      await chmod(target, 0o700);
      await using recovered = await TestPostgres.startOn(target);
      assert.deepEqual(await tableChecksums(recovered), checksums);
    } finally {
      await postgres.query('DROP TABLE IF EXISTS quick');
      await postgres.query('DROP TABLESPACE "fast, one"');
    }
  });
}

test('metadata and manifest tell of sizes and places', async () => {
  await using bench = await BackupBench.open();
  await addFile('one', large('1'));
  await addFile('two', large('2'));
  await addFile('two again', large('2'));
  const entry = await take(bench, { delta: onlyLarge });
  const { manifest, chunks, attributes } = await manifestOf(bench, entry);
  const { state, hashes, total_size } = manifest.snapshot_result;
  const find = (path: string) => state.files.find(({ relative_path }) => relative_path === path);
  assert.equal(find('two')?.hexdigest, find('two again')?.hexdigest);
  assert.deepEqual(
    hashes.map(({ size }) => size),
    [largeBytes, largeBytes],
  );
  assert.equal(find('PG_VERSION')?.content_b64, 'MTUK');
  assert.deepEqual([find('PG_VERSION')?.missing_ok, find('base/1/1259')?.missing_ok], [false, true]);
  assert.equal(find('base/1/1259')?.should_be_bundled, true);
  assert.equal(find('global/pg_control'), undefined);
  assert.equal(state.empty_dirs[0], '.');
  assert.ok(state.empty_dirs.includes('base/1') && !state.empty_dirs.includes('pg_wal'));
  const { uid, gid } = systemUser();
  assert.deepEqual(attributes, { file: { mode: 0o600, uid, gid }, directory: { mode: 0o700, uid, gid } });
  assert.equal(
    total_size,
    state.files.reduce((sum, { file_size }) => sum + file_size, 0),
  );
  const storedOf = (path: string) => find(path)?.stored_file_size ?? 0;
  const stored = chunks.reduce((sum, chunk) => sum + chunk.result_size, 0) + storedOf('one') + storedOf('two') * 2;
  assert.deepEqual([entry.storedSize, manifest.upload_result.total_stored_size], [stored, stored]);
  assert.deepEqual([entry.plainSize, entry.format], [manifest.upload_result.total_size, 'pghoard-delta-v2']);
  const { metadata } = await bench.store.head(bench.deps.catalog.keys.deltaFile(find('one')?.hexdigest as string));
  const { 'Content-Length': length, ...rest } = metadata;
  assert.equal(length, String(storedOf('one')));
  assert.deepEqual(rest, {
    'compression-algorithm': 'snappy',
    format: 'pghoard-delta-v2',
    'original-file-size': String(largeBytes),
    host: 'bench',
  });
  const bundle = await bench.store.head(bench.deps.catalog.keys.deltaChunkFile(chunks[0]?.chunk_filename as string));
  assert.equal(bundle.metadata['format'], 'pghoard-bb-v2');
});

test('a second backup of the same files stores none of them again, and bundles stay below their limit', async () => {
  await using bench = await BackupBench.open();
  await take(bench, { delta: { fileBytesMin: 20_000, bundleBytesMax: 500_000 } });
  const earlier = await bench.storedKeys('site/basebackup_delta/');
  const { chunks } = await manifestOf(bench, await take(bench, { delta: { fileBytesMin: 20_000, bundleBytesMax: 500_000 } }));
  const added = (await bench.storedKeys('site/basebackup_delta/')).length - earlier.length;
  assert.ok(earlier.length > 50 && added < 10, `${earlier.length} files, then ${added} more`);
  assert.ok(chunks.length > 3 && chunks.every(({ input_size }) => input_size <= 520_000));
});

const sealings: readonly [title: string, first: SealChoice, second: (publicKey: string) => SealChoice, shared: boolean][] = [
  ['plain, then encrypted: not shared', { compression }, (publicKey) => ({ compression, publicKey, encryptionKeyId: 'new' }), false],
  [
    'encrypted, then plain, the key is still known: shared',
    { compression, encryptionKeyId: 'old' },
    () => ({ compression, knownKeyIds: ['old'] }),
    true,
  ],
  [
    'encrypted, then with a new key, the old one is known: shared',
    { compression, encryptionKeyId: 'old' },
    (publicKey) => ({ compression, publicKey, encryptionKeyId: 'new', knownKeyIds: ['old', 'new'] }),
    true,
  ],
  [
    'encrypted, then with a new key, the old one is gone: not shared',
    { compression, encryptionKeyId: 'old' },
    (publicKey) => ({ compression, publicKey, encryptionKeyId: 'new', knownKeyIds: ['new'] }),
    false,
  ],
  ['another codec: shared', { compression }, () => ({ compression: { algorithm: 'zstd', level: 3 } }), true],
];
for (const [title, first, second, shared] of sealings) {
  test(`the same content sealed otherwise: ${title}`, async () => {
    await using bench = await BackupBench.open();
    await addFile('large', large('x'));
    const delta = onlyLarge;
    await take(bench, { delta, seal: { ...first, ...(first.encryptionKeyId && { publicKey: keys.publicKey }) } });
    const [key, ...more] = await bench.storedKeys('site/basebackup_delta/');
    assert.deepEqual(more, []);
    const earlier = await bench.store.head(key as string);
    const { manifest } = await manifestOf(bench, await take(bench, { delta, seal: second(keys.publicKey) }));
    const entry = manifest.snapshot_result.state.files.find(({ relative_path }) => relative_path === 'large');
    assert.equal(entry?.should_be_bundled, !shared);
    assert.equal(entry?.stored_file_size, shared ? earlier.size : 0);
    assert.deepEqual(await bench.store.head(key as string), earlier, 'what earlier backups need is left as it is');
  });
}

test('what was sealed names the object where the file changed after it was hashed', async () => {
  const store = new FaultyStore(new MemoryStore());
  await using bench = await BackupBench.open(store);
  const file = await addFile('large', large('a'));
  const asked = Promise.withResolvers<void>();
  store.inject({ operation: 'head', key: /basebackup_delta\//, call: 1, how: 'wait', until: asked.promise });
  const taken = take(bench, { delta: onlyLarge });
  await waitFor(() => store.count('head', /basebackup_delta\//) > 0, { withinMs: 30_000, what: 'the file is hashed' });
  await writeFile(file, large('b').subarray(0, largeBytes - 5));
  asked.resolve();
  const { manifest } = await manifestOf(bench, await taken);
  const [{ hexdigest, file_size } = { hexdigest: '', file_size: 0 }] = manifest.snapshot_result.state.files.filter(
    (entry) => entry.hexdigest,
  );
  assert.equal(file_size, largeBytes - 5);
  const again = createHash('blake2s256').update(large('b').subarray(5)).digest('hex');
  assert.deepEqual([hexdigest, await bench.storedKeys('site/basebackup_delta/')], [again, [bench.deps.catalog.keys.deltaFile(again)]]);
});

test('of a backup that fails nothing stays but what others have', async () => {
  const store = new FaultyStore(new MemoryStore());
  await using bench = await BackupBench.open(store);
  await addFile('kept', large('k'));
  await take(bench, { delta: onlyLarge });
  const earlier = await bench.storedKeys();
  await addFile('new', large('n'));
  const denied = new OperatorError('store-denied', 'refused (injected)');
  for (const key of [/delta_chunk/, /delta_index/, /site\/basebackup\//]) {
    store.inject({ operation: 'put', key, how: 'refuse', error: denied });
    await assert.rejects(take(bench, { delta: onlyLarge }), denied, String(key));
    assert.deepEqual([await bench.storedKeys(), await bench.spooled()], [earlier, []], String(key));
    store.heal();
  }
  await take(bench, { delta: onlyLarge });
});

test('what a killed process had stored is cleared before the next backup, which shares the files that were stored already', async () => {
  await using bench = await BackupBench.open();
  await addFile('large', large('x'));
  const killed = await take(bench, { delta: onlyLarge });
  const { store, deps } = bench;
  await store.delete(killed.key);
  await mkdir(deps.spool.basebackupDirectory(killed.name));
  const [file] = (await bench.storedKeys('site/basebackup_delta/')) as [string];
  const { lastModified } = await store.head(file);
  const later = { ...deps, clock: { ...deps.clock, now: () => new Date('2031-01-01T00:00:00Z') } };
  const next = await takeBasebackup(bench.job(postgres, { mode: 'delta', delta: onlyLarge }), later, never);
  assert.notEqual(next.name, killed.name);
  assert.deepEqual(await bench.storedKeys('site/basebackup_delta/'), [file]);
  assert.deepEqual((await store.head(file)).lastModified, lastModified, 'it was not stored again');
  assert.deepEqual(await bench.storedKeys('site/basebackup_delta_index/'), [deps.catalog.keys.deltaIndex(next.name)]);
  const bundles = await bench.storedKeys('site/basebackup_delta_chunk/');
  assert.ok(bundles.length > 0 && bundles.every((key) => key.startsWith(deps.catalog.keys.deltaChunkPrefix(next.name))));
});

test('a shared file that is deleted meanwhile fails the backup instead of leaving it incomplete', async () => {
  const store = new FaultyStore(new MemoryStore());
  await using bench = await BackupBench.open(store);
  await addFile('shared', large('s'));
  const first = await take(bench, { delta: onlyLarge });
  const [file] = (await bench.storedKeys('site/basebackup_delta/')) as [string];
  const deleted = Promise.withResolvers<void>();
  store.inject({ operation: 'put', key: /delta_index/, how: 'wait', until: deleted.promise });
  const taken = take(bench, { delta: onlyLarge });
  const failure = assert.rejects(taken, { code: 'delta-file-missing', retryable: true });
  await waitFor(() => store.count('put', /delta_index/) === 2, { withinMs: 30_000, what: 'the index is stored' });
  await store.delete(file);
  deleted.resolve();
  await failure;
  assert.deepEqual(
    (await bench.deps.catalog.basebackups()).entries.map(({ name }) => name),
    [first.name],
  );
});

test('local-tar-delta-stats notes the hashes under which delta would have stored files', async () => {
  await using bench = await BackupBench.open();
  await addFile('one', large('1'));
  await addFile('one again', large('1'));
  const entry = await take(bench, { mode: 'local-tar-delta-stats', delta: onlyLarge });
  assert.equal(entry.format, 'pghoard-bb-v2');
  const [member] = await openStoredArchive(bench.store, entry.key);
  const manifest = JSON.parse(member?.content.toString() ?? '') as { delta_stats: { hashes: Record<string, number> }; chunks: object[] };
  assert.ok(manifest.chunks.length > 3);
  assert.deepEqual(Object.values(manifest.delta_stats.hashes), [largeBytes]);
  await take(bench, { delta: onlyLarge });
  const stored = await bench.storedKeys('site/basebackup_delta/');
  assert.deepEqual(
    stored,
    Object.keys(manifest.delta_stats.hashes).map((digest) => bench.deps.catalog.keys.deltaFile(digest)),
  );
  assert.deepEqual(await bench.spooled(), []);
  assert.ok((await readdir(postgres.dataDirectory)).includes('one'));
});
