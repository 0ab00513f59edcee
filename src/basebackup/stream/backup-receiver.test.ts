import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import * as fc from 'fast-check';
import { type TestMember, tarOf } from '../../../test/support/test-backups.ts';
import { isOperatorError } from '../../lib/errors.ts';
import type { TarMember } from '../../tar/header.ts';
import { TarReader } from '../../tar/reader.ts';
import { BackupReceiver, type ReceivedParts } from './backup-receiver.ts';
import { ChunkWriter } from './chunk-writer.ts';

const start = { lsn: 0x2000028n, timeline: 1 };
const end = { lsn: 0x2000100n, timeline: 1, isDamaged: false };
const systemIdentifier = 7_711_144_717_028_197_640n;
const names = new Map([[16395, 'fast disk']]);

interface ServerBackup {
  readonly tablespace: readonly TestMember[];
  readonly data: readonly TestMember[];
}

interface Unpacked {
  readonly path: string;
  readonly type: TarMember['type'];
  readonly content: string;
}

const label: TestMember = { path: 'backup_label', content: 'START WAL LOCATION', uid: 70, gid: 71, mtime: 5 };
const control: TestMember = { path: 'global/pg_control', content: Buffer.alloc(8192, 9) };

/** As PostgreSQL writes it for these archives ("Backup Manifest Format"). */
function manifestOf({ tablespace, data }: ServerBackup, change: (text: string) => string = (text) => text): Buffer {
  const listed = [...tablespace.map((member) => ({ ...member, path: `pg_tblspc/16395/${member.path}` })), ...data];
  const files = listed
    .filter(({ type = 'file' }) => type === 'file')
    .map(({ path, content = '' }) => {
      const sum = Buffer.alloc(4);
      sum.writeUInt32LE(crc32c(Buffer.from(content)));
      return `{ "Path": ${JSON.stringify(path)}, "Size": ${Buffer.from(content).length}, "Last-Modified": "2026-11-22 10:00:00 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "${sum.toString('hex')}" }`;
    });
  const head = `{ "PostgreSQL-Backup-Manifest-Version": 2,\n"System-Identifier": ${systemIdentifier},\n`;
  const ranges = '"WAL-Ranges": [\n{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }\n],\n';
  const text = change(`${head}"Files": [\n${files.join(',\n')}\n],\n${ranges}`);
  return Buffer.from(`${text}"Manifest-Checksum": "${createHash('sha256').update(text).digest('hex')}"}\n`);
}

/** Receives a backup that comes in pieces of `pieceBytes`. */
async function receive(backup: ServerBackup, manifest: Buffer, { pieceBytes = 1000, targetBytes = 4096, serverVersion = 180_004 } = {}) {
  const chunks: { paths: readonly string[]; parts: Buffer[] }[] = [];
  const writer = new ChunkWriter(
    {
      begin: (number) => assert.equal(chunks.push({ paths: [], parts: [] }), number),
      write: (bytes) => void chunks.at(-1)?.parts.push(Buffer.from(bytes)),
      end: (number, paths) => void Object.assign(chunks[number - 1] as object, { paths }),
    },
    { targetBytes, membersMax: 50 },
  );
  const kept: Buffer[] = [];
  const receiver = new BackupReceiver({
    serverVersion,
    tablespaceNames: names,
    begin: () => writer,
    keepManifest: (bytes) => void kept.push(Buffer.from(bytes)),
    onFile: () => {},
    onWarning: () => {},
  });
  const pour = async (bytes: Buffer) => {
    for (let at = 0; at < bytes.length; at += pieceBytes) await receiver.data(bytes.subarray(at, at + pieceBytes));
  };
  const archive = (members: readonly TestMember[]) => (serverVersion < 150_000 ? withoutEnd(tarOf(members)) : tarOf(members));
  receiver.begin(start, []);
  await receiver.archive({ oid: 16395, path: '/disk' });
  await pour(archive(backup.tablespace));
  await receiver.archive({ path: '' });
  await pour(archive(backup.data));
  await receiver.manifest();
  await pour(manifest);
  const parts = receiver.finish({ systemIdentifier, end });
  assert.deepEqual(Buffer.concat(kept), manifest);
  return { parts, chunks: await Promise.all(chunks.map(async ({ paths, parts: pieces }) => unpack(Buffer.concat(pieces), paths))) };
}

/** Servers before 15 leave out the zeros at the end. */
function withoutEnd(tar: Buffer): Buffer {
  let length = tar.length;
  while (length >= 512 && tar.subarray(length - 512, length).every((byte) => byte === 0)) length -= 512;
  return tar.subarray(0, length);
}

async function unpack(tar: Buffer, paths: readonly string[]): Promise<Unpacked[]> {
  const found: (Unpacked & { parts: Buffer[] })[] = [];
  const reader = new TarReader({
    member: ({ path, type }) => void found.push({ path, type, content: '', parts: [] }),
    data: (bytes) => void found.at(-1)?.parts.push(Buffer.from(bytes)),
    end: () => {},
  });
  await reader.update(tar);
  reader.finish();
  assert.deepEqual(
    found.map(({ path }) => path),
    paths,
    'what is told to be in a chunk is in it',
  );
  return found.map(({ path, type, parts }) => ({ path, type, content: Buffer.concat(parts).toString('latin1') }));
}

const directory = (path: string): TestMember => ({ path, type: 'directory' });
const small: ServerBackup = {
  tablespace: [directory('PG_18_1'), directory('PG_18_1/5'), { path: 'PG_18_1/5/20000', content: 'in a tablespace' }],
  data: [
    label,
    { path: 'tablespace_map', content: '16395 /disk\n' },
    directory('base'),
    directory('base/1'),
    { path: 'base/1/1259', content: Buffer.alloc(3000, 'a') },
    { path: 'base/1/1260', content: Buffer.alloc(3000, 'b') },
    directory('pg_wal'),
    directory('pg_wal/archive_status'),
    directory('pg_wal/summaries'),
    { path: 'pg_tblspc/16395', type: 'symlink', linkTarget: '/disk' },
    { path: 'standby.signal' },
    { path: 'PG_VERSION', content: '18\n' },
    control,
  ],
};

for (const serverVersion of [130_023, 180_004]) {
  test(`what the server sends goes where local-tar puts it (${serverVersion})`, async () => {
    const { parts, chunks } = await receive(small, manifestOf(small), { serverVersion });
    const shown = chunks.map((members) => members.map(({ path }) => path));
    assert.deepEqual(shown, [
      [
        ['tablespaces/fast disk', 'tablespaces/fast disk/PG_18_1', 'tablespaces/fast disk/PG_18_1/5'],
        ['tablespaces/fast disk/PG_18_1/5/20000', 'pgdata/base', 'pgdata/base/1'],
      ].flat(),
      ['pgdata/base', 'pgdata/base/1', 'pgdata/base/1/1259'],
      ['pgdata/base', 'pgdata/base/1', 'pgdata/base/1/1260'],
      ['pgdata/PG_VERSION'],
    ]);
    assert.equal(chunks[1]?.at(-1)?.content, 'a'.repeat(3000));
    assert.equal(parts.backupLabel, label.content);
    assert.deepEqual(Buffer.from(parts.controlFile), control.content);
    assert.deepEqual(parts.tablespaces, [{ name: 'fast disk', oid: 16395, path: '/disk' }]);
    assert.deepEqual(parts.owner, { uid: 70, gid: 71, mtime: 5 });
    assert.deepEqual([parts.chunks, parts.start], [4, start]);
    assert.deepEqual(
      parts.directories.map(({ path }) => path),
      ['pgdata/pg_wal', 'pgdata/pg_wal/archive_status'],
    );
  });
}

test('a tablespace in place stays in the data directory; one that nobody knows by name has its OID', async () => {
  const receiver = (path: string, known: ReadonlyMap<number, string>) => {
    const paths: string[] = [];
    const sink = { begin: () => {}, write: () => {}, end: (_: number, ended: readonly string[]) => void paths.push(...ended) };
    const chunks = new ChunkWriter(sink, { targetBytes: 1e9, membersMax: 100 });
    const options = {
      serverVersion: 180_004,
      tablespaceNames: known,
      begin: () => chunks,
      keepManifest: () => {},
      onFile: () => {},
      onWarning: () => {},
    };
    return { paths, receiver: new BackupReceiver(options), path };
  };
  const seen: (readonly string[])[] = [];
  for (const { paths, receiver: one, path } of [receiver('pg_tblspc/7', names), receiver('/disk', new Map())]) {
    one.begin(start, []);
    await one.archive({ oid: 7, path });
    await one.data(tarOf([directory('PG_18_1')]));
    await one.manifest();
    seen.push(paths);
  }
  assert.deepEqual(seen, [['pgdata/pg_tblspc/7/PG_18_1'], ['tablespaces/7', 'tablespaces/7/PG_18_1']]);
});

const content = fc
  .oneof(fc.constant(0), fc.integer({ min: 1, max: 700 }), fc.integer({ min: 1, max: 9000 }))
  .map((n) => Buffer.alloc(n, n % 251));
const trees = fc
  .array(fc.tuple(fc.stringMatching(/^[a-z0-9_]{1,12}$/), fc.array(content, { maxLength: 6 })), { maxLength: 12 })
  .map((directories) =>
    directories.flatMap(([name, files], i): TestMember[] => [
      directory(`base/${i}${name}`),
      ...files.map((bytes, n) => ({ path: `base/${i}${name}/${n}`, content: bytes })),
    ]),
  );

test('any tree in any pieces: each file is in one chunk, whole, in its order, and no chunk is fuller than it may be', async () => {
  const options = fc.record({
    pieceBytes: fc.integer({ min: 1, max: 5000 }),
    targetBytes: fc.integer({ min: 1, max: 30_000 }),
    serverVersion: fc.constantFrom(130_023, 180_004),
  });
  await fc.assert(
    fc.asyncProperty(trees, options, async (tree, how) => {
      const backup = { tablespace: [], data: [label, ...tree, control] };
      const { chunks } = await receive(backup, manifestOf(backup), how);
      const files = chunks.flat().filter(({ type }) => type === 'file');
      const sent = tree.filter(({ type }) => type !== 'directory');
      assert.deepEqual(
        files,
        sent.map(({ path, content: bytes = '' }) => ({
          path: `pgdata/${path}`,
          type: 'file',
          content: Buffer.from(bytes).toString('latin1'),
        })),
      );
      for (const members of chunks) {
        const bytes = members.map((member) => 512 + Math.ceil(member.content.length / 512) * 512);
        const total = bytes.reduce((sum, size) => sum + size, 0);
        assert.ok(members.length <= 50);
        assert.ok(total <= how.targetBytes || total - (bytes.at(-1) ?? 0) <= Math.max(how.targetBytes / 5, 1024), `${total} bytes`);
      }
    }),
    { numRuns: 60 },
  );
});

const isMismatch = (error: unknown) => isOperatorError(error, 'backup-manifest-mismatch') && error.retryable;

test('a manifest that does not fit is refused, and says what differs', async () => {
  const refusedFor = async (change: (text: string) => string, said: RegExp) =>
    assert.rejects(receive(small, manifestOf(small, change)), (error) => isMismatch(error) && said.test((error as Error).message));
  await refusedFor(
    (text) => text.replace(/("Path": "base\/1\/1260".*"Checksum": ")......../, '$100000000'),
    /"base\/1\/1260" has another checksum/,
  );
  await refusedFor((text) => text.replace('"Size": 3000', '"Size": 3001'), /"base\/1\/1259" with 3001 bytes is not what came/);
  await refusedFor((text) => text.replace(/\{ "Path": "PG_VERSION".*\n/, ''), /"global\/pg_control" with 8192 bytes is not what came/);
  await refusedFor((text) => text.replace(/,\n\{ "Path": "global\/pg_control".*\n/, '\n'), /lists 7 files, and 8 came/);
  await refusedFor((text) => text.replace(String(systemIdentifier), '1'), /of the cluster 1,/);
  await refusedFor((text) => text.replace('"Start-LSN": "0/2000028"', '"Start-LSN": "0/2000030"'), /begins at 0\/2000028 on timeline 1/);
  await refusedFor((text) => text.replace('"End-LSN": "0/2000100"', '"End-LSN": "0/1"'), /ends at 0\/2000100/);
  await refusedFor((text) => text.replace('CRC32C', 'SHA256'), /is not understood/);
  const manifest = manifestOf(small);
  const flipped = Buffer.from(manifest);
  flipped.write('2026-11-23', flipped.indexOf('2026-11-22'));
  await assert.rejects(receive(small, flipped), /its own checksum is wrong/);
});

test('a manifest cut off anywhere, or with any byte changed, is refused', async () => {
  const manifest = manifestOf(small);
  await fc.assert(
    fc.asyncProperty(fc.nat(manifest.length - 2), async (length) => {
      await assert.rejects(receive(small, manifest.subarray(0, length)), isMismatch);
    }),
    { numRuns: 60 },
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(manifest.length - 2), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const damaged = Buffer.from(manifest);
      damaged[at] = (damaged[at] as number) ^ flip;
      await assert.rejects(receive(small, damaged), isMismatch);
    }),
    { numRuns: 150 },
  );
});

test('an archive with any byte changed is never taken for what the server sent', async () => {
  const files = { tablespace: [], data: [label, directory('base'), { path: 'base/1', content: Buffer.alloc(600, 'a') }, control] };
  const manifest = manifestOf(files);
  const outcome = async (data: readonly TestMember[] | Buffer): Promise<ReceivedParts | undefined> => {
    const sink = { begin: () => {}, write: () => {}, end: () => {} };
    const chunks = new ChunkWriter(sink, { targetBytes: 4096, membersMax: 50 });
    const options = {
      serverVersion: 180_004,
      tablespaceNames: names,
      begin: () => chunks,
      keepManifest: () => {},
      onFile: () => {},
      onWarning: () => {},
    };
    const receiver = new BackupReceiver(options);
    receiver.begin(start, []);
    await receiver.archive({ path: '' });
    await receiver.data(Buffer.isBuffer(data) ? data : tarOf(data));
    await receiver.manifest();
    await receiver.data(manifest);
    return receiver.finish({ systemIdentifier, end });
  };
  const whole = tarOf(files.data);
  const good = await outcome(whole);
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] as number) ^ flip;
      // Padding carries nothing.
      const result = await outcome(damaged).catch((error: unknown) => error);
      if (isOperatorError(result)) return;
      assert.deepEqual(result, good);
    }),
    { numRuns: 300 },
  );
});

test('without label or control file it is no backup', async () => {
  for (const left of ['backup_label', 'global/pg_control']) {
    const backup = { ...small, data: small.data.filter(({ path }) => path !== left) };
    await assert.rejects(receive(backup, manifestOf(backup)), (error) => isOperatorError(error, 'backup-incomplete'));
  }
});
