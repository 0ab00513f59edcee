import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManifestWriter, manifestOfSingleObject } from './manifest.ts';

const head = { pgdata: '/data', pghoardVersion: '3.0.0', tablespaces: [{ name: 'fast "ö"', oid: 16390, path: '/fast' }] };
const span = {
  host: 'db1',
  startTime: new Date('2026-11-22T23:51:51Z'),
  startWalSegment: '000000010000000000000003',
  endTime: new Date('2026-11-22T23:51:53.196Z'),
  endWalSegment: '000000010000000000000004',
};

async function written(
  t: { after(work: () => Promise<void>): void },
  write: (manifest: ManifestWriter) => Promise<void>,
): Promise<unknown> {
  const directory = await mkdtemp(join(tmpdir(), 'pghoard-manifest-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'manifest.json');
  await using manifest = await ManifestWriter.create(path);
  await write(manifest);
  return JSON.parse(await readFile(path, 'utf8'));
}

test('the manifest has the fields that readers know, with exact sizes', async (t) => {
  const manifest = await written(t, async (writer) => {
    const first = writer.addChunk({
      chunkFilename: 'b/b.00000002.pghoard',
      inputBytes: 10_240,
      storedBytes: 77,
      storedSha256: 'aa',
      files: ['pgdata/base', 'pgdata/base/"5"'],
    });
    const second = writer.addChunk({
      chunkFilename: 'b/b.00000001.pghoard',
      inputBytes: 20_480,
      storedBytes: 99,
      storedSha256: 'bb',
      files: [],
    });
    await Promise.all([first, second]);
    assert.deepEqual(writer.totals, { chunks: 2, inputBytes: 30_720, storedBytes: 176 });
    await writer.finish(head, span);
  });
  assert.deepEqual(manifest, {
    backup_end_time: '2026-11-22T23:51:53.196Z',
    backup_end_wal_segment: '000000010000000000000004',
    backup_start_time: '2026-11-22T23:51:51.000Z',
    backup_start_wal_segment: '000000010000000000000003',
    pgdata: '/data',
    pghoard_object: 'basebackup',
    pghoard_version: '3.0.0',
    tablespaces: { 'fast "ö"': { path: '/fast', oid: 16390 } },
    host: 'db1',
    chunks: [
      {
        chunk_filename: 'b/b.00000002.pghoard',
        input_size: 10_240,
        result_size: 77,
        result_sha256: 'aa',
        files: ['pgdata/base', 'pgdata/base/"5"'],
      },
      { chunk_filename: 'b/b.00000001.pghoard', input_size: 20_480, result_size: 99, result_sha256: 'bb', files: [] },
    ],
  });
});

test('without chunks and tablespaces it is a manifest too', async (t) => {
  const manifest = (await written(t, (writer) => writer.finish({ ...head, tablespaces: [] }, span))) as Record<string, unknown>;
  assert.deepEqual(manifest['chunks'], []);
  assert.deepEqual(manifest['tablespaces'], {});
});

test('a tablespace may have the name of a property that every object has', () => {
  const { tablespaces } = JSON.parse(manifestOfSingleObject({ ...head, tablespaces: [{ name: '__proto__', oid: 1, path: '/x' }] })) as {
    tablespaces: object;
  };
  assert.deepEqual(Object.entries(tablespaces), [['__proto__', { path: '/x', oid: 1 }]]);
});

test('the manifest of a single object names pgdata and tablespaces', () => {
  assert.deepEqual(JSON.parse(manifestOfSingleObject(head)), {
    pgdata: '/data',
    pghoard_object: 'basebackup',
    pghoard_version: '3.0.0',
    tablespaces: { 'fast "ö"': { path: '/fast', oid: 16390 } },
  });
});
