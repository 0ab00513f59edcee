import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { before, test } from 'node:test';
import type { CompressionAlgorithm } from '../../src/codec/codec-options.ts';
import { createKeyPair } from '../../src/codec/keys.ts';
import { BackupBench } from '../support/backup-bench.ts';
import { MadeUpCluster, type StoredFormat, tablespaceVersionDirectory } from '../support/made-up-cluster.ts';
import { decompressors, openContainer, openTar, type RawMember } from '../support/stored-bytes.ts';

const name = '2026-11-22_10-00_0';
const tablespace = 'fast "ö"';
const algorithms = ['snappy', 'lzma', 'zstd'] as const;
const longPath = `tree/${'d'.repeat(120)}/${'long '.repeat(40)}`;
const noise = createHash('shake256', { outputLength: 200_000 }).update('noise').digest();
let keys: { publicKey: string; privateKey: string };

before(async () => {
  keys = await createKeyPair(3072);
});

/** The objects of one base backup by their key below the site, taken apart to the plain bytes. */
async function storedObjects(format: StoredFormat, algorithm: CompressionAlgorithm): Promise<Map<string, Buffer>> {
  await using bench = await BackupBench.open();
  const cluster = await MadeUpCluster.create(await bench.directory('source'), format === 'raw' ? [] : [tablespace]);
  const { dataDirectory, tablespaces } = cluster;
  mkdirSync(join(dataDirectory, longPath, '..'), { recursive: true, mode: 0o700 });
  writeFileSync(join(dataDirectory, longPath), 'x'.repeat(400), { mode: 0o600 });
  writeFileSync(join(dataDirectory, 'tree/empty'), '', { mode: 0o600 });
  writeFileSync(join(dataDirectory, 'tree/noise'), noise, { mode: 0o600 });
  writeFileSync(join(dataDirectory, 'tree/private'), 'x'.repeat(400), { mode: 0o400 });
  symlinkSync('noise', join(dataDirectory, 'tree/link'));
  for (const { path } of tablespaces) writeFileSync(join(path, tablespaceVersionDirectory, '16400'), 'y'.repeat(8192), { mode: 0o600 });
  const seal = { compression: { algorithm, level: 0 }, publicKey: keys.publicKey, encryptionKeyId: 'main' };
  await cluster.backUp(bench, name, format, { seal, chunkBytesMax: 100_000 });

  const objects = new Map<string, Buffer>();
  for (const key of await bench.storedKeys('site/')) {
    const { entry, bytes } = await bench.store.get(key);
    const stored = await buffer(bytes);
    assert.equal(entry.metadata['Content-Length'], String(stored.length), key);
    if (key.startsWith('site/basebackup_delta_index/')) {
      objects.set(key.slice('site/'.length), stored);
      continue;
    }
    assert.equal(entry.metadata['compression-algorithm'], algorithm);
    assert.equal(entry.metadata['encryption-key-id'], 'main');
    const plain = decompressors[algorithm](openContainer(stored, keys.privateKey, 384));
    assert.equal(entry.metadata['original-file-size'], String(plain.length), key);
    objects.set(key.slice('site/'.length), plain);
    sizes.set(plain, { stored: stored.length, sha256: createHash('sha256').update(stored).digest('hex') });
  }
  return objects;
}

/** Of the stored bytes, by the plain ones. */
const sizes = new WeakMap<Buffer, { stored: number; sha256: string }>();

function pathsOf(members: readonly RawMember[]): string[] {
  return members.map(({ path }) => path);
}

function take(objects: Map<string, Buffer>, key: string): Buffer {
  const bytes = objects.get(key);
  assert.ok(bytes, `${key} is not among ${[...objects.keys()].join(', ')}`);
  return bytes;
}

const headKeys = ['pgdata', 'pghoard_object', 'pghoard_version', 'tablespaces'];
const spanKeys = ['backup_end_time', 'backup_end_wal_segment', 'backup_start_time', 'backup_start_wal_segment', 'host'];
const isoZ = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

interface ManifestJson {
  readonly backup_start_time: string;
  readonly backup_end_time: string;
  readonly tablespaces: object;
  readonly chunks: readonly { chunk_filename: string; input_size: number; result_size: number; result_sha256: string; files: string[] }[];
}

/** The control archive: the members in their order, and the manifest. */
function checkControl(bytes: Buffer, moreKeys: readonly string[]): ManifestJson {
  const members = openTar(bytes);
  const [first, ...rest] = members;
  assert.equal(first?.path, '.pghoard_tar_metadata.json');
  assert.deepEqual(pathsOf(rest.slice(0, 2)), ['pgdata/global/pg_control', 'pgdata/backup_label']);
  assert.deepEqual(pathsOf(rest.slice(2)), ['pgdata/pg_wal/', 'pgdata/pg_wal/archive_status/']);
  assert.ok(rest.slice(2).every(({ type, mode }) => type === '5' && mode === 0o700));
  const manifest = JSON.parse(first.data.toString('utf8')) as ManifestJson;
  assert.deepEqual(Object.keys(manifest).toSorted(), [...headKeys, ...spanKeys, 'chunks', ...moreKeys].toSorted());
  assert.match(manifest.backup_start_time, isoZ);
  assert.match(manifest.backup_end_time, isoZ);
  assert.deepEqual(Object.keys(manifest.tablespaces), [tablespace]);
  return manifest;
}

/** Every chunk is what the manifest says of it. Returns the members of all. */
function checkChunks(objects: Map<string, Buffer>, folder: string, { chunks }: ManifestJson): RawMember[] {
  const names = chunks.map(({ chunk_filename }) => chunk_filename).toSorted();
  assert.deepEqual(
    names,
    names.map((_, i) => `${name}/${name}.${String(i + 1).padStart(8, '0')}.pghoard`),
  );
  assert.deepEqual(
    [...objects.keys()].filter((key) => key.startsWith(folder)).toSorted(),
    names.map((file) => folder + file),
  );
  return chunks.flatMap((chunk) => {
    assert.deepEqual(Object.keys(chunk).toSorted(), ['chunk_filename', 'files', 'input_size', 'result_sha256', 'result_size']);
    const plain = take(objects, folder + chunk.chunk_filename);
    const members = openTar(plain);
    assert.equal(chunk.input_size, plain.length);
    assert.deepEqual({ stored: chunk.result_size, sha256: chunk.result_sha256 }, sizes.get(plain));
    const listed = chunk.files;
    assert.ok(listed.every((file) => pathsOf(members).some((path) => path === file || path === `${file}/`)));
    return members;
  });
}

function checkContents(members: readonly RawMember[], prefix: string): void {
  const find = (path: string) => members.find((member) => member.path === path) ?? assert.fail(`no member ${path}`);
  assert.deepEqual(find(`${prefix}tree/noise`).data, noise);
  assert.equal(find(`${prefix}tree/empty`).data.length, 0);
  assert.equal(find(`${prefix}tree/link`).type, '2');
  assert.equal(find(`${prefix}tree/private`).mode, 0o400);
  assert.equal(find(`${prefix}${longPath}`).data.toString(), 'x'.repeat(400));
}

for (const algorithm of algorithms) {
  test(`pghoard-bb-v2, ${algorithm}: every byte is as the format has it`, async () => {
    const objects = await storedObjects('pghoard-bb-v2', algorithm);
    const manifest = checkControl(take(objects, `basebackup/${name}.00000000.pghoard`), []);
    assert.ok(manifest.chunks.length > 1);
    const members = checkChunks(objects, 'basebackup_chunk/', manifest);
    assert.equal(objects.size, 1 + manifest.chunks.length);
    checkContents(members, 'pgdata/');
    assert.ok(pathsOf(members).includes(`tablespaces/${tablespace}/`));
    assert.ok(pathsOf(members).includes(`tablespaces/${tablespace}/${tablespaceVersionDirectory}/16400`));
    assert.ok(!pathsOf(members).some((path) => /pg_control|backup_label|pg_tblspc\/./.test(path)));
  });

  test(`pghoard-bb-v1, ${algorithm}: every byte is as the format has it`, async () => {
    const objects = await storedObjects('pghoard-bb-v1', algorithm);
    assert.deepEqual([...objects.keys()], [`basebackup/${name}`]);
    const members = openTar(take(objects, `basebackup/${name}`));
    const manifest = JSON.parse(members[0]?.data.toString('utf8') ?? '') as ManifestJson;
    assert.deepEqual(Object.keys(manifest).toSorted(), headKeys);
    assert.deepEqual(pathsOf(members.slice(0, 3)), ['.pghoard_tar_metadata.json', 'pgdata/pg_wal/', 'pgdata/pg_wal/archive_status/']);
    assert.deepEqual(pathsOf(members.slice(-2)), ['pgdata/global/pg_control', 'pgdata/backup_label']);
    checkContents(members, 'pgdata/');
    const top = pathsOf(members).indexOf(`tablespaces/${tablespace}/`);
    assert.ok(top > 0);
    assert.deepEqual(pathsOf(members.slice(top + 1, -2)), [
      `tablespaces/${tablespace}/${tablespaceVersionDirectory}/`,
      `tablespaces/${tablespace}/${tablespaceVersionDirectory}/16400`,
    ]);
  });

  test(`pghoard-delta-v2, ${algorithm}: every byte is as the format has it`, async () => {
    const objects = await storedObjects('pghoard-delta-v2', algorithm);
    const manifest = checkControl(take(objects, `basebackup/${name}.00000000.pghoard`), ['attributes', 'manifest']);
    const bundled = pathsOf(checkChunks(objects, 'basebackup_delta_chunk/', manifest));
    const hash = createHash('blake2s256').update(noise).digest('hex');
    assert.deepEqual(take(objects, `basebackup_delta/${hash}`), noise);
    assert.equal(take(objects, `basebackup_delta_index/${name}`).toString(), `${hash}\n`);
    assert.equal(objects.size, 3 + manifest.chunks.length);
    // Below the data directory, without pgdata/; tablespaces with their names.
    for (const path of ['tree/private', 'tree/link', longPath, `tablespaces/${tablespace}/${tablespaceVersionDirectory}/16400`]) {
      assert.ok(bundled.includes(path), path);
    }
    for (const path of ['tree/empty', 'tree/noise', 'PG_VERSION']) assert.ok(!bundled.includes(path), path);
  });

  test(`a tar of pg_basebackup, ${algorithm}: stored as it is, without another byte`, async () => {
    const objects = await storedObjects('raw', algorithm);
    assert.deepEqual([...objects.keys()], [`basebackup/${name}`]);
    const members = openTar(take(objects, `basebackup/${name}`));
    assert.equal(members[0]?.path, 'backup_label');
    checkContents(members, '');
  });
}
