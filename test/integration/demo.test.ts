import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../../src/lib/subprocess.ts';
import { TestPostgres } from '../support/postgres.ts';
import { waitFor } from '../support/wait-for.ts';

const root = findRoot(dirname(fileURLToPath(import.meta.url)));
const demo = join(root, 'dist/scripts/demo/demo.js');

test('npm start -- --once: a dropped table comes back, and nothing is left running', async () => {
  const { code, stdout, stderr } = await runProgram(process.execPath, [demo, '--once', '--rows', '2000']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /all 2000 rows are back, and their checksum is the same/);
  assert.match(stdout, /restore drill passed/);
  assert.equal(stdout.trimEnd().split('\n').length, 12, 'one line for each step');
});

test('npm start stays until it is ended, and what it started ends with it even if it is killed', async () => {
  const child = spawn(process.execPath, [demo, '--rows', '2000'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  await waitFor(() => /Try next/.test(printed) || child.exitCode !== null, { withinMs: 120_000, what: 'the demo says what to type next' });
  const directory = /Everything is in (.*)/.exec(printed)?.[1] as string;
  assert(processesNaming(directory).length >= 3, 'the daemon and two servers run');
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  await waitFor(() => processesNaming(directory).length === 0, { withinMs: 60_000, what: 'all of its processes are gone' });
});

test('npm start -- --dsn refuses a server that cannot archive, says what to do, and changes nothing', async () => {
  await using postgres = await TestPostgres.start();
  const { code, stdout, stderr } = await runProgram(process.execPath, [demo, '--once', '--dsn', postgres.dsn]);
  assert.equal(code, 1, stdout);
  assert.match(stderr, /archive_mode is off/);
  assert.match(stderr, /hint: .*ALTER SYSTEM SET archive_mode = on/);
  assert.deepEqual(await postgres.query(`SELECT nspname FROM pg_namespace WHERE nspname ~ 'pghoard'`), []);
});

test('npm start -- --dsn uses a given server and leaves it as it was', async () => {
  await using postgres = await TestPostgres.start({ settings: { archive_mode: 'on' } });
  const { code, stdout, stderr } = await runProgram(process.execPath, [demo, '--once', '--rows', '2000', '--dsn', postgres.dsn]);
  assert.deepEqual([code, stderr], [0, ''], stdout);
  assert.match(stdout, /all 2000 rows are back/);
  assert.deepEqual(await postgres.query(`SELECT nspname FROM pg_namespace WHERE nspname ~ 'pghoard'`), []);
  assert.deepEqual(await postgres.query('SHOW archive_command'), [{ archive_command: '' }]);
});

function processesNaming(text: string): string[] {
  return globSync('/proc/[0-9]*/cmdline').filter((file) => {
    try {
      return readFileSync(file, 'utf8').includes(text);
    } catch {
      return false; // it has just ended
    }
  });
}

function findRoot(from: string): string {
  return existsSync(join(from, 'package.json')) ? from : findRoot(dirname(from));
}
