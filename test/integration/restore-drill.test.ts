import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { DrillEvidence } from '../../src/catalog/evidence/drill-evidence.ts';
import { EvidenceReader } from '../../src/catalog/evidence/read-evidence.ts';
import type { RecoverabilityDocument } from '../../src/catalog/recoverability/recoverability-document.ts';
import { runOurs } from '../support/commands.ts';
import { siteName } from '../support/daemon.ts';
import { descendantsOf, isRunning, signalProcess } from '../support/process-tree.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

const rows = 500;

describe('a restore drill', () => {
  let site: TestSite;
  let workdir: string;
  const drill = (...flags: string[]) => runOurs('pghoard', ['drill', '--config', site.daemon.configFile, '--json', ...flags]);
  const heldWith = async (code: number, ...flags: string[]) => {
    const result = await drill(...flags);
    assert.equal(result.code, code, `${result.stdout}\n${result.stderr}\n${site.daemon.log}`);
    return JSON.parse(result.stdout) as DrillEvidence;
  };
  const evidence = async () => (await new EvidenceReader(await site.daemon.catalog()).read(new AbortController().signal)).drills;
  const remains = async () => (await readdir(workdir)).filter((name) => !name.endsWith('.lock'));
  const wishes = (changes: Readonly<Record<string, unknown>> = {}) => ({
    restore_drill: {
      workdir,
      schedule: null,
      queries: [{ sql: 'SELECT count(*) FROM ledger', expected: String(rows) }],
      ...changes,
    },
  });
  const isRaised = async (name: string) => {
    const status = await (await site.daemon.request('GET', '/status')).json();
    return (status as { pghoard: { alerts: { name: string }[] } }).pghoard.alerts.some((alert) => alert.name === name);
  };
  const alert = (name: string, raised: boolean) =>
    waitFor(async () => (await isRaised(name)) === raised, { withinMs: 60_000, what: () => `${name} is ${raised}\n${site.daemon.log}` });
  const recoverability = async () => {
    return (await (await site.daemon.request('GET', `/${siteName}/recoverability`)).json()) as RecoverabilityDocument;
  };

  const requestsToPreserve = async () => {
    const catalog = await site.daemon.catalog();
    const keys: string[] = [];
    for await (const { key } of catalog.store.list(catalog.keys.preservationPrefix)) keys.push(key);
    return keys;
  };

  before(async () => {
    site = await TestSite.start({ initdb: ['--wal-segsize=1', '--data-checksums'], version: '15', site: { basebackup_count: 20 } });
    workdir = site.place('drills');
    await site.postgres.query(`CREATE TABLE ledger AS SELECT n, md5(n::text) AS entry FROM generate_series(1, ${rows}) AS n`);
    await site.postgres.query('ALTER SYSTEM SET shared_preload_libraries = $$a_library_that_is_not_there$$');
    await site.daemon.reconfigure({ site: wishes() });
    await site.basebackup();
    await site.postgres.query('CREATE TABLE later (n int)');
    await site.archiveAll();
    await waitFor(async () => (await recoverability()).newest?.time, {
      withinMs: 60_000,
      what: () => `it is restorable\n${site.daemon.log}`,
    });
  });
  after(() => site?.[Symbol.asyncDispose]());

  test('passes, tells what it has shown, and leaves nothing but that', async () => {
    const shown = await heldWith(0, '--target', 'latest');
    assert.equal(shown.result, 'passed');
    assert.deepEqual(
      shown.checks.map(({ name, result }) => `${name} ${result}`),
      ['recovery passed', 'databases passed', 'relations passed', 'query 1 passed', 'checksums passed'],
    );
    assert.equal(shown.replayed_to?.timeline, 1);
    assert.deepEqual(await evidence(), [shown]);
    assert.deepEqual(await remains(), []);
    assert.deepEqual(await requestsToPreserve(), [], 'nothing keeps the base backup any more');
  });

  test('is recovered to a moment before the last commit', async () => {
    const shown = await heldWith(0, '--target', 'random');
    assert.ok(['time', 'latest'].includes(shown.target.kind));
    assert.equal(shown.result, 'passed');
  });

  test('fails where the server does not answer as expected', async () => {
    await site.daemon.reconfigure({ site: wishes({ queries: [{ sql: 'SELECT count(*) FROM ledger', expected: '1' }] }) });
    const shown = await heldWith(2);
    assert.match(shown.because ?? '', /query 1: the answer is '500' instead of '1'/);
  });

  test('a damaged base backup fails, the daemon tells of it, and takes that back when one passes', async () => {
    const keys = join(site.daemon.storeDirectory, siteName, 'basebackup_chunk');
    const [directory = ''] = await readdir(keys);
    const [chunk = ''] = (await readdir(join(keys, directory))).filter((name) => !name.endsWith('.metadata'));
    const path = join(keys, directory, chunk);
    const sound = await readFile(path);
    await using file = await open(path, 'r+');
    await file.write(Buffer.alloc(64, 0xff), 0, 64, Math.floor(sound.length / 2));
    const begun = site.daemon.log.length;
    await site.daemon.reconfigure({ site: wishes({ schedule: { interval_hours: 1 / 3600 } }) });
    const failed = () => /restore drill FAILED after .*the object is damaged/.test(site.daemon.log.slice(begun));
    await waitFor(failed, { withinMs: 60_000, what: () => `it fails\n${site.daemon.log}` });
    await alert('restore_drill_failed', true);
    await writeFile(path, sound);
    await alert('restore_drill_failed', false);
    assert.match(site.daemon.log, /restore drill passed/);
    const isProven = async () => (await recoverability()).timelines[0]?.spans.some(({ state }) => state === 'proven');
    await waitFor(isProven, { withinMs: 60_000, what: () => `it counts as proven\n${site.daemon.log}` });
    await site.daemon.reconfigure({ site: wishes() });
  });

  test('one that cannot be held proves nothing, and that is told after a while', async () => {
    await site.daemon.reconfigure({ site: wishes({ max_size: 1 }) });
    const shown = await heldWith(1);
    assert.equal(shown.result, 'impossible');
    assert.match(shown.because ?? '', /too large/);
    await site.daemon.reconfigure({ site: wishes({ time_limit_minutes: 0.005 }) });
    assert.match((await heldWith(1)).because ?? '', /took longer than 0.005 minutes/);
    assert.deepEqual(await remains(), []);
    await site.daemon.reconfigure({ site: wishes({ max_size: 1, schedule: { interval_hours: 1 / 3600 } }) });
    await alert('restore_drill_overdue', true);
    await site.daemon.reconfigure({ site: wishes({ schedule: { interval_hours: 1 / 360 } }) });
    await alert('restore_drill_overdue', false);
    await site.daemon.reconfigure({ site: wishes() });
  });

  test('one that is killed takes its server with it, and the next one removes what it left', async () => {
    await site.daemon.reconfigure({ site: wishes({ queries: [{ sql: 'SELECT pg_sleep(600)' }], schedule: { interval_hours: 1 / 3600 } }) });
    const isAsking = async () => {
      const processes = descendantsOf(site.daemon.pid ?? 0);
      const texts = await Promise.all(processes.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
      const server = processes[texts.findIndex((text) => text.includes('config_file='))];
      return server !== undefined && texts.some((text) => /SELECT/.test(text)) ? { drill: processes[0] as number, server } : undefined;
    };
    const running = await waitFor(isAsking, { withinMs: 60_000, what: () => `a drill asks\n${site.daemon.log}` });
    signalProcess(running.drill, 'SIGKILL');
    await waitFor(() => !isRunning(running.server), { withinMs: 60_000, what: 'its server is gone' });
    await site.daemon.reconfigure({ site: wishes() });
    await heldWith(0);
    assert.deepEqual(await remains(), []);
  });

  test('is stopped with the daemon', async () => {
    await site.daemon.reconfigure({ site: wishes({ queries: [{ sql: 'SELECT pg_sleep(600)' }], schedule: { interval_hours: 1 / 3600 } }) });
    await waitFor(async () => (await remains()).length > 0, { withinMs: 60_000, what: () => `a drill runs\n${site.daemon.log}` });
    const [directory = ''] = await remains();
    await site.daemon.stop();
    assert.equal(existsSync(join(workdir, directory)), false);
  });
});
