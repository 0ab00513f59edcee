import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '../storage/object-store.ts';
import { chunkMetadata, describeBasebackup, parseBasebackupEntry } from './basebackup-entry.ts';
import { parseWalMetadata, walMetadata } from './wal-entry.ts';

/** Metadata as the original wrote it, one per version and mode. */
const fixtures = {
  pipe: '{"compression-algorithm": "snappy", "host": "vm", "start-wal-segment": "000000010000000000000003", "start-time": "2026-11-22T23:39:52+00:00", "original-file-size": "8696320", "pg-version": "150020", "active-backup-mode": "archive_command", "basebackup-mode": "pipe", "backup-decision-time": "2026-11-22T23:39:50.793748+00:00", "backup-reason": "scheduled", "site": "site_a", "Content-Length": "1930287"}',
  basic:
    '{"backup-decision-time": "2026-11-22T23:41:04.521515+00:00", "backup-reason": "scheduled", "site": "site_b", "start-time": "2026-11-22T23:41:06+00:00", "start-wal-segment": "000000010000000000000003", "active-backup-mode": "pg_receivexlog", "basebackup-mode": "basic", "pg-version": "150020", "compression-algorithm": "lzma", "compression-level": "0", "original-file-size": "8642048", "host": "vm", "encryption-key-id": "key-main-b", "Content-Length": "800960"}',
  localTar:
    '{"compression-algorithm": "zstd", "encryption-key-id": "key-main-c", "format": "pghoard-bb-v2", "original-file-size": "40960", "host": "vm", "backup-decision-time": "2026-11-22T23:42:54.446348+00:00", "backup-reason": "scheduled", "site": "site_c", "end-time": "2026-11-22 23:42:56.883472+00:00", "end-wal-segment": "000000010000000000000003", "pg-version": "150020", "active-backup-mode": "archive_command", "basebackup-mode": "local-tar", "start-time": "2026-11-22T23:42:54+00:00", "start-wal-segment": "000000010000000000000003", "total-size-plain": "9605120", "total-size-enc": "1127538", "Content-Length": "2915"}',
  delta:
    '{"compression-algorithm": "snappy", "format": "pghoard-delta-v2", "original-file-size": "112640", "host": "vm", "backup-decision-time": "2026-11-22T23:44:26.007939+00:00", "backup-reason": "scheduled", "site": "site_d", "end-time": "2026-11-22 23:44:28.897935+00:00", "end-wal-segment": "000000010000000000000003", "pg-version": "150020", "active-backup-mode": "archive_command", "basebackup-mode": "delta", "start-time": "2026-11-22T23:44:26+00:00", "start-wal-segment": "000000010000000000000003", "total-size-plain": "9083850", "total-size-enc": "1997968", "Content-Length": "14607"}',
  pipe14:
    '{"compression-algorithm": "snappy", "encryption-key-id": "key14-main-g", "start-time": "2026-11-23T00:10:32.028840+00:00", "start-wal-segment": "000000010000000000000002", "original-file-size": "8642048", "pg-version": "150020"}',
  localTar14:
    '{"compression-algorithm": "lzma", "format": "pghoard-bb-v1", "original-file-size": "9594880", "pg-version": "150020", "start-time": "2026-11-23T00:12:16+00:00", "start-wal-segment": "000000010000000000000003", "tablespace-name-16386": "ts_old", "tablespace-path-16386": "/var/tmp/pghoard-fixture/tblspc_src"}',
};

const lastModified = new Date('2026-11-23T01:00:00Z');

function metadataOf(name: keyof typeof fixtures): Metadata {
  return JSON.parse(fixtures[name]) as Metadata;
}

function entryOf(metadata: Metadata, key = 'site/basebackup/2026-11-22_23-39_0', size = 1000) {
  return { key, size, lastModified, metadata };
}

test('a pipe backup', () => {
  const metadata = metadataOf('pipe');
  const { metadata: normal, ...entry } = parseBasebackupEntry(entryOf(metadata));
  assert.deepEqual(entry, {
    key: 'site/basebackup/2026-11-22_23-39_0',
    name: '2026-11-22_23-39_0',
    size: 1000,
    lastModified,
    startTime: new Date('2026-11-22T23:39:52Z'),
    startWalSegment: '000000010000000000000003',
    storedSize: 1000,
    pgVersion: 150_020,
    plainSize: 8_696_320,
    compression: 'snappy',
  });
  assert.equal(normal['content-length'], '1930287');
});

test('a chunked backup: sizes are those of all chunks, the name is without suffix', () => {
  const entry = parseBasebackupEntry(entryOf(metadataOf('localTar'), 'p/basebackup/2026-11-22_23-42_0.00000000.pghoard', 2915));
  assert.equal(entry.name, '2026-11-22_23-42_0');
  assert.deepEqual([entry.size, entry.storedSize, entry.plainSize], [2915, 1_127_538, 9_605_120]);
  assert.equal(entry.endTime?.toISOString(), '2026-11-22T23:42:56.883Z');
  assert.equal(entry.endWalSegment, '000000010000000000000003');
  assert.deepEqual([entry.format, entry.encryptionKeyId, entry.compression], ['pghoard-bb-v2', 'key-main-c', 'zstd']);
});

test('backups of 1.4.0', () => {
  const pipe = parseBasebackupEntry(entryOf(metadataOf('pipe14'), 'p/basebackup/2026-11-23_0'));
  assert.equal(pipe.startTime.toISOString(), '2026-11-23T00:10:32.028Z');
  assert.equal('format' in pipe, false);
  assert.equal('endTime' in pipe, false);
  const localTar = parseBasebackupEntry(entryOf(metadataOf('localTar14')));
  assert.equal(localTar.format, 'pghoard-bb-v1');
  assert.equal(localTar.metadata['tablespace-path-16386'], '/var/tmp/pghoard-fixture/tblspc_src');
});

test('every fixture reads the same through gateways that change the names of metadata', () => {
  for (const name of Object.keys(fixtures) as (keyof typeof fixtures)[]) {
    const metadata = metadataOf(name);
    const plain = parseBasebackupEntry(entryOf(metadata));
    for (const change of [(key: string) => key.toUpperCase(), (key: string) => key.replaceAll('-', '_')]) {
      const changed = Object.fromEntries(Object.entries(metadata).map(([key, value]) => [change(key), value]));
      assert.deepEqual(parseBasebackupEntry(entryOf(changed)), plain, name);
    }
  }
});

const unreadable: readonly (readonly [string, Metadata, RegExp])[] = [
  ['no metadata', {}, /no start-time/],
  ['no start-time', { 'start-wal-segment': '000000010000000000000003' }, /no start-time/],
  ['no start-wal-segment', { 'start-time': '2026-11-22T23:39:52+00:00' }, /no start-wal-segment/],
  ['a start-time that is none', { 'start-time': 'soon', 'start-wal-segment': '000000010000000000000003' }, /soon/],
  ['a segment that is none', { 'start-time': '2026-11-22T23:39:52+00:00', 'start-wal-segment': '../../etc/passwd' }, /passwd/],
  ['an unknown compression', { ...metadataOf('pipe14'), 'compression-algorithm': 'rot13' }, /compression/],
];

for (const [what, metadata, message] of unreadable) {
  test(`${what} is basebackup-unreadable and names the object`, () => {
    assert.throws(() => parseBasebackupEntry(entryOf(metadata, 'p/basebackup/junk')), { code: 'basebackup-unreadable', message });
    assert.throws(() => parseBasebackupEntry(entryOf(metadata, 'p/basebackup/junk')), /p\/basebackup\/junk/);
  });
}

test('optional fields that make no sense count as absent', () => {
  const odd = {
    ...metadataOf('pipe14'),
    'pg-version': 'None',
    'end-time': 'None',
    'end-wal-segment': 'None',
    'total-size-enc': '-1',
    format: '',
  };
  const entry = parseBasebackupEntry(entryOf(odd));
  assert.deepEqual(
    [entry.pgVersion, entry.endTime, entry.endWalSegment, entry.format, entry.storedSize],
    [undefined, undefined, undefined, undefined, 1000],
  );
});

test('what we write for a chunked backup is what the original writes', () => {
  const description = {
    startTime: new Date('2026-11-22T23:42:54Z'),
    startWalSegment: '000000010000000000000003',
    endTime: new Date('2026-11-22T23:42:56.883Z'),
    endWalSegment: '000000010000000000000003',
    compression: 'zstd',
    encryptionKeyId: 'key-main-c',
    format: 'pghoard-bb-v2',
    plainBytes: 40_960,
    storedBytes: 2915,
    totals: { plainBytes: 9_605_120, storedBytes: 1_127_538 },
    pgVersion: 150_020,
    host: 'vm',
    site: 'site_c',
    activeBackupMode: 'archive_command',
    basebackupMode: 'local-tar',
    decisionTime: new Date('2026-11-22T23:42:54.446Z'),
    reason: 'scheduled',
  } as const;
  const expected = {
    ...metadataOf('localTar'),
    'backup-decision-time': '2026-11-22T23:42:54.446000+00:00',
    'end-time': '2026-11-22T23:42:56.883000+00:00',
  };
  assert.deepEqual(describeBasebackup(description), expected);
});

test('what we write for pghoard-bb-v1 carries the tablespaces', () => {
  const metadata = describeBasebackup({
    startTime: new Date('2026-11-23T00:12:16Z'),
    startWalSegment: '000000010000000000000003',
    compression: 'lzma',
    format: 'pghoard-bb-v1',
    plainBytes: 9_594_880,
    storedBytes: 1,
    pgVersion: 150_020,
    host: 'vm',
    site: 's',
    activeBackupMode: 'archive_command',
    basebackupMode: 'local-tar',
    decisionTime: new Date('2026-11-23T00:12:00Z'),
    reason: 'requested',
    tablespaces: [{ oid: 16_386, name: 'ts_old', path: '/var/tmp/pghoard-fixture/tblspc_src' }],
  });
  for (const [key, value] of Object.entries(metadataOf('localTar14'))) assert.equal(metadata[key], value, key);
  assert.equal(Object.values(metadata).includes('undefined'), false);
});

test('a chunk', () => {
  const expected = JSON.parse(
    '{"compression-algorithm": "zstd", "encryption-key-id": "key-main-c", "format": "pghoard-bb-v2", "original-file-size": "1495040", "host": "vm", "Content-Length": "64686"}',
  ) as Metadata;
  const chunk = { compression: 'zstd', encryptionKeyId: 'key-main-c', plainBytes: 1_495_040, storedBytes: 64_686, host: 'vm' } as const;
  assert.deepEqual(chunkMetadata(chunk), expected);
  assert.equal(JSON.stringify(chunkMetadata(chunk)), JSON.stringify(expected), 'also in this order');
});

const walFixtures = {
  segment:
    '{"pg-version": "150020", "compression-algorithm": "lzma", "compression-level": "0", "original-file-size": "16777216", "host": "vm", "hash": "fd916ca17d7eeaa92cd848dbe15e0ffd29ca9de6", "hash-algorithm": "sha1", "encryption-key-id": "key-main-b", "Content-Length": "3108"}',
  history:
    '{"pg-version": "150020", "compression-algorithm": "snappy", "compression-level": "0", "original-file-size": "38", "host": "vm", "Content-Length": "56"}',
  segment14: '{"pg-version": "150020", "compression-algorithm": "lzma", "compression-level": "0", "original-file-size": "16777216"}',
};

test('WAL: what we write is what the original writes, in the same order', () => {
  const segment = walMetadata({
    compression: { algorithm: 'lzma', level: 0 },
    plainBytes: 16_777_216,
    storedBytes: 3108,
    pgVersion: 150_020,
    encryptionKeyId: 'key-main-b',
    host: 'vm',
    hash: 'fd916ca17d7eeaa92cd848dbe15e0ffd29ca9de6',
    hashAlgorithm: 'sha1',
  });
  assert.equal(JSON.stringify(segment), JSON.stringify(JSON.parse(walFixtures.segment)));
  const history = walMetadata({
    compression: { algorithm: 'snappy', level: 0 },
    plainBytes: 38,
    storedBytes: 56,
    pgVersion: 150_020,
    host: 'vm',
    hashAlgorithm: 'sha1',
  });
  assert.equal(JSON.stringify(history), JSON.stringify(JSON.parse(walFixtures.history)));
});

function parse(text: string) {
  return parseWalMetadata(JSON.parse(text) as Metadata);
}

test('WAL: what any version wrote is read', () => {
  assert.deepEqual(parse(walFixtures.segment), {
    compression: 'lzma',
    encryptionKeyId: 'key-main-b',
    hash: 'fd916ca17d7eeaa92cd848dbe15e0ffd29ca9de6',
    hashAlgorithm: 'sha1',
    plainBytes: 16_777_216,
  });
  assert.deepEqual(parse(walFixtures.segment14), { compression: 'lzma', plainBytes: 16_777_216 });
  assert.deepEqual(parse('{"Compression_Algorithm": "zstd"}'), { compression: 'zstd' });
  assert.deepEqual(parse('{}'), {});
  assert.throws(() => parse('{"compression-algorithm": "brotli"}'), { code: 'object-unreadable', message: /brotli/ });
});
