import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../../src/lib/subprocess.ts';
import { systemUser, TestPostgres } from './postgres.ts';
import { descendantsOf, isRunning } from './process-tree.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';
import { waitFor } from './wait-for.ts';

for (const version of ['15', 'embedded'] as const) {
  test(`PostgreSQL ${version}: start, query, switch WAL, crash, come back`, async () => {
    await using postgres = await TestPostgres.start({
      version,
      initdb: ['--wal-segsize=1'],
      settings: { archive_mode: 'on', archive_command: 'true' },
    });
    await postgres.query('CREATE TABLE t AS SELECT 1 AS a');
    const finished = await postgres.switchWal();
    const archived = async () => (await postgres.query('SELECT last_archived_wal AS name FROM pg_stat_archiver'))[0]?.['name'] === finished;
    await waitFor(archived, { withinMs: 30_000, what: `${finished} is the last segment archived` });
    await postgres.query('CHECKPOINT');
    await postgres.kill9();
    await postgres.launch();
    assert.deepEqual(await postgres.query('SELECT a FROM t'), [{ a: 1 }]);
    assert.match(postgres.log(), /was not properly shut down/);
  });
}

test('a copied data directory starts beside its origin, with settings of its own', async () => {
  await using postgres = await TestPostgres.start({ settings: { work_mem: '5MB' } });
  await using directory = await makeTemporaryDirectory();
  const copy = join(directory.path, 'copy');
  await postgres.stop();
  await cp(postgres.dataDirectory, copy, { recursive: true, verbatimSymlinks: true });
  const { uid, gid } = systemUser();
  assert.equal((await runProgram('chown', ['-R', `${uid}:${gid}`, copy])).code, 0);
  await runProgram('chmod', ['0700', copy]);
  await postgres.launch();
  await using second = await TestPostgres.startOn(copy, { maintenance_work_mem: '7MB' });
  const [row] = await second.query("SELECT current_setting('work_mem') AS a, current_setting('maintenance_work_mem') AS b");
  assert.deepEqual(row, { a: '5MB', b: '7MB' });
  assert.notEqual(second.port, postgres.port);
});

test('a server that cannot start says why', async () => {
  await assert.rejects(TestPostgres.start({ settings: { shared_buffers: 'none' } }), /shared_buffers/);
});

test('nothing is left of a killed server', async () => {
  await using postgres = await TestPostgres.start();
  const children = descendantsOf(postgres.pid as number);
  assert(children.length >= 3);
  await postgres.kill9();
  assert.deepEqual(children.filter(isRunning), []);
});

test('a server dies with the process that started it', async () => {
  // Beside this file, be that source or compiled.
  const support = new URL(`./postgres${extname(import.meta.url)}`, import.meta.url);
  const script = `import { TestPostgres } from ${JSON.stringify(support)};
    const postgres = await TestPostgres.start();
    console.log(postgres.pid, postgres.socketDirectory);`;
  const starter = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(starter.stdout, 'data')) as [Buffer];
  const [pid, directory] = line.toString().trim().split(' ') as [string, string];
  assert(isRunning(Number(pid)));
  starter.kill('SIGKILL');
  await waitFor(() => !isRunning(Number(pid)), { withinMs: 30_000, what: 'the server has ended' });
  await rm(directory, { recursive: true });
});
