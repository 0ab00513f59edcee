import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { TestAuthority } from '../../../test/support/certificates.ts';
import { isRunning } from '../../../test/support/process-tree.ts';
import { HttpStub } from '../../../test/support/services/http-stub.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { systemClock } from '../../lib/clock.ts';
import { type Log, silentLog } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { type AlertName, alertKinds } from './alert-catalogue.ts';
import { type AlertEvent, alertEvent, basebackupEvent } from './alert-event.ts';
import { Channels } from './channels.ts';
import { alertOptions } from './options.ts';

const teller = (id: string) => ({ id, at: new Date('2026-11-30T12:00:00Z'), host: 'db1', version: '3.0.0' });
const noChance: Random = { next: () => 0, hex: () => 'ff' };
const soon = { withinMs: 10_000 };

function alert(id: string, site: string | null = 'main', name: AlertName = 'wal_gap'): AlertEvent {
  return alertEvent(
    'alert.raised',
    { name, site, ...alertKinds[name], since: new Date(0), because: 'WAL is missing\nreally', times: 1 },
    teller(id),
  );
}

interface Bench {
  readonly channels: Channels;
  readonly logged: string[];
  readonly directory: string;
  readonly follow: (alerts: unknown, sites?: Readonly<Record<string, unknown>>) => Promise<void>;
  readonly delivered: () => Promise<unknown>;
}

async function bench(t: TestContext): Promise<Bench> {
  const scratch = await makeTemporaryDirectory();
  const logged: string[] = [];
  const tell = (fields: object, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const log: Log = { ...silentLog, info: tell, warn: tell, error: tell };
  // The least of what chance allows, and ten times faster.
  const clock = { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 10, signal) };
  const channels = new Channels({ clock, random: noChance, log, onChange: () => {}, saved: async () => {} });
  t.after(async () => {
    await channels.close();
    await scratch[Symbol.asyncDispose]();
  });
  const own = (alerts: unknown) => ({ alerts: alerts === undefined ? null : alertOptions.parse(alerts) });
  return {
    channels,
    logged,
    directory: scratch.path,
    follow: async (alerts, sites = {}) => {
      const backup_sites = Object.fromEntries(['main', 'other'].map((name) => [name, own(sites[name])]));
      await channels.follow({ alerts: alertOptions.parse(alerts), backup_sites });
    },
    delivered: () =>
      waitFor(() => channels.view.every(({ waiting }) => waiting === 0), { ...soon, what: () => JSON.stringify(channels.view) }),
  };
}

const bodies = ({ seen }: HttpStub) => seen.map(({ body }) => JSON.parse(body.toString()) as AlertEvent);

test('a webhook gets JSON with headers of its own, signed as Standard Webhooks has it', async (t) => {
  await using hook = await HttpStub.start(() => ({ status: 204 }));
  const { channels, directory, follow, delivered, logged } = await bench(t);
  const secret = Buffer.from('a secret of thirty-two bytes, or so');
  const secretFile = join(directory, 'secret');
  await writeFile(secretFile, `whsec_${secret.toString('base64')}\n`);
  await follow({ webhook: { url: `${hook.url}/T0/token`, headers: { Authorization: 'Bearer hidden' }, secret_file: secretFile } });
  channels.add(alert('a1'));
  await delivered();
  const [{ method, path, headers, body } = assert.fail()] = hook.seen;
  assert.deepEqual(
    [method, path, headers['content-type'], headers.authorization],
    ['POST', '/T0/token', 'application/json', 'Bearer hidden'],
  );
  const signed = `${headers['webhook-id']?.toString()}.${headers['webhook-timestamp']?.toString()}.${body.toString()}`;
  assert.equal(headers['webhook-signature'], `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`);
  assert.deepEqual(JSON.parse(body.toString()), {
    schema_version: 1,
    id: 'a1',
    at: '2026-11-30T12:00:00.000Z',
    host: 'db1',
    pghoard_version: '3.0.0',
    site: 'main',
    severity: 'critical',
    summary: 'pghoard, site main: wal_gap: WAL is missing',
    event: 'alert.raised',
    alert: {
      name: 'wal_gap',
      since: '1970-01-01T00:00:00.000Z',
      because: 'WAL is missing\nreally',
      hint: alertKinds.wal_gap.hint,
      times: 1,
    },
    basebackup: null,
  });
  assert.doesNotMatch(JSON.stringify([channels.view, logged]), /token|hidden/);
});

test('a webhook that is down is told of once and gets everything in order later; the command is not held up by it', async (t) => {
  let status = 500;
  await using hook = await HttpStub.start(() => ({ status, headers: { location: 'https://elsewhere/secret-place' } }));
  const { channels, directory, follow, delivered, logged } = await bench(t);
  const output = join(directory, 'told');
  const script = 'cat > /dev/null; printf "%s %s\\n" "$PGHOARD_EVENT_ID" "$PGHOARD_ALERT$PGHOARD_BASEBACKUP" >> "$0"';
  await follow({ webhook: { url: hook.url }, command: ['sh', '-c', script, output] });
  for (const id of ['a', 'b']) channels.add(alert(id));
  channels.add(basebackupEvent('main', { name: 'backup-1', reason: 'scheduled', started: 'now', failures: 0, because: null }, teller('c')));
  await waitFor(async () => (await readFile(output, 'utf8')) === 'a wal_gap\nb wal_gap\nc backup-1\n', {
    ...soon,
    what: 'the command was told',
  });
  const view = () => channels.view.find(({ channel }) => channel === 'webhook');
  assert.deepEqual([view()?.waiting, view()?.because], [3, `${hook.url} answered 500`]);
  assert.ok(view()?.failing_since);
  status = 302;
  await waitFor(() => view()?.because?.endsWith('answered 302'), { ...soon, what: 'redirections are not followed' });
  status = 200;
  await delivered();
  const taken = [...new Set(bodies(hook).map(({ id }) => id))];
  assert.deepEqual(taken, ['a', 'b', 'c']);
  assert.deepEqual([view()?.failing_since, view()?.because], [null, null]);
  assert.equal(logged.filter((line) => line.includes('answered 500')).length, 1);
  assert.equal(logged.filter((line) => line.includes('delivered again')).length, 1);
  assert.doesNotMatch(logged.join(), /secret-place/);
});

test('a webhook that says nothing is given up in time', async (t) => {
  const silent = await listening(createServer(() => {}));
  t.after(() => silent.close());
  const { channels, follow } = await bench(t);
  await follow({ webhook: { url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`, timeout_seconds: 0.2 } });
  channels.add(alert('a'));
  await waitFor(() => channels.view[0]?.because?.endsWith('no answer within 0.2 s'), {
    ...soon,
    what: () => JSON.stringify(channels.view),
  });
});

test('what a webhook refuses for what it is does not hold up what comes after it', async (t) => {
  await using hook = await HttpStub.start(({ body }) => ({ status: body.toString().includes('"bad"') ? 422 : 200 }));
  const { channels, follow, delivered, logged } = await bench(t);
  await follow({ webhook: { url: hook.url } });
  for (const id of ['bad', 'good']) channels.add(alert(id));
  await delivered();
  assert.deepEqual(
    bodies(hook).map(({ id }) => id),
    ['bad', 'bad', 'bad', 'bad', 'bad', 'good'],
  );
  assert.ok(logged.some((line) => line.startsWith('an alert is given up')));
});

test('TLS: only a certificate that is trusted gets anything', async (t) => {
  const { channels, directory, follow, delivered } = await bench(t);
  const authority = await TestAuthority.create(directory);
  const { key, cert } = await authority.issue('localhost');
  const seen: string[] = [];
  const server = createTlsServer({ key: await readFile(key), cert: await readFile(cert) }, (request, response) => {
    seen.push(request.url ?? '');
    response.end();
  });
  await listening(server);
  t.after(() => server.close());
  const url = `https://localhost:${(server.address() as AddressInfo).port}/in`;
  await follow({ webhook: { url } });
  channels.add(alert('a'));
  await waitFor(() => channels.view[0]?.because?.includes('certificate'), { ...soon, what: () => JSON.stringify(channels.view) });
  assert.deepEqual(seen, []);
  await follow({ webhook: { url, ca_file: authority.cert } });
  await delivered();
  assert.deepEqual(seen, ['/in']);
});

test('a command that fails is started again; one that does not end is killed with its children', async (t) => {
  const { channels, directory, follow, delivered, logged } = await bench(t);
  const pidFile = join(directory, 'pid');
  await follow({ command: ['sh', '-c', 'echo this is said; sleep 600 & echo $! > "$0"; wait', pidFile], command_timeout_seconds: 1 });
  channels.add(alert('a'));
  await waitFor(() => channels.view[0]?.because?.includes('was killed: it took more than 1 s'), {
    ...soon,
    what: () => JSON.stringify(channels.view),
  });
  const child = Number(await readFile(pidFile, 'utf8'));
  await waitFor(() => !isRunning(child), { ...soon, what: 'the child of the command is gone' });
  assert.ok(
    logged.some((line) => line.includes('the alert command said: this is said')),
    logged.join('\n'),
  );

  await follow({ command: ['sh', '-c', 'test -e "$0" || { : > "$0"; exit 3; }', join(directory, 'second-time')] });
  await delivered();
  assert.ok(logged.some((line) => line.includes('ended with 3')));

  await follow({ command: [join(directory, 'is-not-there')] });
  channels.add(alert('b'));
  await waitFor(() => channels.view[0]?.because?.includes('cannot be started'), { ...soon, what: () => JSON.stringify(channels.view) });
});

test('a site with channels of its own is told of there only; of the daemon hear those of all sites, else everybody', async (t) => {
  await using all = await HttpStub.start(() => ({}));
  await using own = await HttpStub.start(() => ({}));
  const { channels, follow, delivered } = await bench(t);
  await follow({ webhook: { url: all.url } }, { other: { webhook: { url: own.url }, min_severity: 'critical' } });
  channels.add(alert('main'));
  channels.add(alert('other', 'other'));
  channels.add(alert('mild', 'other', 'lease_lost'));
  channels.add(alert('daemon', null));
  await delivered();
  assert.deepEqual(
    [bodies(all), bodies(own)].map((events) => events.map(({ id }) => id)),
    [['main', 'daemon'], ['other']],
  );
  await follow({}, { other: { webhook: { url: own.url } } });
  channels.add(alert('unheard'));
  channels.add(alert('daemon', null));
  await delivered();
  assert.deepEqual(
    bodies(own).map(({ id }) => id),
    ['other', 'daemon'],
  );
});

test('what a channel had not delivered that is taken out goes to who hears of the site then', async (t) => {
  await using dead = await HttpStub.start(() => ({ status: 503 }));
  await using all = await HttpStub.start(() => ({}));
  const { channels, follow, delivered } = await bench(t);
  await follow({ webhook: { url: all.url } }, { other: { webhook: { url: dead.url } } });
  channels.add(alert('first', 'other'));
  channels.add(alert('second', 'other'));
  await waitFor(() => dead.seen.length > 0, { ...soon, what: 'it is tried' });
  await follow({ webhook: { url: all.url } });
  await delivered();
  assert.deepEqual(
    bodies(all).map(({ id }) => id),
    ['first', 'second'],
  );
});

test('what several of them had not delivered goes there once, in the order in which it happened, and what comes meanwhile after it', async (t) => {
  const heard: string[] = [];
  await using dead = await HttpStub.start(({ body }) => {
    heard.push((JSON.parse(body.toString()) as AlertEvent).id);
    return { status: heard.length === 1 ? 200 : 503 };
  });
  await using all = await HttpStub.start(() => ({}));
  const { channels, follow, delivered } = await bench(t);
  await follow({ webhook: { url: all.url } }, { other: { webhook: { url: dead.url }, command: ['sh', '-c', 'cat > /dev/null; exit 1'] } });
  for (const id of ['raised', 'cleared']) channels.add(alert(id, 'other'));
  await waitFor(() => heard.includes('cleared'), { ...soon, what: 'one of them has told the first' });
  const followed = follow({ webhook: { url: all.url } });
  channels.add(alert('again', 'other'));
  await followed;
  await delivered();
  assert.deepEqual(
    bodies(all).map(({ id }) => id),
    ['raised', 'cleared', 'again'],
  );
});

function listening<T extends Server>(server: T): Promise<T> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
