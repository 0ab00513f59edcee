import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isOperatorError, systemErrorCode } from '../lib/errors.ts';
import { sealFile, unsealFile } from './files.ts';
import { createKeyPair } from './keys.ts';

const compression = { algorithm: 'snappy', level: 0 } as const;

async function makeDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'files-'));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

test('a file that was sealed comes back byte for byte, readable by its owner only', async (t) => {
  const directory = await makeDirectory(t);
  const { publicKey, privateKey } = await createKeyPair(1024);
  const [from, sealed, back] = ['plain', 'sealed', 'back'].map((name) => join(directory, name)) as [string, string, string];
  const plain = randomBytes(9_000_000);
  await writeFile(from, plain);

  const progress: number[] = [];
  const result = await sealFile(
    from,
    sealed,
    { compression, publicKey, plainHash: 'sha256' },
    { onBytes: (bytes) => progress.push(bytes) },
  );
  assert.equal(result.plainBytes, plain.length);
  assert.equal(result.plainHash, createHash('sha256').update(plain).digest('hex'));
  const { size, mode } = await stat(sealed);
  assert.equal(size, result.sealedBytes);
  assert.equal(mode & 0o777, 0o600);
  assert.equal(progress.at(-1), plain.length);
  assert.ok(progress.length >= 9);

  await unsealFile(sealed, back, { compression: 'snappy', privateKey });
  assert.ok((await readFile(back)).equals(plain));
});

test('several files at once on one thread do not mix', async (t) => {
  const directory = await makeDirectory(t);
  const plains = Array.from({ length: 4 }, () => randomBytes(6_000_000));
  await Promise.all(
    plains.map(async (plain, i) => {
      const path = join(directory, `${i}`);
      await writeFile(path, plain);
      await sealFile(path, `${path}.sealed`, { compression });
      await unsealFile(`${path}.sealed`, `${path}.back`, { compression: 'snappy' });
      assert.ok((await readFile(`${path}.back`)).equals(plain));
    }),
  );
});

test('damage leaves no file', async (t) => {
  const directory = await makeDirectory(t);
  const sealed = join(directory, 'sealed');
  await writeFile(join(directory, 'plain'), randomBytes(3_000_000));
  await sealFile(join(directory, 'plain'), sealed, { compression });
  const bytes = await readFile(sealed);
  bytes.writeUInt8(bytes.readUInt8(2_500_000) ^ 1, 2_500_000);
  await writeFile(sealed, bytes);
  const opening = unsealFile(sealed, join(directory, 'back'), { compression: 'snappy' });
  await assert.rejects(opening, (error) => isOperatorError(error, 'object-corrupt'));
  assert.deepEqual((await readdir(directory)).toSorted(), ['plain', 'sealed']);
});

test('an abort stops soon and leaves no file', async (t) => {
  const directory = await makeDirectory(t);
  const from = join(directory, 'plain');
  await writeFile(from, Buffer.alloc(40_000_000));
  const abort = new AbortController();
  let bytesRead = 0;
  const sealing = sealFile(
    from,
    join(directory, 'sealed'),
    { compression },
    {
      signal: abort.signal,
      onBytes: (bytes) => {
        bytesRead = bytes;
        setImmediate(() => abort.abort(new Error('enough')));
      },
    },
  );
  await assert.rejects(sealing, { message: 'enough' });
  assert.ok(bytesRead < 12_000_000, `read ${bytesRead} bytes`);
  assert.deepEqual(await readdir(directory), ['plain']);
});

test('a full disk is disk-full, names the path and can be tried again', async (t) => {
  const directory = await makeDirectory(t);
  await writeFile(join(directory, 'plain'), randomBytes(100_000));
  const full = join(directory, 'full');
  await symlink('/dev/full', full);
  const sealing = sealFile(join(directory, 'plain'), full, { compression });
  await assert.rejects(sealing, (error) => {
    assert.ok(isOperatorError(error, 'disk-full'));
    assert.ok(error.message.includes(full));
    assert.equal(error.retryable, true);
    assert.equal(systemErrorCode(error.cause), 'ENOSPC');
    return true;
  });
  assert.ok((await stat(full)).isCharacterDevice(), 'only what was made is removed, never a device');
});

test('files that cannot be read or written say so', async (t) => {
  const directory = await makeDirectory(t);
  const [missing, plain] = [join(directory, 'missing'), join(directory, 'plain')];
  await writeFile(plain, 'x');
  await assert.rejects(sealFile(missing, join(directory, 'a'), { compression }), (error) => {
    return isOperatorError(error, 'file-unreadable') && systemErrorCode(error.cause) === 'ENOENT';
  });
  await assert.rejects(sealFile(directory, join(directory, 'a'), { compression }), (error) => {
    return isOperatorError(error, 'file-unreadable') && systemErrorCode(error.cause) === 'EISDIR';
  });
  await assert.rejects(sealFile(plain, join(missing, 'a'), { compression }), (error) => isOperatorError(error, 'file-unwritable'));
  assert.deepEqual(await readdir(directory), ['plain']);
});
