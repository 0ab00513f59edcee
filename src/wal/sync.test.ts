import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { makeHistory, makeWalSegment, mebibyte, testSystemIdentifier } from '../../test/support/wal-segment.ts';
import { OperatorError } from '../lib/errors.ts';
import { TimelineLine } from '../postgres/timeline-line.ts';
import { findMissingWal, syncWal, type WalArchive } from './sync.ts';
import type { SyncCluster } from './sync-cluster.ts';
import type { ArchivedWal } from './sync-decision.ts';

const segment = (number: number) => `0000000100000000${number.toString(16).toUpperCase().padStart(8, '0')}`;
const sha1 = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex');
const right = (number: number): ArchivedWal => ({ hash: sha1(makeWalSegment(segment(number))), hashAlgorithm: 'sha1' });
const wrong: ArchivedWal = { hash: sha1(Buffer.from('other')), hashAlgorithm: 'sha1' };
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Remembers what it is asked. */
class RecordedArchive implements WalArchive {
  readonly asked: string[] = [];
  readonly offered: string[] = [];
  readonly files: Map<string, ArchivedWal>;
  readonly refused = new Map<string, OperatorError>();

  constructor(files: Iterable<[string, ArchivedWal]>) {
    this.files = new Map(files);
  }

  async archived(name: string): Promise<ArchivedWal | undefined> {
    this.asked.push(name);
    return this.files.get(name);
  }

  async archive(name: string): Promise<void> {
    this.offered.push(name);
    const refusal = this.refused.get(name);
    if (refusal) throw refusal;
    this.files.set(name, {});
  }
}

/** A server in the middle of segment `current` of the first timeline, with these files in its WAL directory. */
async function withCluster(local: readonly number[], current: number, work: (cluster: SyncCluster) => Promise<void>): Promise<void> {
  await using directory = await makeTemporaryDirectory();
  const names = local.map(segment);
  for (const name of names) await writeFile(join(directory.path, name), makeWalSegment(name));
  const position = BigInt(current * mebibyte + 256);
  await work({
    line: new TimelineLine({ timeline: 1, position, history: [], segmentBytes: mebibyte }),
    walDirectory: directory.path,
    names,
    unfinishedFrom: BigInt(current),
    facts: { systemIdentifier: testSystemIdentifier, segmentBytes: mebibyte },
  });
}

const depsFor = (archive: WalArchive) => ({ archive, signal: new AbortController().signal, say: () => {} });
const withRight = (numbers: readonly number[]) => numbers.map((number): [string, ArchivedWal] => [segment(number), right(number)]);

test('what is missing or different is archived in ascending order; hashes are checked up to the limit (worked example of the original)', async () => {
  await withCluster(range(1, 0x20), 0x1a, async (cluster) => {
    const archive = new RecordedArchive(withRight(range(1, 0x14)));
    for (const number of [0x1, 0xb, 0xd, 0xf, 0x11, 0x13]) archive.files.set(segment(number), wrong);
    for (const number of [0xf, 0x10]) archive.files.set(segment(number), {});
    const result = await syncWal(cluster, 1n, { hashChecksMax: 15 }, depsFor(archive));
    const expected = [0xb, 0xd, 0x10, 0x11, 0x13, ...range(0x15, 0x19)].map(segment);
    assert.deepEqual(archive.asked, range(1, 0x19).toReversed().map(segment));
    assert.deepEqual(archive.offered, expected);
    assert.deepEqual(result, { archived: expected, failures: [] });
  });
});

for (const [hashChecksMax, expected] of [
  [0, []],
  [1, [3]],
  [2, [2, 3]],
  [-1, [1, 2, 3]],
] as const) {
  test(`at most ${hashChecksMax} hash checks`, async () => {
    await withCluster([1, 2, 3], 4, async (cluster) => {
      const archive = new RecordedArchive([1, 2, 3].map((number) => [segment(number), wrong]));
      await syncWal(cluster, 0n, { hashChecksMax }, depsFor(archive));
      assert.deepEqual(archive.offered, expected.map(segment));
    });
  });
}

test('a digest of a kind that is not known here counts as none', async () => {
  await withCluster([1, 2], 3, async (cluster) => {
    const archive = new RecordedArchive([1, 2].map((number) => [segment(number), { hash: 'x', hashAlgorithm: undefined }]));
    await syncWal(cluster, 0n, { hashChecksMax: 100 }, depsFor(archive));
    assert.deepEqual(archive.offered, [segment(2)]);
  });
});

test('histories are archived where they are missing, and not compared', async () => {
  await withCluster([2], 3, async (cluster) => {
    const names = ['00000002.history', '00000003.history'];
    for (const name of names) await writeFile(join(cluster.walDirectory, name), makeHistory(name));
    const archive = new RecordedArchive([[names[0] as string, {}]]);
    await syncWal({ ...cluster, names: [...cluster.names, ...names] }, 0n, { hashChecksMax: 100 }, depsFor(archive));
    assert.deepEqual(archive.asked, [...names, segment(2)]);
    assert.deepEqual(archive.offered, [segment(2), '00000003.history']);
  });
});

test('what cannot be archived is told and does not keep the rest back', async () => {
  await withCluster([1, 2, 3], 4, async (cluster) => {
    const archive = new RecordedArchive([]);
    archive.refused.set(segment(2), new OperatorError('wal-conflict', 'other content'));
    const { archived, failures } = await syncWal(cluster, 0n, { hashChecksMax: 100 }, depsFor(archive));
    assert.deepEqual(archived, [segment(1), segment(3)]);
    assert.deepEqual(
      failures.map(({ name, error }) => [name, error.code]),
      [[segment(2), 'wal-conflict']],
    );
  });
});

test('a daemon that is gone ends it', async () => {
  await withCluster([1, 2], 3, async (cluster) => {
    const archive = new RecordedArchive([]);
    archive.refused.set(segment(1), new OperatorError('daemon-unreachable', 'gone'));
    await assert.rejects(syncWal(cluster, 0n, { hashChecksMax: 100 }, depsFor(archive)), { code: 'daemon-unreachable' });
    assert.deepEqual(archive.offered, [segment(1)]);
  });
});

test('a segment that the server recycles meanwhile is fine if it is archived, and a failure if it is not', async () => {
  await withCluster([1, 2, 3], 4, async (cluster) => {
    const archive = new RecordedArchive([[segment(3), right(3)]]);
    await rm(join(cluster.walDirectory, segment(3)));
    const gone = new OperatorError('wal-file-missing', 'recycled');
    archive.refused.set(segment(1), gone).set(segment(2), gone);
    const asked = archive.archived.bind(archive);
    archive.archived = async (name) => (name === segment(1) && archive.offered.includes(name) ? {} : asked(name));
    const { failures } = await syncWal(cluster, 0n, { hashChecksMax: 100 }, depsFor(archive));
    assert.deepEqual(
      failures.map(({ name }) => name),
      [segment(2)],
    );
  });
});

test('a local file that is not what its name says is told, not taken for a difference', async () => {
  await withCluster([1, 2], 3, async (cluster) => {
    await writeFile(join(cluster.walDirectory, segment(1)), makeWalSegment(segment(9)));
    const archive = new RecordedArchive(withRight([1, 2]));
    const { archived, failures } = await syncWal(cluster, 0n, { hashChecksMax: 100 }, depsFor(archive));
    assert.deepEqual(archived, []);
    assert.deepEqual(
      failures.map(({ name, error }) => [name, error.code]),
      [[segment(1), 'wal-invalid']],
    );
  });
});

test('verification asks for each segment once and names what is missing, oldest first', async () => {
  await withCluster([], 9, async (cluster) => {
    const archive = new RecordedArchive(withRight([3, 4, 6, 8]));
    assert.deepEqual(await findMissingWal(cluster, { timeline: 1, number: 3n }, depsFor(archive)), [segment(5), segment(7)]);
    assert.deepEqual(archive.asked, range(3, 8).toReversed().map(segment));
  });
});
