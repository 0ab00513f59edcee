import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HttpStub } from '../../../test/support/services/http-stub.ts';
import { SimulatedClock } from '../../../test/support/simulated-clock.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { type Log, silentLog } from '../../lib/log.ts';
import { systemRandom } from '../../lib/random.ts';
import type { AlertEvent } from './alert-event.ts';
import { type AlertSettings, Alerts } from './alerts.ts';
import { alertOptions } from './options.ts';

/** A daemon's alerts, with as many lives as the test wants. */
class Bench {
  readonly directory: string;
  readonly clock: Clock;
  readonly logged: string[] = [];
  sites: Record<string, { active: boolean; alerts: null }> = { a: { active: true, alerts: null }, b: { active: true, alerts: null } };
  alertOptions: Record<string, unknown> = {};
  alerts: Alerts;
  #alertDirectory: string;

  static async make(t: TestContext, clock: Clock = systemClock): Promise<Bench> {
    const scratch = await makeTemporaryDirectory();
    const bench = new Bench(scratch.path, clock);
    t.after(async () => {
      await bench.alerts.close();
      await scratch[Symbol.asyncDispose]();
    });
    return bench;
  }

  private constructor(directory: string, clock: Clock) {
    this.directory = directory;
    this.clock = clock;
    this.#alertDirectory = join(directory, 'alerts');
    this.alerts = this.#make();
  }

  get settings(): AlertSettings {
    return {
      alerts: alertOptions.parse(this.alertOptions),
      alert_file_dir: this.#alertDirectory,
      backup_location: this.directory,
      backup_sites: this.sites as unknown as AlertSettings['backup_sites'],
    };
  }

  async restart(): Promise<void> {
    await this.alerts.close();
    await this.start();
  }

  async start(): Promise<void> {
    this.alerts = this.#make();
    await this.alerts.begin(this.settings);
  }

  async moveFiles(name: string): Promise<void> {
    this.#alertDirectory = join(this.directory, name);
    await this.alerts.follow(this.settings);
  }

  files(name = 'alerts'): Promise<string[]> {
    return readdir(join(this.directory, name)).catch(() => []);
  }

  get active(): string[] {
    return this.alerts.active.map(({ name, site }) => `${name} ${site}`);
  }

  #make(): Alerts {
    const tell = (_fields: object, message: string) => void this.logged.push(message);
    const log: Log = { ...silentLog, info: tell, warn: tell, error: tell };
    return new Alerts({ directory: this.#alertDirectory, host: 'db1', version: '3', clock: this.clock, random: systemRandom, log });
  }
}

test('an alert file stands as long as one site has the trouble', async (t) => {
  const bench = await Bench.make(t);
  await bench.alerts.begin(bench.settings);
  await bench.alerts.raise('upload_retries_warning', 'a', 'store down');
  await bench.alerts.raise('upload_retries_warning', 'b', 'store down');
  assert.equal(await readFile(join(bench.directory, 'alerts/upload_retries_warning'), 'utf8'), 'alert');

  await bench.alerts.clear('upload_retries_warning', 'a');
  assert.deepEqual(await bench.files(), ['upload_retries_warning']);
  const [{ name, site, because, severity, hint } = assert.fail()] = bench.alerts.active;
  assert.deepEqual([name, site, because, severity], ['upload_retries_warning', 'b', 'store down', 'warning']);
  assert.match(hint, /pghoard check/);

  await bench.alerts.clear('upload_retries_warning', 'b');
  assert.deepEqual(await bench.files(), []);
  assert.deepEqual(bench.alerts.active, []);
});

test('a file that was left goes when somebody finds its cause gone', async (t) => {
  const bench = await Bench.make(t);
  await mkdir(join(bench.directory, 'alerts'));
  for (const name of ['authentication_error', 'wal_gap', 'of_somebody_else'])
    await writeFile(join(bench.directory, 'alerts', name), 'alert');
  await bench.alerts.begin(bench.settings);
  await bench.alerts.clear('authentication_error', 'a');
  assert.deepEqual((await bench.files()).toSorted(), ['of_somebody_else', 'wal_gap']);
  await bench.alerts.raise('wal_gap', 'a', 'a hole');
  await bench.alerts.clear('wal_gap', 'a');
  assert.deepEqual(await bench.files(), ['of_somebody_else']);
});

test('a file that was left, and of which nobody says anything, goes after ten minutes', async (t) => {
  const clock = new SimulatedClock();
  const bench = await Bench.make(t, clock);
  await mkdir(join(bench.directory, 'alerts'));
  for (const name of ['version_mismatch_error', 'wal_gap']) await writeFile(join(bench.directory, 'alerts', name), 'alert');
  await bench.alerts.begin(bench.settings);
  await bench.alerts.raise('wal_gap', 'a', 'a hole');
  await clock.run(clock.sleep(590_000));
  assert.deepEqual((await bench.files()).toSorted(), ['version_mismatch_error', 'wal_gap']);
  await clock.run(clock.sleep(20_000));
  await waitFor(async () => (await bench.files()).join() === 'wal_gap', { withinMs: 5_000, what: 'the file goes' });
});

test('an alert outlives a restart, and goes where nobody confirms it', async (t) => {
  const clock = new SimulatedClock();
  const bench = await Bench.make(t, clock);
  await bench.alerts.begin(bench.settings);
  await bench.alerts.raise('store_denied', 'a', 'a revoked key');
  await bench.alerts.raise('wal_gap', 'b', 'a hole');
  const since = bench.alerts.active[0]?.since;
  await bench.restart();
  assert.deepEqual(bench.active, ['store_denied a', 'wal_gap b']);
  assert.deepEqual((await bench.files()).toSorted(), ['store_denied', 'wal_gap']);
  await bench.alerts.raise('store_denied', 'a', 'a revoked key');
  assert.deepEqual(bench.alerts.active[0]?.since, since);
  await clock.run(clock.sleep(610_000));
  assert.deepEqual(bench.active, ['store_denied a']);
  await waitFor(async () => (await bench.files()).join() === 'store_denied', { withinMs: 5_000, what: 'the file goes' });
});

test('what a site has goes with the site, and with its activity', async (t) => {
  const bench = await Bench.make(t);
  await bench.alerts.begin(bench.settings);
  await bench.alerts.raise('wal_gap', 'a', 'a hole');
  await bench.alerts.raise('wal_gap', 'b', 'a hole');
  await bench.alerts.raise('worker_crashed', null, 'a thread died');
  delete bench.sites['a'];
  await bench.alerts.follow(bench.settings);
  assert.deepEqual(bench.active, ['wal_gap b', 'worker_crashed null']);
  bench.sites['b'] = { active: false, alerts: null };
  await bench.restart();
  assert.deepEqual(bench.active, ['worker_crashed null']);
  assert.deepEqual(await bench.files(), ['worker_crashed']);
});

test('a directory that cannot be written is told of once, tried again, and holds up nothing', async (t) => {
  const clock = new SimulatedClock();
  const bench = await Bench.make(t, clock);
  await writeFile(join(bench.directory, 'alerts'), 'a file where a directory should be');
  await bench.alerts.begin(bench.settings);
  await bench.alerts.raise('wal_gap', 'a', 'a hole');
  await bench.alerts.raise('store_denied', 'a', 'a revoked key');
  assert.deepEqual(bench.active, ['wal_gap a', 'store_denied a']);
  assert.match(bench.alerts.view.files ?? '', /EEXIST|ENOTDIR/);
  assert.equal(bench.logged.filter((line) => line.startsWith('cannot keep the alert files')).length, 1);
  await rm(join(bench.directory, 'alerts'));
  await clock.run(clock.sleep(31_000));
  await waitFor(() => bench.alerts.view.files === null, { withinMs: 5_000, what: 'the files are written' });
  assert.deepEqual((await bench.files()).toSorted(), ['store_denied', 'wal_gap']);
});

test('another directory takes over, and the old one is left without files', async (t) => {
  const bench = await Bench.make(t);
  await bench.alerts.begin(bench.settings);
  await bench.alerts.raise('wal_gap', 'a', 'a hole');
  await bench.moveFiles('elsewhere');
  assert.deepEqual([await bench.files(), await bench.files('elsewhere')], [[], ['wal_gap']]);
});

test('what cannot be delivered waits over a restart, in its order; a memory that is damaged stops nothing', async (t) => {
  let status = 503;
  await using hook = await HttpStub.start(() => ({ status }));
  const bench = await Bench.make(t);
  bench.alertOptions = { webhook: { url: `${hook.url}/token-of-ours` }, after_seconds: 0, settle_seconds: 0 };
  await bench.alerts.begin(bench.settings);
  await bench.alerts.raise('wal_gap', 'a', 'a hole');
  await bench.alerts.raise('store_denied', 'b', 'a revoked key');
  await bench.alerts.clear('wal_gap', 'a');
  await waitFor(() => hook.seen.length > 0, { withinMs: 5_000, what: 'the webhook is asked' });
  status = 200;
  await bench.restart();
  const events = () => hook.seen.map(({ body }) => JSON.parse(body.toString()) as AlertEvent);
  await waitFor(() => bench.alerts.view.channels[0]?.waiting === 0, { withinMs: 5_000, what: 'all is delivered' });
  const told = [...new Map(events().map((event) => [event.id, `${event.event} ${event.alert?.name}`])).values()];
  assert.deepEqual(told, ['alert.raised wal_gap', 'alert.raised store_denied', 'alert.cleared wal_gap']);
  assert.doesNotMatch(bench.logged.join(), /token-of-ours/);

  await bench.alerts.close();
  await writeFile(join(bench.directory, 'pghoard.alerts.json'), '{"alerts": [1');
  await bench.start();
  assert.match(bench.logged.at(-1) ?? '', /alerts of an earlier life are forgotten/);
  assert.deepEqual(bench.active, []);
});

test('what somebody is told has been written down before', async (t) => {
  const remembered: string[] = [];
  let file = '';
  await using hook = await HttpStub.start(({ body }) => {
    const { alert } = JSON.parse(body.toString()) as AlertEvent;
    const { alerts } = JSON.parse(readFileSync(file, 'utf8')) as { alerts: { name: string; told: string | null }[] };
    remembered.push(`${alert?.name}: ${alerts.some(({ name, told }) => name === alert?.name && told !== null)}`);
    return {};
  });
  const bench = await Bench.make(t);
  file = join(bench.directory, 'pghoard.alerts.json');
  bench.alertOptions = { webhook: { url: hook.url }, after_seconds: 0 };
  await bench.alerts.begin(bench.settings);
  await bench.alerts.raise('wal_gap', 'a', 'a hole');
  await bench.alerts.raise('store_denied', 'b', 'a revoked key');
  await waitFor(() => remembered.length === 2, { withinMs: 5_000, what: 'both are told' });
  assert.deepEqual(remembered, ['wal_gap: true', 'store_denied: true']);
});

test('who is new hears of what stands', async (t) => {
  await using hook = await HttpStub.start(() => ({}));
  const bench = await Bench.make(t);
  bench.alertOptions = { after_seconds: 0 };
  await bench.alerts.begin(bench.settings);
  await bench.alerts.raise('wal_gap', 'a', 'a hole');
  bench.alertOptions = { webhook: { url: hook.url }, after_seconds: 0 };
  await bench.alerts.follow(bench.settings);
  // What was told but not answered yet would be told once more.
  const isDelivered = () => hook.seen.length === 1 && bench.alerts.view.channels.every(({ waiting }) => waiting === 0);
  await waitFor(isDelivered, { withinMs: 5_000, what: 'it is told' });
  await bench.alerts.follow(bench.settings);
  await bench.restart();
  await bench.alerts.raise('store_denied', 'a', 'a revoked key');
  await waitFor(() => hook.seen.length === 2, { withinMs: 5_000, what: 'only what is new is told' });
  assert.match(hook.seen[1]?.body.toString() ?? '', /store_denied/);
});
