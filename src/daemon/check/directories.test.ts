import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { checkArchiveProgram } from './directories.ts';

const somebody = 65_534;

async function judged(program: string): Promise<string> {
  const [found] = await checkArchiveProgram({ kind: 'other', program }, somebody);
  return `${found?.result} ${found?.because}`;
}

test('whether PostgreSQL can run the program of archive_command is told by the modes of it and of all directories above', async () => {
  await using scratch = await makeTemporaryDirectory();
  const directory = join(scratch.path, 'inner');
  const program = join(directory, 'program');
  await mkdir(directory, { mode: 0o755 });
  assert.equal(await judged(program), `failure PostgreSQL cannot run it: ${program} does not exist`);
  await writeFile(program, '', { mode: 0o644 });
  assert.match(await judged(program), /^failure PostgreSQL cannot run it: \S+ may not run \S+program \(mode 0644\)$/);
  await chmod(program, 0o755);
  assert.match(await judged(program), /^ok \S+, whom PostgreSQL runs as, may run it$/);
  await chmod(directory, 0o700);
  assert.match(await judged(program), /^failure PostgreSQL cannot run it: \S+ may not enter \S+inner \(mode 0700\)$/);
});

test('a program without a path is looked for by PostgreSQL, which we cannot do for it; other commands have none', async () => {
  assert.match(await judged('pghoard_postgres_command'), /^note archive_command does not name it by its full path/);
  assert.deepEqual(await checkArchiveProgram({ kind: 'none' }, somebody), []);
  assert.deepEqual(await checkArchiveProgram({ kind: 'http', site: 'main', port: 1, isWholeName: true }, somebody), []);
});
