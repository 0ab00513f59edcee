import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CompressionAlgorithm } from '../../src/codec/codec-options.ts';
import { sealFile } from '../../src/codec/files.ts';
import { createKeyPair } from '../../src/codec/keys.ts';
import { runProgram } from '../../src/lib/subprocess.ts';
import { packageRoot } from '../support/package-root.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';

/** The shell commands of the last section of docs/FORMAT.md. */
const wayOut = /## 6\.[^]*?```sh\n([^]*?)```/.exec(await readFile(join(packageRoot, 'docs/FORMAT.md'), 'utf8'))?.[1] ?? '';

/** Debian has no program that reads snappy's framing. */
const decompressors: readonly [CompressionAlgorithm, string][] = [
  ['zstd', 'zstd -d'],
  ['lzma', 'xz -d'],
];

for (const [algorithm, decompress] of decompressors) {
  test(`an encrypted ${algorithm} backup is read with openssl and tar, as docs/FORMAT.md says`, async () => {
    await using scratch = await makeTemporaryDirectory();
    const { publicKey, privateKey } = await createKeyPair(3072);
    const content = Buffer.from('the only copy\n'.repeat(50_000));
    await mkdir(join(scratch.path, 'pgdata'));
    await writeFile(join(scratch.path, 'pgdata/PG_VERSION'), content);
    await run(scratch.path, 'tar --format=pax -cf plain.tar pgdata && rm -r pgdata');
    await sealFile(join(scratch.path, 'plain.tar'), join(scratch.path, 'OBJECT'), { compression: { algorithm, level: 1 }, publicKey });
    await writeFile(join(scratch.path, 'private.pem'), privateKey);

    await run(scratch.path, wayOut.replace('zstd -d', decompress));

    assert.deepEqual(await readFile(join(scratch.path, 'pgdata/PG_VERSION')), content);
  });
}

async function run(directory: string, script: string): Promise<void> {
  const { code, stderr } = await runProgram('bash', ['-euo', 'pipefail', '-c', script], { cwd: directory });
  assert.equal(code, 0, stderr);
}
