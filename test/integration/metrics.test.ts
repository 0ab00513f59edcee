import assert from 'node:assert/strict';
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { healthDocument } from '../../src/daemon/health/health-document.ts';
import { prometheusName } from '../../src/daemon/metrics/metric-definition.ts';
import { metricTable } from '../../src/daemon/metrics/metric-table.ts';
import { runProgram } from '../../src/lib/subprocess.ts';
import { siteName, TestDaemon } from '../support/daemon.ts';
import { packageRoot } from '../support/package-root.ts';
import { TestPostgres } from '../support/postgres.ts';
import { TestPrometheus } from '../support/services/prometheus.ts';
import { TestPushgateway } from '../support/services/pushgateway.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { UdpListener } from '../support/udp-listener.ts';
import { waitFor } from '../support/wait-for.ts';
import { originalTable } from './metrics-table.ts';

const login = { username: 'monitor', password: 'hunter2' };
const authorization = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
const rules = join(packageRoot, 'packaging/prometheus/pghoard.rules.yml');
const withinMs = 60_000;
const notWal = '000000010000000000000099';

/** A fault of our own, on demand. */
const bugOnSignal = `data:text/javascript,${encodeURIComponent("process.on('SIGUSR2', () => { throw new Error('a bug'); })")}`;

const stack = new AsyncDisposableStack();
let postgres: TestPostgres;
let daemon: TestDaemon;
let gateway: TestPushgateway;
let prometheus: TestPrometheus;
let statsd: UdpListener;
after(() => stack.disposeAsync());

/** A daemon with a site for each way of taking base backups and receiving WAL, and sites of which nothing works. */
before(async () => {
  const { path: directory } = stack.use(await makeTemporaryDirectory());
  [postgres, gateway, statsd] = await Promise.all([
    TestPostgres.start({ initdb: ['--wal-segsize=1'], settings: { archive_mode: 'on', wal_keep_size: '1GB' } }),
    TestPushgateway.start(directory),
    UdpListener.open(),
  ]);
  for (const each of [postgres, gateway, statsd]) stack.use(each);
  await postgres.query('CREATE TABLE grows AS SELECT generate_series(1, 20000) AS n');
  const place = join(directory, 'pghoard');
  const common = {
    active_backup_mode: 'archive_command',
    basebackup_interval_hours: null,
    lease_seconds: null,
    nodes: [postgres.dsn.replace('postgres@', 'postgres:hunter2@')],
    pg_data_directory: postgres.dataDirectory,
    pg_bin_directory: postgres.bin,
    basebackup_delta_mode_min_delta_file_size: 65_536,
    object_storage: { storage_type: 'local', directory: join(place, 'store') },
  };
  process.env['NODE_OPTIONS'] = `--import=${bugOnSignal}`;
  daemon = stack.use(
    await TestDaemon.prepare({
      directory: place,
      postgres,
      site: common,
      global: {
        webserver_username: login.username,
        webserver_password: login.password,
        upload_retries_warning_limit: 0,
        prometheus: { tags: { Dc: 'a "place"\\' } },
        pushgateway: { endpoint: gateway.endpoint },
        statsd: { host: '127.0.0.1', port: statsd.port, format: 'datadog', tags: { dc: 'a' } },
      },
    }),
  );
  await addSites({
    delta: { ...common, basebackup_mode: 'delta' },
    stats: { ...common, basebackup_mode: 'local-tar-delta-stats' },
    pipe: { ...common, basebackup_mode: 'pipe' },
    received: { ...common, active_backup_mode: 'pg_receivexlog' },
    away: { ...common, active_backup_mode: 'walreceiver', nodes: ['host=127.0.0.1 port=9 user=postgres password=hunter2'] },
    gone: { ...common, object_storage: { storage_type: 'sftp', server: '127.0.0.1', port: 9, username: 'nobody', password: 'hunter2' } },
    full: { ...common, basebackup_mode: 'pipe', object_storage: { storage_type: 'local', directory: join(place, 'full') } },
  });
  await leavePartial(join(place, 'spool/received/xlog_incoming'));
  await mkdir(join(place, 'full/full'), { recursive: true });
  await writeFile(join(place, 'full/full/basebackup'), 'where a directory should be');
  await writeFile(join(place, 'state.json'), '{"half');
  await daemon.launch();
  await rm(join(place, 'state.json'));
  await mkdir(join(place, 'state.json/in-the-way'), { recursive: true });
  await postgres.query(`ALTER SYSTEM SET archive_command = '${archiveCommand()}'`);
  await postgres.query('SELECT pg_reload_conf()');
  const segment = await currentSegment();
  // Nobody waits for the answers of these: what they ask for is tried again and again.
  for (const [method, path, headers] of [
    ['PUT', `/gone/archive/${segment}`, {}],
    ['GET', `/gone/archive/${segment}`, { accept: 'application/octet-stream' }],
    ['PUT', '/full/basebackup', {}],
  ] as const)
    void ask(method, path, headers).catch(() => {});
  await mkdir(join(directory, 'prometheus'));
  const target = { address: `127.0.0.1:${daemon.port}`, ...login };
  prometheus = stack.use(await TestPrometheus.start(join(directory, 'prometheus'), target, rules));
});

async function addSites(sites: Readonly<Record<string, object>>): Promise<void> {
  const config = JSON.parse(await readFile(daemon.configFile, 'utf8')) as { backup_sites: object };
  await writeFile(daemon.configFile, JSON.stringify({ ...config, backup_sites: { ...config.backup_sites, ...sites } }));
}

async function currentSegment(): Promise<string> {
  const [row] = await postgres.query('SELECT pg_walfile_name(pg_current_wal_lsn()) AS name');
  return String(row?.['name']);
}

/** As a receiver leaves it that was killed. */
async function leavePartial(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, `${await currentSegment()}.partial`);
  await writeFile(path, '');
  await truncate(path, 8192);
}

function archiveCommand(): string {
  return `PGHOARD_USERNAME=${login.username} PGHOARD_PASSWORD=${login.password} ${daemon.archiveCommand}`;
}

async function ask(method: string, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return daemon.request(method, path, { authorization, ...headers });
}

async function metrics(): Promise<string> {
  const answer = await ask('GET', '/metrics');
  assert.equal(answer.status, 200);
  return answer.text();
}

/** The value of a series, whose labels beside `Dc` are given as they are written; undefined where there is none. */
async function valueOf(name: string, labels: string): Promise<number | undefined> {
  const line = (await metrics())
    .split('\n')
    .find((each) => each.startsWith(`${name}{Dc="a \\"place\\"\\\\"${labels === '' ? '' : `,${labels}`}} `));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')));
}

async function becomes(name: string, labels: string, isRight: (value: number) => boolean): Promise<number> {
  const right = async () => {
    const value = await valueOf(name, labels);
    return value !== undefined && isRight(value) ? { value } : undefined;
  };
  const { value } = await waitFor(right, { withinMs, what: () => `${name}{${labels}} becomes as it should be:\n${daemon.log}` });
  return value;
}

async function takeBasebackups(sites: readonly string[], count: number): Promise<void> {
  for (const site of sites) assert.equal((await ask('PUT', `/${site}/basebackup`)).status, 201);
  for (const site of sites) await becomes('pghoard_basebackup_completed', `site="${site}"`, (value) => value === count);
}

test('WAL is stored and fetched, and counted both ways', async () => {
  const segment = await postgres.switchWal();
  await daemon.archived(segment);
  const stored = await becomes('pghoard_upload_size', 'result="ok",site="main",type="xlog"', (value) => value > 0);
  assert.equal(await valueOf('pghoard_total_upload_size', 'site="main",type="xlog"'), stored);
  let answer = '';
  const fetched = async () => {
    const reply = await ask('GET', `/${siteName}/archive/${segment}`, { accept: 'application/octet-stream' });
    const body = Buffer.from(await reply.arrayBuffer());
    answer = `${reply.status} ${body.subarray(0, 500).toString('latin1')}`;
    return body.length === 1024 * 1024;
  };
  await waitFor(fetched, { withinMs, what: () => `${segment} is handed out: ${answer}` });
  assert.ok(((await valueOf('pghoard_download_size', 'result="ok",site="main",type="xlog"')) ?? 0) > 0);
});

test('base backups of every kind tell what they took', async () => {
  await takeBasebackups([siteName, 'delta', 'stats', 'pipe'], 1);
  await postgres.query('INSERT INTO grows SELECT generate_series(1, 20000)');
  await takeBasebackups(['delta', 'stats'], 2);
  for (const [name, site] of [
    ['delta_backup', 'delta'],
    ['planned_delta_backup', 'stats'],
  ]) {
    const ratio = await valueOf(`pghoard_${name}_changed_data_size_ratio`, `site="${site}"`);
    assert.ok(ratio !== undefined && ratio > 0 && ratio < 1, `${name}: ${ratio}`);
  }
});

test('failures are counted where they happen', async () => {
  const file = join(postgres.dataDirectory, 'pg_wal', notWal);
  await writeFile(file, 'no WAL');
  assert.equal((await ask('PUT', `/${siteName}/archive/${notWal}`)).status, 412);
  await rm(file);
  for (const [where, exception] of [
    ['PGBaseBackup', 'store-failed'],
    ['check_pg_server_version', 'postgres-unreachable'],
    ['compressor_run', 'wal-invalid'],
    ['handle_download', 'store-unreachable'],
    ['handle_list', 'store-unreachable'],
    ['handle_metadata', 'store-unreachable'],
    ['handle_upload', 'store-unreachable'],
    ['pghoard_run', 'store-unreachable'],
    ['read_persisted_progress', 'SyntaxError'],
    ['walreceiver_run', 'postgres-unreachable'],
    ['write_persisted_progress', 'EISDIR'],
  ])
    await becomes('pghoard_exception', `exception="${exception}",where="${where}"`, (value) => value > 0);
  await becomes('pghoard_upload_size', 'result="failed",site="full",type="basebackup"', (value) => value > 0);
  await becomes('pghoard_basebackup_failed', 'site="full"', (value) => value === 1);
  await becomes('pghoard_upload_retries_total', 'site="gone",type="xlog"', (value) => value > 1);
});

test('the health of a site is told in numbers', async () => {
  await becomes('pghoard_restorable', `site="${siteName}"`, (value) => value === 1);
  await becomes('pghoard_wal_lag_bytes', `site="${siteName}"`, (value) => value >= 0);
  await becomes('pghoard_newest_restorable_age_seconds', `site="${siteName}"`, (value) => value < 60);
  await becomes('pghoard_wal_receiver_running', 'site="received"', (value) => value === 1);
  await becomes('pghoard_alert', 'alert="configuration_error",site="away"', (value) => value === 1);
  assert.equal(await valueOf('pghoard_alert', `alert="configuration_error",site="${siteName}"`), 0);
  assert.equal(await valueOf('pghoard_basebackups', `site="${siteName}"`), 1);
  assert.equal(await valueOf('pghoard_restorable', 'site="gone"'), 0);
});

test('numbers and /SITE/status tell the same (fault row 119)', async () => {
  for (const site of [siteName, 'delta', 'away', 'gone', 'full']) {
    // What changes between the two questions is asked again.
    const isSame = async () => {
      const told = healthDocument.parse(await (await ask('GET', `/${site}/status`)).json());
      const number = (name: string) => valueOf(`pghoard_${name}`, `site="${site}"`);
      assert.equal(await valueOf('pghoard_verdict', `site="${site}",verdict="${told.verdict.is}"`), 1, `${site}: ${told.verdict.is}`);
      assert.equal(await number('restorable'), Number(told.restorable.is));
      const { count, restorable, bytes, failures } = told.basebackups;
      assert.deepEqual(
        [await number('basebackups'), await number('basebackups_restorable')],
        [count ?? undefined, restorable ?? undefined],
      );
      assert.deepEqual(
        [await number('basebackups_size_bytes'), await number('basebackup_failures_in_a_row')],
        [bytes ?? undefined, failures],
      );
      for (const { name } of told.alerts)
        assert.equal(await valueOf('pghoard_alert', `alert="${name}",site="${site}"`), 1, `${site}: ${name}`);
      return true;
    };
    await waitFor(isSame, { withinMs, what: `both tell the same of ${site}` });
  }
});

test('promtool finds nothing to say about what is told', async () => {
  const { code, stdout, stderr } = await runProgram('/usr/bin/promtool', ['check', 'metrics'], { input: await metrics() });
  assert.deepEqual([code, stdout, stderr], [0, '', '']);
});

test('Prometheus fetches it, with the kinds of the table', async () => {
  await prometheus.answered('up{job="pghoard"} == 1');
  assert.deepEqual(await prometheus.target(), { health: 'up', lastError: '' });
  const kinds = await prometheus.kinds();
  const told = metricTable.filter((metric) => kinds[prometheusName(metric)] !== undefined);
  for (const metric of told) {
    const name = prometheusName(metric);
    const kind = metric.kind === 'counter' && !name.endsWith('_total') ? 'unknown' : metric.kind;
    assert.equal(kinds[name], kind, name);
  }
  const [family] = await prometheus.answered('pghoard_basebackup_completed{site="delta"}');
  assert.deepEqual(family?.value[1], '2');
  assert.equal(family?.metric['Dc'], 'a "place"\\');
});

test('the alert rules are right: to promtool, in their own tests, and to Prometheus, which has evaluated each', async () => {
  for (const [command, file] of [
    ['check', rules],
    ['test', rules.replace('.yml', '.test.yml')],
  ] as const) {
    const { code, stdout, stderr } = await runProgram('/usr/bin/promtool', [command, 'rules', file]);
    assert.equal(code, 0, stdout + stderr);
  }
  const evaluated = async () => {
    const health = await prometheus.ruleHealth();
    return Object.keys(health).length > 15 && !Object.values(health).includes('unknown') && health;
  };
  const health = await waitFor(evaluated, { withinMs, what: 'all rules are evaluated' });
  assert.deepEqual(new Set(Object.values(health)), new Set(['ok']));
});

test('each query of the dashboard gives something', async () => {
  const queries = queriesIn(JSON.parse(await readFile(join(packageRoot, 'packaging/grafana/pghoard.json'), 'utf8')));
  assert.ok(queries.length > 50);
  // Whether it changed since Prometheus came depends on when that was; that it is there does not.
  await Promise.all(queries.map((query) => prometheus.answered(query.replace(/^(changes\(.*\)) > 0$/, '$1'))));
});

/** With the variables of the dashboard as they are where everything is chosen. */
function queriesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const found = Object.entries(value).flatMap(([key, inner]) => (key === 'expr' && typeof inner === 'string' ? [inner] : queriesIn(inner)));
  return found.map((query) => query.replaceAll(/\$(instance|site)\b/g, '.*').replaceAll('$__rate_interval', '1m'));
}

test('the pushgateway has everything, each site as an instance of its own', async () => {
  const completed = /^pghoard_basebackup_completed\{instance="delta",job="pghoard",site="delta"\} 2$/m;
  const version = /^pghoard_build_info\{instance="[^"]+",job="pghoard",version="[^"]+"\} 1$/m;
  const isThere = async () => {
    const text = await gateway.metrics();
    return completed.test(text) && version.test(text);
  };
  await waitFor(isThere, { withinMs, what: 'everything is pushed' });
  assert.doesNotMatch(await gateway.metrics(), /^push_failure_time_seconds\{.*\} [^0]/m);
  assert.equal(await valueOf('pghoard_metrics_push_failures_total', ''), undefined);
});

test('SIGHUP changes who is told and how; what was counted stays', async () => {
  const counted = await valueOf('pghoard_upload_size', 'result="ok",site="delta",type="basebackup"');
  const heard = statsd.messages.length;
  await daemon.reconfigure({
    global: {
      prometheus: { tags: { Dc: 'a "place"\\' } },
      statsd: { host: '127.0.0.1', port: statsd.port, format: 'telegraf', tags: { dc: 'b' } },
      pushgateway: null,
    },
  });
  assert.equal(await valueOf('pghoard_upload_size', 'result="ok",site="delta",type="basebackup"'), counted);
  await waitFor(() => statsd.messages.slice(heard).find((text) => /^pghoard\.restorable,dc=b,site=main:1\|g$/.test(text)), {
    withinMs,
    what: () => `telegraf hears: ${statsd.messages.slice(heard).join(' ')}`,
  });
  await daemon.reconfigure({ global: { prometheus: null } });
  assert.equal((await ask('GET', '/metrics')).status, 501);
  await daemon.reconfigure({ global: { prometheus: { tags: { Dc: 'a "place"\\' } }, pushgateway: { endpoint: gateway.endpoint } } });
  assert.equal(await valueOf('pghoard_upload_size', 'result="ok",site="delta",type="basebackup"'), counted);
});

test('without a password nobody is told anything, and no password is told to anybody', async () => {
  assert.equal((await daemon.request('GET', '/metrics')).status, 401);
  for (const text of [await metrics(), await gateway.metrics(), statsd.messages.join('\n')]) assert.doesNotMatch(text, /hunter2/);
});

test('a fault of our own that ends the daemon is the last thing that it tells', async () => {
  // Told every ten seconds, which may not have passed yet.
  const age = () => statsd.messages.some((text) => text.startsWith('pghoard.last_upload_age'));
  await waitFor(age, { withinMs, what: 'the age of the last upload is told' });
  process.kill(daemon.pid ?? 0, 'SIGUSR2');
  assert.equal(await daemon.ended(), 70);
  assert.match(daemon.log, /this is a bug in pghoard/);
  assert.match(await gateway.metrics(), /^pghoard_unrecoverable_quit_main_loop_failure\{.*\} 1$/m);
  const last = () => statsd.messages.includes('pghoard.unrecoverable_quit_main_loop_failure,dc=b:1|c');
  await waitFor(last, { withinMs, what: 'telegraf hears it' });
});

test('every metric of the original was told to statsd, with its tags', () => {
  const heard = new Map<string, Set<string>>();
  for (const { name, kind, tags } of statsd.messages.map(parseDatagram)) {
    const forms = heard.get(name) ?? new Set<string>();
    heard.set(name, forms.add([kind, ...tags.filter((tag) => tag !== 'dc')].join(' ')));
  }
  for (const [name, kind, tags] of originalTable) {
    if (name === 'pghoard.transfer_operation_errors') continue; // no store of the tests has such a fault; see upload-metrics.test.ts
    const forms = [...(heard.get(name) ?? [])];
    const expected = [kind, ...[...new Set([...tags, ...(name === 'pghoard.exception' || quit === name ? [] : ['site'])])].toSorted()].join(
      ' ',
    );
    assert.deepEqual(forms, [expected], name);
  }
  const declared: readonly string[] = metricTable.map(({ name }) => name);
  assert.deepEqual(
    [...heard.keys()].filter((name) => !declared.includes(name)),
    [],
  );
});

const quit = 'pghoard.unrecoverable_quit_main_loop_failure';

/** As datadog or telegraf read it: `name:value|type|#tag:value`, `name,tag=value:value|type`. */
function parseDatagram(text: string): { readonly name: string; readonly kind: string; readonly tags: readonly string[] } {
  const datadog = /^(?<name>[^:|,]+):(?<value>[^|]+)\|(?<kind>[a-z]+)(\|#(?<tags>.*))?$/.exec(text)?.groups;
  const telegraf = /^(?<name>[^:|,]+)(,(?<tags>[^:|]*))?:(?<value>[^|]+)\|(?<kind>[a-z]+)$/.exec(text)?.groups;
  const { name = '', value, kind = '', tags } = datadog ?? telegraf ?? {};
  assert.ok(Number.isFinite(Number(value)), text);
  return { name, kind, tags: tags === undefined ? [] : tags.split(',').map((tag) => tag.split(/[:=]/)[0] ?? '') };
}
