import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { commandLine, runOurs } from '../support/commands.ts';
import { chunked, FaultSite } from '../support/fault-site.ts';
import { TestPostgres } from '../support/postgres.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { waitFor } from '../support/wait-for.ts';

let site: FaultSite;

before(async () => {
  // restore_command is run by PostgreSQL, which gives it our environment.
  process.env['PGHOARD_RETRY_INTERVAL'] = '0.2';
  site = await FaultSite.start({ encrypted: true, site: chunked });
  await site.takeBasebackup();
  await site.addSegments(12);
  await site.settle();
});
after(async () => site[Symbol.asyncDispose]());

async function filesIn(directory: string): Promise<number> {
  return (await readdir(directory, { recursive: true })).length;
}

/** Starts a restore and kills it as soon as the target holds so many entries. */
async function restoreAndKill(target: string, entries: number, ...more: string[]): Promise<void> {
  const [program, ...args] = commandLine('restore');
  const child = spawn(program, [...args, ...site.restoreArguments(target, ...more)], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const isMoment = async () => child.exitCode !== null || (await filesIn(target)) >= entries;
  await waitFor(isMoment, { withinMs: 60_000, everyMs: 1, what: `${target} has ${entries} entries` });
  child.kill('SIGKILL');
  assert.deepEqual(await ended, [null, 'SIGKILL'], 'the restore was killed before its end');
}

async function cannotBeStarted(target: string): Promise<void> {
  await assert.rejects(access(join(target, 'global/pg_control')), { code: 'ENOENT' });
  await assert.rejects(TestPostgres.startOn(target, {}, { version: '15' }), /ended at once/);
}

test('a restore that is killed -9 leaves nothing that could be started, and goes on when it is run again', async (t) => {
  const random = new SeededRandom();
  t.diagnostic(`PGHOARD_TEST_SEED=${random.seed}`);
  const target = join(site.directory, 'killed');
  const whole = join(site.directory, 'whole');
  assert.equal((await runOurs('restore', site.restoreArguments(whole))).code, 0);
  const entries = await filesIn(whole);

  for (let kill = 1; kill <= 5; kill++) {
    const at = random.between(1, Math.floor(entries * 0.95));
    await restoreAndKill(target, Math.max(at, await filesIn(target).catch(() => 0)));
    t.diagnostic(`kill ${kill}: at ${at} of ${entries} entries`);
    await cannotBeStarted(target);
  }
  const again = await runOurs('restore', site.restoreArguments(target, '--restore-to-primary'));
  assert.equal(again.code, 0, again.stdout + again.stderr);
  await using restored = await TestPostgres.startOn(target, { archive_mode: 'off' });
  await restored.promoted();
  await site.compareLedger(restored);
});

/** Resolves once PostgreSQL's log says that recovery has restored so many segments. */
async function replayed(server: TestPostgres, count: number): Promise<void> {
  const restoredSegments = () => (server.log().match(/restored log file "[0-9A-F]{24}" from archive/g) ?? []).length;
  await waitFor(() => restoredSegments() >= count, {
    withinMs: 60_000,
    everyMs: 2,
    what: () => `${count} segments are restored:\n${server.log()}`,
  });
}

async function restoredTarget(name: string, ...more: string[]): Promise<string> {
  const target = join(site.directory, name);
  const result = await runOurs('restore', site.restoreArguments(target, ...more));
  assert.equal(result.code, 0, result.stdout + result.stderr);
  return target;
}

test('a daemon killed -9 during recovery stops PostgreSQL, which reaches the end once the daemon is back', async () => {
  const target = await restoredTarget('recovering', '--restore-to-primary');
  await using server = await TestPostgres.startOn(target, { archive_mode: 'off' }, { waitForRecovery: false });
  await replayed(server, 3);
  await site.daemon.kill9();
  await waitFor(() => server.log().includes('database system is shut down'), {
    withinMs: 60_000,
    what: () => `PostgreSQL stops:\n${server.log()}`,
  });
  assert.doesNotMatch(server.log(), /selected new timeline|archive recovery complete/, 'it did not promote short');

  await site.daemon.launch();
  await server.restart();
  await server.promoted();
  await site.compareLedger(server);
});

test('a standby goes on asking while the daemon is away, and catches up once it is back', async () => {
  const target = await restoredTarget('standby');
  await using server = await TestPostgres.startOn(target, { archive_mode: 'off' }, { waitForRecovery: false });
  await replayed(server, 3);
  await site.daemon.kill9();
  await waitFor(() => server.log().includes('connection to pghoard at'), {
    withinMs: 60_000,
    what: () => `the standby asks in vain:\n${server.log()}`,
  });
  await site.daemon.launch();
  const rows = site.rows;
  const hasAll = async () => (await server.query('SELECT max(id) AS last FROM ledger'))[0]?.['last'] === rows;
  await waitFor(hasAll, { withinMs: 60_000, what: () => `the standby has replayed all:\n${server.log()}` });
  await site.compareLedger(server);
  assert.deepEqual(await server.query('SELECT pg_is_in_recovery() AS recovering'), [{ recovering: true }]);
});
