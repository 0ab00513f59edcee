import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  archiveToSlowStore,
  backUpManyFiles,
  listManySegments,
  memoryCeilingBytes,
  passLargeSegment,
} from '../support/memory-scenarios.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { mebibyte } from '../support/wal-segment.ts';

/* What takes longer than a test may, `npm run bench:memory` does: a million files, a million segments. */

const scenarios: readonly (readonly [what: string, run: (directory: string) => Promise<number>])[] = [
  ['base backups of 20 000 small files', (directory) => backUpManyFiles(directory, 20_000)],
  ['a WAL segment of 1 GB', (directory) => passLargeSegment(directory, 1024 * mebibyte)],
  ['segments that wait for a slow store', (directory) => archiveToSlowStore(directory, 8, 16 * mebibyte)],
  ['a listing of 150 000 segments', (directory) => listManySegments(directory, 150_000)],
];

for (const [what, run] of scenarios) {
  test(`the memory of the daemon stays below its ceiling: ${what}`, async (t) => {
    await using scratch = await makeTemporaryDirectory();
    const peak = await run(scratch.path);
    t.diagnostic(`${Math.round(peak / mebibyte)} MiB at most`);
    assert.ok(peak <= memoryCeilingBytes, `${Math.round(peak / mebibyte)} MiB`);
  });
}
