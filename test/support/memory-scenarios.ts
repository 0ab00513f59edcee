import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { formatWalName } from '../../src/postgres/wal-name.ts';
import { siteName, TestDaemon } from './daemon.ts';
import { startMadeUpArchive } from './made-up-archive.ts';
import { TestPostgres } from './postgres.ts';
import { TestGcs } from './services/gcs.ts';
import { TcpProxy } from './tcp-proxy.ts';
import { waitFor } from './wait-for.ts';
import { makeWalSegment, mebibyte } from './wal-segment.ts';

/** What the daemon with all its threads may hold at most, whatever it has to do. */
export const memoryCeilingBytes = 300 * mebibyte;

const archivedWithinMs = 900_000;

/** The most that the process ever held at once (`VmHWM`). */
export function peakBytesOf({ pid }: TestDaemon): number {
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  assert.ok(kibibytes, 'the daemon runs');
  return Number(kibibytes) * 1024;
}

/** Base backups of a cluster with so many files of 8 KiB, which take no room, file by file and as delta. */
export async function backUpManyFiles(directory: string, files: number, withinMs = 120_000): Promise<number> {
  await using postgres = await TestPostgres.start();
  const into = join(postgres.dataDirectory, 'base', '5');
  for (let number = 0; number < files; number++) makeSparseFile(join(into, String(20_000_000 + number)), 8192);
  const site = { basebackup_interval_hours: null };
  await using daemon = await TestDaemon.start({ directory, postgres, isInstalled: true, site });
  await daemon.basebackup(withinMs);
  await daemon.reconfigure({ site: { basebackup_mode: 'delta' } });
  await daemon.basebackup(withinMs);
  return peakBytesOf(daemon);
}

/** A WAL segment of this size is stored, encrypted, and fetched again. */
export async function passLargeSegment(directory: string, segmentBytes: number): Promise<number> {
  await using daemon = await startWithoutServer(directory, { storage_type: 'local', directory: join(directory, 'store') });
  const name = formatWalName({ timeline: 1, number: 7n }, segmentBytes);
  makeSparseFile(join(walDirectory(directory), name), segmentBytes, beginningOf(name, segmentBytes));
  await archive(daemon, name);
  const fetched = join(walDirectory(directory), 'RECOVERYXLOG');
  const { status } = await daemon.request('GET', `/${siteName}/archive/${name}`, { 'x-pghoard-target-path': fetched });
  assert.equal(status, 201, daemon.log.slice(-4000));
  assert.equal(statSync(fetched).size, segmentBytes);
  return peakBytesOf(daemon);
}

/** So many segments of 16 MiB that do not shrink go at once to a store that takes `bytesPerSecond`. */
export async function archiveToSlowStore(directory: string, segments: number, bytesPerSecond: number): Promise<number> {
  await using gcs = await TestGcs.start();
  await using proxy = await TcpProxy.to(gcs.port);
  await using daemon = await startWithoutServer(directory, {
    storage_type: 'google',
    project_id: 'test-project',
    bucket_name: 'slow',
    credentials: gcs.serviceAccount,
    api_endpoint: `http://127.0.0.1:${proxy.port}`,
  });
  const segmentBytes = 16 * mebibyte;
  const names = Array.from({ length: segments }, (_, number) => formatWalName({ timeline: 1, number: BigInt(number + 1) }, segmentBytes));
  const content = randomFillSync(Buffer.allocUnsafe(segmentBytes));
  for (const name of names) makeSparseFile(join(walDirectory(directory), name), segmentBytes, beginningOf(name, segmentBytes, content));
  const [first = '', ...others] = names;
  await archive(daemon, first);
  proxy.slowDown(bytesPerSecond);
  await Promise.all(others.map((name) => archive(daemon, name)));
  return peakBytesOf(daemon);
}

/** The daemon finds out what of a store with so many segments is missing. */
export async function listManySegments(directory: string, segments: number, withinMs = 120_000): Promise<number> {
  await using server = await startMadeUpArchive(siteName, segments);
  const store = { storage_type: 's3', bucket_name: 'b', host: '127.0.0.1', port: server.port, is_secure: false };
  await using daemon = await startWithoutServer(directory, { ...store, aws_access_key_id: 'k', aws_secret_access_key: 's' });
  const isListed = () => daemon.log.includes('listed the WAL that is stored');
  await waitFor(isListed, { withinMs, what: () => `everything is listed:\n${daemon.log.slice(-4000)}` });
  assert.ok(server.listed >= segments, `${server.listed} keys were listed`);
  return peakBytesOf(daemon);
}

/** Nobody answers as its server: what it knows it knows from the store. */
async function startWithoutServer(directory: string, store: Record<string, unknown>): Promise<TestDaemon> {
  mkdirSync(walDirectory(directory), { recursive: true });
  const site = {
    active: true,
    nodes: ['host=127.0.0.1 port=1'],
    basebackup_mode: 'basic',
    basebackup_interval_hours: null,
    pg_data_directory: join(directory, 'pgdata'),
    object_storage: store,
  };
  return TestDaemon.start({ directory, encrypted: true, isInstalled: true, site });
}

/** As PostgreSQL does it: a request that has waited for half a minute is made again. */
async function archive(daemon: TestDaemon, name: string): Promise<void> {
  const isStored = async () => (await daemon.request('PUT', `/${siteName}/archive/${name}`)).status === 201;
  await waitFor(isStored, { withinMs: archivedWithinMs, what: () => `${name} is archived:\n${daemon.log.slice(-4000)}` });
}

function walDirectory(directory: string): string {
  return join(directory, 'pgdata', 'pg_wal');
}

/** The first page header of the segment, over the beginning of `content`. */
function beginningOf(name: string, segmentBytes: number, content = Buffer.alloc(8192)): Buffer {
  const header = makeWalSegment(name, { segmentBytes }).subarray(0, 40);
  const bytes = Buffer.from(content);
  header.copy(bytes);
  return bytes;
}

function makeSparseFile(path: string, bytes: number, content?: Buffer): void {
  const fd = openSync(path, 'w', 0o600);
  if (content) writeSync(fd, content);
  ftruncateSync(fd, bytes);
  closeSync(fd);
}
