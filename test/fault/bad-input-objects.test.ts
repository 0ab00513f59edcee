import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createKeyPair } from '../../src/codec/keys.ts';
import { runOurs } from '../support/commands.ts';
import { siteName, TestDaemon } from '../support/daemon.ts';
import { assertNoStackTrace } from '../support/refusal.ts';
import { RestoreCommandBench } from '../support/restore-command-bench.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { clusterMembers, type TestMember } from '../support/test-backups.ts';
import { makeWalSegment } from '../support/wal-segment.ts';

const random = new SeededRandom(20_261_123);

/** Puts damaged bytes in the place of a file, and the right ones back afterwards. */
async function whileDamaged(path: string, damage: (bytes: Buffer) => Buffer | undefined, work: () => Promise<void>): Promise<void> {
  const bytes = await readFile(path);
  const damaged = damage(Buffer.from(bytes));
  if (damaged === undefined) await rm(path);
  else await writeFile(path, damaged);
  await work();
  await writeFile(path, bytes);
}

function flipBit(bytes: Buffer): Buffer {
  const at = random.between(0, bytes.length - 1);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
  return bytes;
}

/** Takes the `index`th data chunk out of a snappy stream, or turns it into one that readers skip: its checksums stay right. */
function withoutSnappyChunk(bytes: Buffer, index: number, how: 'cut' | 'skip'): Buffer {
  let at = 10;
  for (let i = 0; i < index; i++) at += 4 + bytes.readUIntLE(at + 1, 3);
  const end = at + 4 + bytes.readUIntLE(at + 1, 3);
  if (how === 'cut') return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
  bytes[at] = 0xfe;
  return bytes;
}

type Damage = readonly [what: string, how: (bytes: Buffer) => Buffer | undefined];

const damages: readonly Damage[] = [
  ['a flipped bit', flipBit],
  ['another flipped bit', flipBit],
  ['a bit of the last byte', (bytes) => (bytes.writeUInt8((bytes.at(-1) ?? 0) ^ 1, bytes.length - 1), bytes)],
  ['half of it', (bytes) => bytes.subarray(0, bytes.length >> 1)],
  ['all but the last byte', (bytes) => bytes.subarray(0, -1)],
  ['an empty file', () => Buffer.alloc(0)],
  ['junk behind it', (bytes) => Buffer.concat([bytes, Buffer.from('junk')])],
  ['zeros behind it', (bytes) => Buffer.concat([bytes, Buffer.alloc(512)])],
];

const plainDamages: readonly Damage[] = [
  ['a piece cut out', (bytes) => withoutSnappyChunk(bytes, 1, 'cut')],
  ['the first piece hidden', (bytes) => withoutSnappyChunk(bytes, 0, 'skip')],
  ['a piece repeated', (bytes) => Buffer.concat([bytes, bytes.subarray(10)])],
];

/** Compresses badly, so that objects have several pieces and equal sizes. */
function noise(bytes: number, seed: number): Buffer {
  const noisy = new SeededRandom(seed);
  return Buffer.from(Uint8Array.from({ length: bytes }, () => noisy.next() * 256));
}

for (const encrypted of [false, true]) {
  const kind = encrypted ? 'encrypted' : 'plain';

  test(`${kind} WAL: restore_command says "cannot tell" for every damage, and the daemon goes on`, async () => {
    await using scratch = await makeTemporaryDirectory();
    const walDirectory = join(scratch.path, 'pgdata', 'pg_wal');
    await mkdir(walDirectory, { recursive: true });
    const site = { pg_data_directory: join(scratch.path, 'pgdata') };
    const global = { restore_prefetch: 0, compression: { algorithm: 'snappy', thread_count: 1 } };
    await using daemon = await TestDaemon.start({ directory: join(scratch.path, 'pghoard'), encrypted, site, global });
    const archive = async (name: string) => {
      await writeFile(
        join(walDirectory, name),
        Buffer.concat([makeWalSegment(name).subarray(0, 8192), noise(0x100000 - 8192, Number(`0x${name.slice(-2)}`))]),
      );
      assert.equal((await daemon.request('PUT', `/${siteName}/archive/${name}`)).status, 201);
    };
    const [name, other] = ['000000010000000000000011', '000000010000000000000012'] as const;
    await archive(name);
    await archive(other);
    const pgdata = join(scratch.path, 'recovering');
    await mkdir(join(pgdata, 'pg_wal'), { recursive: true });
    const restore = (wal: string) => {
      const args = ['--mode', 'restore', '--site', siteName, '--port', String(daemon.port), '--retry-interval', '0'];
      return runOurs('postgres-command', [...args, '--xlog', wal, '--output', 'pg_wal/RECOVERYXLOG'], { cwd: pgdata });
    };
    const stored = join(daemon.storeDirectory, siteName, 'xlog', name);
    const sidecar = `${stored}.metadata`;
    const assertCannotTell = (what: string, code: RegExp) => async () => {
      const { code: exit, stdout, stderr } = await restore(name);
      assert.equal(exit, 255, `${what}: ${stdout}`);
      assert.match(stdout, code, what);
      assert.match(stdout, /hint: /, what);
      assertNoStackTrace(stdout + stderr);
      assert.deepEqual(await readdir(join(pgdata, 'pg_wal')), [], what);
    };
    const all = encrypted ? damages : [...damages, ...plainDamages];
    const corrupt = /object-corrupt|key-wrong/;
    for (const [what, how] of all) await whileDamaged(stored, how, assertCannotTell(what, corrupt));
    const otherBytes = await readFile(join(daemon.storeDirectory, siteName, 'xlog', other));
    await whileDamaged(stored, () => otherBytes, assertCannotTell('the other segment', corrupt));
    await whileDamaged(sidecar, () => undefined, assertCannotTell('no metadata', /object-incomplete/));
    for (const text of ['', '{"half": ', '[]', '\0\0\0', '{"compression-algorithm": "rot13"}', '{"compression-algorithm": ["snappy"]}']) {
      await whileDamaged(sidecar, () => Buffer.from(text), assertCannotTell(`metadata ${text}`, /store-failed|object-unreadable/));
    }
    await whileDamaged(sidecar, () => Buffer.from('{}'), assertCannotTell('empty metadata', corrupt));
    if (encrypted) {
      const unknown = Buffer.from('{"compression-algorithm": "snappy", "encryption-key-id": "nobody"}');
      await whileDamaged(sidecar, () => unknown, assertCannotTell('a key that nobody has', /key-missing/));
    }
    assert.equal((await restore('000000010000000000000099')).code, 4, 'what was never stored is still told apart');
    await archive('000000010000000000000013');
    await daemon.archived('000000010000000000000013', 1000);
    const mended = await restore(name);
    assert.equal(mended.code, 0, mended.stdout);
    assert.deepEqual(await readFile(join(pgdata, 'pg_wal', 'RECOVERYXLOG')), await readFile(join(walDirectory, name)));
    assert.deepEqual(await readdir(join(daemon.spoolDirectory, 'xlog')), [], 'nothing is left in the spool');
    assertNoStackTrace(daemon.log);
  });

  test(`a base backup, ${kind}: no damage gets as far as something that starts, and the others restore`, async () => {
    await using bench = await RestoreCommandBench.make();
    const pair = await createKeyPair(2048);
    const sealing = encrypted ? { key: { id: 'key', publicKey: pair.publicKey } } : {};
    const site = encrypted
      ? { encryption_key_id: 'key', encryption_keys: { key: { public: pair.publicKey, private: pair.privateKey } } }
      : {};
    const chunkOf = (seed: number): TestMember[] => [{ path: `pgdata/base/1/${seed % 10}`, content: noise(150_000, seed) }];
    const add = (name: string, seed: number) =>
      bench.backups.addChunked({ name, chunks: [clusterMembers('pgdata/'), chunkOf(seed)], ...sealing });
    const [main, , chunk] = await add('one', 11);
    const [, , otherChunk] = await add('two', 21);
    const whole = await bench.assertRestores(site, ['--basebackup', 'one']);
    const refuses = (what: string, code: RegExp) => () => bench.assertRefuses({ code }, `${what} (${kind})`, site, ['--basebackup', 'one']);
    const corrupt = /object-corrupt|key-wrong|tar-corrupt|manifest-invalid/;
    const [, , lastByte, half, , empty, junk] = damages as [Damage, Damage, Damage, Damage, Damage, Damage, Damage];
    // A flip may give another compression of the same content, which without encryption is no damage.
    const flips = encrypted
      ? () => refuses('a flipped bit', corrupt)()
      : () => bench.assertRefusesOrRestores({ code: corrupt }, whole, site, ['--basebackup', 'one']);
    for (const key of [main, chunk ?? '']) await whileDamaged(bench.backups.fileOf(key), flipBit, flips);
    for (const [what, how] of [half, empty, junk])
      await whileDamaged(bench.backups.fileOf(main), how, refuses(`main object: ${what}`, corrupt));
    if (!encrypted) {
      const hidden = (bytes: Buffer) => withoutSnappyChunk(bytes, 0, 'skip');
      await whileDamaged(bench.backups.fileOf(main), hidden, refuses('main object: a piece hidden', corrupt));
    }
    const ofChunk = encrypted ? [half, lastByte, junk] : [half, empty, ...plainDamages];
    for (const [what, how] of ofChunk) {
      await whileDamaged(bench.backups.fileOf(chunk ?? ''), how, refuses(`chunk: ${what}`, corrupt));
    }
    const chunkFile = bench.backups.fileOf(chunk ?? '');
    await whileDamaged(chunkFile, () => undefined, refuses('no chunk', /basebackup-incomplete/));
    await whileDamaged(`${chunkFile}.metadata`, () => undefined, refuses('no metadata of a chunk', /object-incomplete/));
    await whileDamaged(`${chunkFile}.metadata`, () => Buffer.from('{'), refuses('garbage metadata of a chunk', /store-failed/));
    const otherFile = bench.backups.fileOf(otherChunk ?? '');
    await swap(chunkFile, otherFile);
    await refuses('a chunk of the other backup', /object-corrupt/)();
    await swap(chunkFile, otherFile);
    // The files of the chunk beside it are of equal length in both backups, and so are the objects: only the hash tells.
    assert.equal((await stat(chunkFile)).size, (await stat(otherFile)).size);
    await whileDamaged(chunkFile, flipBit, async () => void (await bench.assertRestores(site, ['--basebackup', 'two'])));
    await bench.assertRestores(site, ['--basebackup', 'one']);
  });
}

async function swap(a: string, b: string): Promise<void> {
  await rename(a, `${a}.aside`);
  await rename(b, a);
  await rename(`${a}.aside`, b);
}
