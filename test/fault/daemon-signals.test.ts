import assert from 'node:assert/strict';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { healthDocument } from '../../src/daemon/health/health-document.ts';
import { runOurs } from '../support/commands.ts';
import { siteName } from '../support/daemon.ts';
import { chunked, FaultSite } from '../support/fault-site.ts';
import { freePort } from '../support/free-port.ts';
import { limitFileSize } from '../support/small-disk.ts';
import { waitFor } from '../support/wait-for.ts';

let site: FaultSite;
/** Where the log of the current test begins. */
let logStart = 0;

before(async () => {
  // Slow compression, so that a base backup lasts long enough for something to happen meanwhile.
  site = await FaultSite.start({
    site: { ...chunked, basebackup_count: 20 },
    global: { compression: { algorithm: 'lzma', level: 2, thread_count: 2 } },
  });
});
beforeEach(() => (logStart = site.daemon.log.length));
after(async () => site[Symbol.asyncDispose]());

function log(): string {
  return site.daemon.log.slice(logStart);
}

async function logged(what: RegExp): Promise<void> {
  await waitFor(() => what.test(log()), { withinMs: 60_000, what: () => `the daemon logs ${what}:\n${log()}` });
}

function send(signal: NodeJS.Signals): void {
  process.kill(site.daemon.pid ?? 0, signal);
}

/** WAL that is just being archived when the daemon ends at once stays there too. */
function isOfBasebackup(spooled: string): boolean {
  return !spooled.startsWith(site.spooledWalDirectory);
}

/**
 * Restarts the daemon with a segment in its spool that it cannot store, because it may not write files: its upload is under way from then on.
 * Resolves to the segment's name.
 */
async function stuckUpload(): Promise<string> {
  await site.settle();
  const name =
    (await readdir(site.storedWalDirectory))
      .filter((file) => /^[0-9A-F]{24}$/.test(file))
      .toSorted()
      .at(-1) ?? '';
  await site.daemon.stop();
  for (const file of [name, `${name}.metadata`]) await rename(join(site.storedWalDirectory, file), join(site.spooledWalDirectory, file));
  logStart = site.daemon.log.length;
  // The daemon inherits the limit of this process.
  await limitFileSize(process.pid, '0');
  const launched = site.daemon.launch();
  await limitFileSize(process.pid, 'unlimited');
  await launched;
  await logged(/upload failed, will be repeated/);
  return name;
}

test('SIGTERM lets an upload that is under way finish, whatever SIGHUP wants meanwhile, and then ends with 0', async () => {
  const name = await stuckUpload();
  send('SIGTERM');
  await logged(/stopping: no new work/);
  send('SIGHUP');
  await logged(/the configuration is not read again, because pghoard stops/);
  await limitFileSize(site.daemon.pid ?? 0, 'unlimited');
  assert.equal(await site.daemon.ended(), 0, log());
  assert.doesNotMatch(log(), /not waiting any longer/);
  assert(await (await site.daemon.catalog()).findWal(name), 'the segment is in the store');
  assert.deepEqual(await site.spooled(), []);
  await site.daemon.launch();
  await site.settle();
  await site.check();
});

test('a second SIGTERM ends it at once; what waited in the spool is stored after the next start', async () => {
  const name = await stuckUpload();
  send('SIGTERM');
  await logged(/stopping: no new work/);
  send('SIGTERM');
  assert.equal(await site.daemon.ended(), 0, log());
  assert.match(log(), /not waiting any longer/);
  assert.equal(await (await site.daemon.catalog()).findWal(name), undefined);
  await site.daemon.launch();
  await site.daemon.archived(name);
  await site.settle();
  await site.check();
});

for (const [signal, words] of [
  ['SIGTERM', /stopping: no new work/],
  ['SIGINT', /stopping at once/],
] as const) {
  test(`${signal} gives a running base backup up, of which nothing stays but the request`, async () => {
    const { basebackups } = await site.check();
    const chunks = await site.chunks();
    await site.beginBasebackup();
    await site.spooledPart(1);
    assert.equal(await site.daemon.stop(signal), 0, log());
    assert.match(log(), words);
    assert.match(log(), /the base backup was given up because pghoard stops/);
    assert.deepEqual(await site.chunks(), chunks);
    assert.deepEqual((await site.spooled()).filter(isOfBasebackup), []);
    await site.daemon.launch();
    await site.requestServed();
    await site.settle();
    assert.deepEqual((await site.check()).basebackups.slice(0, -1), basebackups);
  });
}

test('SIGHUP, then SIGTERM before it is done, while WAL comes in and goes out: no answer is wrong, and nothing is lost', async () => {
  const stored = (await readdir(site.storedWalDirectory)).find((file) => /^[0-9A-F]{24}$/.test(file));
  await site.addSegments(6);
  const good = await readFile(site.daemon.configFile, 'utf8');
  await rewriteConfig((config) => ({ ...config, compression: { algorithm: 'snappy', thread_count: 2 } }));
  const archiving = site.archiveAllAtOnce();
  const headers = { accept: 'application/octet-stream' };
  const fetching = Array.from(
    { length: 20 },
    async () => (await site.daemon.request('GET', `/${siteName}/archive/${stored}`, headers)).status,
  );
  send('SIGHUP');
  send('SIGTERM');
  const answers = await Promise.allSettled([...fetching, archiving]);
  assert.equal(await site.daemon.ended(), 0, log());
  const statuses = answers.flatMap((answer) => (answer.status === 'fulfilled' && typeof answer.value === 'number' ? [answer.value] : []));
  // 404 would end a recovery.
  assert(
    statuses.every((status) => status === 200 || status >= 500),
    String(statuses),
  );
  // Whichever signal gets through first.
  assert.match(log(), /(configuration reloaded|configuration is not read again)[^]*stopped/);
  await site.daemon.launch();
  await site.settle();
  await site.check();
  await writeFile(site.daemon.configFile, good);
  const reloads = () => log().split('configuration reloaded').length;
  const reloadsBefore = reloads();
  send('SIGHUP');
  await waitFor(() => reloads() > reloadsBefore, { withinMs: 30_000, what: 'the old configuration is back' });
});

type ConfigFile = Record<string, unknown> & { readonly backup_sites: Record<string, Record<string, unknown>> };

async function rewriteConfig(change: (config: ConfigFile) => unknown): Promise<void> {
  const config = JSON.parse(await readFile(site.daemon.configFile, 'utf8')) as ConfigFile;
  const changed = change(config);
  await writeFile(site.daemon.configFile, typeof changed === 'string' ? changed : JSON.stringify(changed));
}

/** As everybody is told who asks how the site is. */
async function alertsBecome(name: string, isRaised: boolean): Promise<void> {
  const isSo = async () => {
    const { alerts } = healthDocument.parse(await (await site.daemon.request('GET', `/${siteName}/status`)).json());
    return alerts.some((alert) => alert.name === name) === isRaised;
  };
  await waitFor(isSo, { withinMs: 30_000, what: `${name} is ${isRaised ? 'told' : 'over'}` });
}

async function statusOf(name: string): Promise<number> {
  return (await site.daemon.request('GET', `/${name}/basebackup`)).status;
}

test('SIGHUP with garbage keeps the configuration that is in force, and says why', async () => {
  const good = await readFile(site.daemon.configFile, 'utf8');
  await writeFile(site.daemon.configFile, good.replace('"backup_sites"', '"backup_sights"'));
  send('SIGHUP');
  await logged(/configuration not reloaded, the old one stays.*/);
  await logged(/backup_sights/);
  await writeFile(site.daemon.configFile, `${good.slice(0, -5)} garbage`);
  send('SIGHUP');
  await logged(/line \d+/);
  await alertsBecome('configuration_not_reloaded', true);
  await writeFile(site.daemon.configFile, good);
  assert.equal(await statusOf(siteName), 200);
  send('SIGHUP');
  await alertsBecome('configuration_not_reloaded', false);
  await site.settle();
});

test('SIGHUP adds and removes sites and changes the log level under a running base backup of another site', async () => {
  const good = await readFile(site.daemon.configFile, 'utf8');
  const complete = (await site.daemon.basebackups(0)).length;
  await site.beginBasebackup();
  await site.spooledPart(1);
  const second = { active: false, object_storage: { storage_type: 'local', directory: join(site.directory, 'second') } };
  await rewriteConfig((config) => ({ ...config, log_level: 'INFO', backup_sites: { ...config.backup_sites, second } }));
  send('SIGHUP');
  await logged(/configuration reloaded/);
  assert.doesNotMatch(log(), /base backup is complete/, 'the base backup was still running');
  assert.equal(await statusOf('second'), 200);
  const quietFrom = site.daemon.log.length;
  assert.equal((await site.daemon.basebackups(complete + 1, 180_000)).length, complete + 1);
  await logged(/base backup is complete/);
  assert.equal(log().split('base backup begins').length, 2, `it was taken in one go:\n${log()}`);
  assert.doesNotMatch(site.daemon.log.slice(quietFrom), /DEBUG/, 'the log level is the new one');

  await writeFile(site.daemon.configFile, good);
  send('SIGHUP');
  await waitFor(async () => (await statusOf('second')) === 404, { withinMs: 30_000, what: 'the site is gone' });
  await site.settle();
  await site.check();
  await site.restoreAndCompare();
});

const contenders: [what: string, change: (port: number) => Record<string, unknown>, refusal: RegExp][] = [
  ['whose port is taken', () => ({}), /http-listen-failed: cannot listen at 127\.0\.0\.1 port \d+[^]*in use/],
  [
    'whose backup_location is in use',
    (port) => ({ http_port: port }),
    /backup-location-in-use: another pghoard uses backup_location .*: process \d+ on .+, since 2[^]*hint: /,
  ],
];
for (const [what, change, refusal] of contenders) {
  test(`a daemon ${what} says so and ends with 1, and leaves alone what the first one is about to store`, async () => {
    const inUse = join(site.daemon.spoolDirectory, 'xlog', '000000010000000000000001.abcdef012345.tmp');
    await writeFile(inUse, 'unfinished');
    const config = JSON.parse(await readFile(site.daemon.configFile, 'utf8')) as ConfigFile;
    const file = join(site.directory, 'contender.json');
    await writeFile(file, JSON.stringify({ ...config, ...change(await freePort()) }));
    const { startup_time: started } = await state();
    const result = await runOurs('pghoard', ['--config', file]);
    assert.equal(result.code, 1);
    assert.match(result.stderr, refusal);
    assert.equal((await state())['startup_time'], started, 'the state file is that of the first one');
    await rm(inUse);
    await site.settle();
  });
}

async function state(): Promise<Record<string, unknown>> {
  return (await (await site.daemon.request('GET', '/status')).json()) as Record<string, unknown>;
}
