import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../../src/lib/subprocess.ts';
import { asDumped, indexDirectory } from '../support/indexed-wal.ts';
import { packageRoot } from '../support/package-root.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';

/**
 * WAL of versions of which no server is at hand here, with what is known to be in it: of 13 and 17 what their own pg_waldump says, of 16 pg_walinspect, of 14
 * what the server itself had noted (track_commit_timestamp). Those at hand are in test/integration/wal-index.test.ts.
 */
for (const major of [13, 14, 16, 17]) {
  test(`WAL of PostgreSQL ${major} is indexed as it is`, async () => {
    await using scratch = await makeTemporaryDirectory();
    const archive = join(packageRoot, 'test/compat/fixtures', `wal-${major}.tar.xz`);
    const { code, stderr } = await runProgram('tar', ['--no-same-owner', '-C', scratch.path, '-xJf', archive]);
    assert.equal(code, 0, stderr);
    const directory = join(scratch.path, `wal-${major}`);
    const expected = JSON.parse(await readFile(join(directory, 'expected.json'), 'utf8')) as Record<string, unknown>;
    for (const timeline of [1, 2]) {
      const indexes = await indexDirectory(directory, timeline);
      assert.deepEqual(new Set(indexes.map((index) => index.major)), new Set([String(major)]));
      const found = Object.entries(asDumped(indexes)).map(([key, value]) => [
        key,
        value instanceof Map ? Object.fromEntries(value) : value,
      ]);
      assert.deepEqual(Object.fromEntries(found), expected[timeline]);
    }
  });
}
