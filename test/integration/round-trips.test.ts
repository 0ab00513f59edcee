import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { CompressionAlgorithm } from '../../src/codec/codec-options.ts';
import { createKeyPair } from '../../src/codec/keys.ts';
import { CodecPool } from '../../src/codec/pool.ts';
import { runProgram } from '../../src/lib/subprocess.ts';
import { openStore } from '../../src/storage/drivers.ts';
import type { StorageOptions } from '../../src/storage/options.ts';
import { encodeTarHeader, type TarMember, tarEnd, tarPaddingOf } from '../../src/tar/header.ts';
import { TarReader } from '../../src/tar/reader.ts';
import { BackupBench } from '../support/backup-bench.ts';
import { MadeUpCluster, type StoredFormat, tablespaceVersionDirectory } from '../support/made-up-cluster.ts';
import { describeTree, RandomTree } from '../support/random-tree.ts';
import { makeRestoreBench } from '../support/restore-bench.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';

const random = new SeededRandom();
const tablespace = 'fast "ö", one';
/** What a restore writes itself, or with attributes of its own. */
const ofTheRestore = ['backup_label', 'global/pg_control', 'pg_tblspc/16384', 'postgresql.auto.conf', 'recovery.signal'];
const pool = new CodecPool(2);
let keys: { publicKey: string; privateKey: string };

before(async () => {
  keys = await createKeyPair(2048);
});
after(() => pool.close());

interface Trip {
  readonly format: StoredFormat;
  readonly algorithm: CompressionAlgorithm;
  readonly encrypted: boolean;
}

/** Backs a cluster up that `plant` has filled, restores it, and compares. Returns the keys of the store. */
async function roundTrip(t: TestContext, trip: Trip, plant: (cluster: MadeUpCluster) => void): Promise<string[]> {
  t.diagnostic(`PGHOARD_TEST_SEED=${random.seed}`);
  const { format, algorithm, encrypted } = trip;
  await using restoring = await makeRestoreBench(pool);
  const storage = { storage_type: 'local', directory: join(restoring.directory, 'bucket') } as StorageOptions;
  await using bench = await BackupBench.open(await openStore(storage));
  const cluster = await MadeUpCluster.create(await bench.directory('source'), format === 'raw' ? [] : [tablespace]);
  plant(cluster);
  const encryption = encrypted && { publicKey: keys.publicKey, encryptionKeyId: 'main' };
  const seal = { compression: { algorithm, level: 0 }, ...encryption };
  await cluster.backUp(bench, '2026-11-22_10-00_0', format, { seal, chunkBytesMax: 1024 * 1024 });

  const restoredTablespace = join(restoring.directory, 'restored tablespace');
  await mkdir(restoredTablespace, { mode: 0o700 });
  const source = { site: 'site', catalog: bench.deps.catalog, storage, privateKeys: { main: keys.privateKey } };
  const directories = new Map(cluster.tablespaces.map(({ name }) => [name, restoredTablespace]));
  await restoring.restore({ tablespaces: { directories } }, { sources: [source] });

  const withSeed = `seed ${random.seed}`;
  assert.deepEqual(restoring.warnings, [], withSeed);
  assert.deepEqual(treeOf(restoring.target), treeOf(cluster.dataDirectory), withSeed);
  for (const { path } of cluster.tablespaces) assert.deepEqual(describeTree(restoredTablespace), describeTree(path), withSeed);
  return await bench.storedKeys();
}

function treeOf(dataDirectory: string): Record<string, string> {
  const tree = describeTree(dataDirectory);
  for (const path of ofTheRestore) delete tree[path];
  return tree;
}

/** Also where names are like those that archives use for their own purposes. */
function plantEverywhere({ dataDirectory, tablespaces }: MadeUpCluster): void {
  const trees = new RandomTree(random);
  trees.plant(join(dataDirectory, 'tree'));
  trees.plant(join(dataDirectory, 'pgdata'), { files: 0, sizes: [] });
  mkdirSync(join(dataDirectory, 'tablespaces'), { mode: 0o700 });
  writeFileSync(join(dataDirectory, 'tablespaces', tablespace), 'a file', { mode: 0o600 });
  for (const { path } of tablespaces) trees.plant(join(path, tablespaceVersionDirectory, 'tree'), { files: 5, sizes: [0, 65_536] });
}

for (const format of ['pghoard-bb-v1', 'pghoard-bb-v2', 'pghoard-delta-v2', 'raw'] as const) {
  for (const algorithm of ['snappy', 'lzma', 'zstd'] as const) {
    for (const encrypted of [false, true]) {
      test(`any tree comes back: ${format}, ${algorithm}, ${encrypted ? 'encrypted' : 'plain'}`, async (t) => {
        const stored = await roundTrip(t, { format, algorithm, encrypted }, plantEverywhere);
        const counts = Object.groupBy(stored, (key) => key.split('/')[1] as string);
        const { basebackup, basebackup_chunk: chunks, basebackup_delta: files, basebackup_delta_chunk: bundles } = counts;
        assert.equal(basebackup?.length, 1);
        if (format === 'pghoard-bb-v2') assert.ok(chunks && chunks.length > 1, `${chunks?.length} chunks`);
        else if (format === 'pghoard-delta-v2') assert.ok(files && bundles);
        else assert.deepEqual(Object.keys(counts), ['basebackup', 'preservation_request']);
      });
    }
  }
}

for (const [format, files] of [
  ['pghoard-bb-v2', 10_000],
  ['pghoard-delta-v2', 1300],
] as const) {
  test(`${files} small files come back: ${format}`, async (t) => {
    await roundTrip(t, { format, algorithm: 'zstd', encrypted: true }, ({ dataDirectory }) =>
      new RandomTree(random).plantMany(join(dataDirectory, 'many'), files),
    );
  });
}

const huge: TarMember = {
  path: 'pgdata/base/1/huge',
  type: 'file',
  size: 2 ** 33 + 513,
  mode: 0o600,
  uid: 7,
  gid: 7,
  mtime: 1_700_000_000,
};
const next: TarMember = { ...huge, path: 'pgdata/base/1/next', size: 0 };

test('a member of more than 8 GiB, the largest size that a ustar header holds, ends where it should', async () => {
  const seen: [member: TarMember, bytes: number][] = [];
  let bytes = 0;
  const reader = new TarReader({
    member: (member) => void seen.push([member, 0]),
    data: (piece) => void (bytes += piece.length),
    end: () => {
      (seen.at(-1) as [TarMember, number])[1] = bytes;
      bytes = 0;
    },
  });
  await reader.update(encodeTarHeader(huge));
  const piece = Buffer.alloc(64 * 1024 * 1024);
  let left = huge.size + tarPaddingOf(huge.size);
  for (; left > 0; left -= Math.min(left, piece.length)) await reader.update(piece.subarray(0, left));
  await reader.update(Buffer.concat([encodeTarHeader(next), tarEnd(0)]));
  reader.finish();
  assert.deepEqual(seen, [
    [huge, huge.size],
    [next, 0],
  ]);
});

test('GNU tar finds what follows a member of more than 8 GiB', async () => {
  await using scratch = await makeTemporaryDirectory();
  const path = join(scratch.path, 'huge.tar');
  const header = encodeTarHeader(huge);
  const behind = header.length + huge.size + tarPaddingOf(huge.size);
  // The data are a hole, which tar skips.
  await using file = await open(path, 'wx');
  await file.write(header, 0, undefined, 0);
  await file.write(Buffer.concat([encodeTarHeader(next), tarEnd(behind + 512)]), 0, undefined, behind);
  const { code, stdout, stderr } = await runProgram('tar', ['--list', '--verbose', '--numeric-owner', '-f', path]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^-rw------- 7\/7 +8589935105 \S+ \S+ pgdata\/base\/1\/huge\n-rw------- 7\/7 +0 \S+ \S+ pgdata\/base\/1\/next\n$/);
});
