import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/** An empty directory that is gone with all it holds once disposed of. Everybody may enter it: PostgreSQL runs as another user than root. */
export async function makeTemporaryDirectory(parent = tmpdir()): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(parent, 'pghoard-'));
  await chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** The same in memory, where scripts/with-test-memory.sh has found plenty: for what is some thousand files. */
export async function makeDirectoryInMemory(): Promise<TemporaryDirectory> {
  return makeTemporaryDirectory(process.env['PGHOARD_TEST_MEMORY']);
}
