import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import type { CompressionAlgorithm } from '../../src/codec/codec-options.ts';
import { createKeyPair } from '../../src/codec/keys.ts';
import { type ProgramResult, runProgram } from '../../src/lib/subprocess.ts';
import { openStore } from '../../src/storage/drivers.ts';
import type { StorageOptions } from '../../src/storage/options.ts';
import { BackupBench } from '../support/backup-bench.ts';
import { MadeUpCluster, type StoredFormat, tablespaceVersionDirectory } from '../support/made-up-cluster.ts';
import { packageRoot } from '../support/package-root.ts';
import { describeTree, RandomTree } from '../support/random-tree.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const name = '2026-11-22_10-00_0';
const tablespace = 'fast one';
const random = new SeededRandom();
let keys: { publicKey: string; privateKey: string };
/** The files of the last section of docs/FORMAT.md, by name. */
let files: Map<string, string>;

before(async () => {
  keys = await createKeyPair(3072);
  const page = await readFile(join(packageRoot, 'docs/FORMAT.md'), 'utf8');
  const section = page.slice(page.indexOf('## 6. '));
  files = new Map([...section.matchAll(/```(?:sh|python)\n(# ([\w.-]+):[^]*?)```/g)].map(([, text = '', file = '']) => [file, text]));
  assert.deepEqual([...files.keys()], ['way-out.sh', 'unsnappy.py', 'manifest.py']);
});

interface StoredByUs extends AsyncDisposable {
  readonly cluster: MadeUpCluster;
  readonly bench: BackupBench;
  /** Of the site in the store. */
  readonly directory: string;
  /** Runs a line of bash where the files lie. */
  byHand(line: string): Promise<ProgramResult>;
}

/** A base backup of odd files, as our own code stores it, and the files of docs/FORMAT.md to undo it. */
async function storedByUs(format: StoredFormat, algorithm: CompressionAlgorithm, encrypted: boolean): Promise<StoredByUs> {
  const bench = await BackupBench.open();
  const bucket = await bench.directory('bucket');
  const store = await openStore({ storage_type: 'local', directory: bucket } as StorageOptions);
  const own = await BackupBench.open(store);
  const cluster = await MadeUpCluster.create(await bench.directory('source'), format === 'raw' ? [] : [tablespace]);
  const trees = new RandomTree(random);
  trees.plant(join(cluster.dataDirectory, 'tree'), { files: 20, sizes: [0, 1, 151, 512, 65_535, 65_537, 300_000, 1_048_577] });
  mkdirSync(join(cluster.dataDirectory, 'tablespaces'), { mode: 0o700 });
  writeFileSync(join(cluster.dataDirectory, 'tablespaces', 'file'), 'x'.repeat(1000), { mode: 0o600 });
  const sizes = [0, 100_000];
  for (const { path } of cluster.tablespaces) trees.plant(join(path, tablespaceVersionDirectory, 'tree'), { files: 3, sizes });
  const encryption = encrypted && { publicKey: keys.publicKey, encryptionKeyId: 'main' };
  await cluster.backUp(own, name, format, { seal: { compression: { algorithm, level: 0 }, ...encryption }, chunkBytesMax: 1_000_000 });
  const hand = await bench.directory('by hand');
  for (const [file, text] of files) await writeFile(join(hand, file), text);
  await writeFile(join(hand, 'private.pem'), keys.privateKey);
  return {
    cluster,
    bench: own,
    directory: join(bucket, 'site'),
    byHand: (line) => runProgram('bash', ['-c', `. ./way-out.sh\n${line}`], { cwd: hand }),
    [Symbol.asyncDispose]: async () => {
      await own[Symbol.asyncDispose]();
      await bench[Symbol.asyncDispose]();
    },
  };
}

/** Kept empty or made anew by a restore, or with attributes of our own in the archive. */
const notCompared = /^(backup_label|pg_wal(\/archive_status)?|global\/pg_control)$/;

function comparable(tree: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(tree).filter(([path]) => !notCompared.test(path)));
}

for (const [format, algorithm, encrypted] of [
  ['raw', 'snappy', false],
  ['raw', 'lzma', true],
  ['pghoard-bb-v1', 'snappy', true],
  ['pghoard-bb-v1', 'zstd', false],
  ['pghoard-bb-v2', 'snappy', true],
  ['pghoard-bb-v2', 'lzma', true],
  ['pghoard-bb-v2', 'zstd', true],
  ['pghoard-delta-v2', 'snappy', false],
  ['pghoard-delta-v2', 'zstd', true],
] as const) {
  test(`by hand, as docs/FORMAT.md says: ${format}, ${algorithm}, ${encrypted ? 'encrypted' : 'plain'}`, async (t) => {
    t.diagnostic(`PGHOARD_TEST_SEED=${random.seed}`);
    await using stored = await storedByUs(format, algorithm, encrypted);
    const target = join(await stored.bench.directory('restored'), 'by hand');
    const { code, stderr } = await stored.byHand(`restore '${stored.directory}' ${name} '${target}'`);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    const data = format === 'raw' ? target : join(target, 'pgdata');
    const { dataDirectory, tablespaces } = stored.cluster;
    assert.deepEqual(comparable(describeTree(data)), comparable(describeTree(dataDirectory)), `seed ${random.seed}`);
    assert.deepEqual(await readFile(join(data, 'global/pg_control')), await readFile(join(dataDirectory, 'global/pg_control')));
    assert.match(await readFile(join(data, 'backup_label'), 'utf8'), /^START WAL LOCATION/);
    for (const { path } of tablespaces) assert.deepEqual(describeTree(join(target, 'tablespaces', tablespace)), describeTree(path));
  });
}

test('damage is told by hand too', async () => {
  await using stored = await storedByUs('pghoard-bb-v2', 'snappy', true);
  const folder = join(stored.directory, 'basebackup_chunk', name);
  const object = join(folder, (await readdir(folder)).find((file) => !file.endsWith('.metadata')) ?? '');
  const whole = await stored.byHand(`plain '${object}' | tar -t`);
  assert.equal(whole.code, 0, whole.stderr);
  const bytes = await readFile(object);
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  await writeFile(object, bytes);
  const target = await stored.bench.directory('restored');
  const restored = await stored.byHand(`restore '${stored.directory}' ${name} '${target}'`);
  assert.notEqual(restored.code, 0, 'the hash in the manifest is another');
  assert.notEqual((await stored.byHand(`plain '${object}' > /dev/null`)).code, 0, 'the HMAC is another');
  await truncate(object, bytes.length - 1);
  assert.notEqual((await stored.byHand(`plain '${object}' > /dev/null`)).code, 0, 'the HMAC is not there');
});
