import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { ServerManifestCheck } from './server-manifest-check.ts';

type File = readonly [path: string, content: string];

const files: readonly File[] = [
  ['backup_label', 'START WAL LOCATION'],
  ['base/1/1259', 'pages'],
  ['pg_wal/000000010000000000000003', 'comes with it, but is no file of it'],
  ['a "name" that is odd', ''],
  ['global/pg_control', 'control'],
];

/** As PostgreSQL writes it: the checksum in the byte order of the server. */
function manifestOf(listed: readonly File[], algorithm = 'CRC32C'): Buffer {
  const entries = listed
    .filter(([path]) => !path.startsWith('pg_wal/'))
    .map(([path, content], index) => {
      const sum = Buffer.alloc(4);
      sum.writeUInt32LE(crc32c(content));
      const name = index === 1 ? { 'Encoded-Path': Buffer.from(path).toString('hex') } : { Path: path };
      return { ...name, Size: content.length, 'Checksum-Algorithm': algorithm, Checksum: sum.toString('hex') };
    });
  return Buffer.from(
    JSON.stringify({ 'PostgreSQL-Backup-Manifest-Version': 1, Files: entries, 'WAL-Ranges': [], 'Manifest-Checksum': 'x' }),
  );
}

function differences(came: readonly File[], manifest: Buffer | undefined): readonly string[] {
  const check = new ServerManifestCheck();
  for (const [path, content] of came) {
    check.beginFile(path, content.length);
    for (const byte of content) check.update(Buffer.from(byte));
    check.endFile();
  }
  if (manifest === undefined) return check.differences();
  for (let at = 0; at < manifest.length; at += 7) check.manifest(manifest.subarray(at, at + 7));
  check.endManifest();
  return check.differences();
}

test('files that are as PostgreSQL lists them, and backups without a list, have no differences', () => {
  assert.deepEqual(differences(files, manifestOf(files)), []);
  assert.deepEqual(differences(files, undefined), []);
});

test('another content, a file that is missing and one too many are told', () => {
  const changed = files.map(([path, content]): File => [path, path === 'base/1/1259' ? 'pagez' : content]);
  assert.deepEqual(differences(changed, manifestOf(files)), ['base/1/1259 has another checksum than it lists']);
  assert.match(differences(files.slice(0, -1), manifestOf(files)).join(), /lists 4 files, and there are 3/);
  assert.match(differences([...files, ['x', 'y']], manifestOf(files)).join(), /lists 4 files, and there are 5/);
});

test('where checksums are of another kind, names and sizes are compared', () => {
  const changed = files.map(([path, content]): File => [path, path === 'base/1/1259' ? 'pagez' : content]);
  assert.deepEqual(differences(changed, manifestOf(files, 'SHA256')), []);
  const longer = files.map(([path, content]): File => [path, path === 'base/1/1259' ? 'pages and more' : content]);
  assert.deepEqual(differences(longer, manifestOf(files, 'SHA256')), ['base/1/1259 has another name or size than it lists']);
});

test('a list that is cut off is no list', () => {
  assert.throws(() => differences(files, manifestOf(files).subarray(0, -100)), /cut off|not JSON/);
});
