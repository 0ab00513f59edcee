import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../../src/lib/subprocess.ts';
import { type CommandName, runOurs } from '../support/commands.ts';
import { TestDaemon } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';
import { TestPostgres } from '../support/postgres.ts';
import { ProcessSpy } from '../support/process-spy.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

/** Nobody listens there, so that whatever is tried fails, and is told. */
const nowhere = { host: '127.0.0.1', port: await freePort() };
const nowhereUrl = `http://${nowhere.host}:${nowhere.port}`;
const planted: string[] = [];
const formats = ['text', 'json', 'short'];

/** A secret of its own for each place, such that a message that quotes it is known. */
function plant(place: string): string {
  const secret = `S3cret-${place}-${planted.length}`;
  planted.push(secret);
  return secret;
}

function plantKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  planted.push(privateKey.split('\n')[3] ?? '');
  return privateKey;
}

async function storages(directory: string): Promise<Record<string, Record<string, unknown>>> {
  const key = join(directory, 'ssh_key');
  const passphrase = plant('passphrase');
  await runProgram('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-f', key]);
  const base64 = Buffer.from(plant('azure-key')).toString('base64');
  planted.push(base64);
  const proxy_info = { type: 'http', ...nowhere, user: 'proxy', pass: plant('proxy') };
  const s3 = { storage_type: 's3', bucket_name: 'b', region: 'eu-west-1', ...nowhere };
  const swift = { storage_type: 'swift', container_name: 'c', auth_version: '3.0', project_name: 'p' };
  return {
    s3: { ...s3, aws_access_key_id: 'AKIA', aws_secret_access_key: plant('s3'), aws_session_token: plant('s3-token') },
    proxied: { ...s3, aws_access_key_id: 'AKIA', aws_secret_access_key: plant('proxied'), proxy_info },
    google: {
      storage_type: 'google',
      bucket_name: 'b',
      api_endpoint: nowhereUrl,
      credentials: { type: 'service_account', client_email: 'a@b', private_key: plantKey(), token_uri: `${nowhereUrl}/token` },
    },
    refreshed: {
      storage_type: 'google',
      bucket_name: 'b',
      api_endpoint: nowhereUrl,
      credentials: { type: 'authorized_user', client_id: 'i', client_secret: plant('client'), refresh_token: plant('refresh') },
      proxy_info, // on the way to Google's login
    },
    azure: { storage_type: 'azure', bucket_name: 'b', account_name: 'account', account_key: base64, ...nowhere, is_secure: false },
    signed: {
      storage_type: 'azure',
      bucket_name: 'b',
      account_name: 'account',
      sas_token: `sv=2024-01-01&sig=${plant('sas')}`,
      ...nowhere,
      is_secure: false,
    },
    connected: {
      storage_type: 'azure',
      bucket_name: 'b',
      connection_string: `DefaultEndpointsProtocol=http;AccountName=account;AccountKey=${base64};BlobEndpoint=${nowhereUrl}/account;`,
    },
    swift: { ...swift, user: 'u', key: plant('swift'), auth_url: `http://user:${plant('auth-url')}@127.0.0.1:${nowhere.port}/v3` },
    sftp: { storage_type: 'sftp', server: nowhere.host, port: nowhere.port, username: 'u', password: plant('sftp') },
    ssh: {
      storage_type: 'sftp',
      server: nowhere.host,
      port: nowhere.port,
      username: 'u',
      private_key: key,
      private_key_passphrase: passphrase,
    },
  };
}

type SiteSettings = Record<string, unknown>;

/** A site at each store, all of one server, where all log in with a wrong password. */
async function sitesOf({ port, dataDirectory, bin }: TestPostgres, directory: string): Promise<Record<string, SiteSettings>> {
  const server = `127.0.0.1:${port}/postgres`;
  const nodes = [
    () => ({ host: '127.0.0.1', port, user: 'keeper', password: plant('dictionary'), dbname: 'postgres' }),
    () => `postgres://keeper:${plant('url')}@${server}`,
    () => `host=127.0.0.1 port=${port} user=keeper password='${plant('keywords')}' dbname=postgres`,
    () => ({ connection_string: `postgresql://keeper:${plant('inner')}@${server}`, slot: 'pghoard' }),
  ];
  const receiving = ['archive_command', 'pg_receivexlog', 'walreceiver'];
  const sites = Object.entries(await storages(directory)).map(([name, storage], at): [string, SiteSettings] => [
    name,
    {
      nodes: [nodes[at % nodes.length]?.()],
      pg_data_directory: dataDirectory,
      pg_bin_directory: bin,
      active_backup_mode: receiving[at % receiving.length],
      object_storage: { ...storage, notifier: { notifier_type: 'http', url: `${nowhereUrl}/${plant('notifier')}` } },
      heartbeat_url: `${nowhereUrl}/${plant('heartbeat')}`,
      heartbeat_fail_url: `${nowhereUrl}/${plant('heartbeat-fail')}`,
      heartbeat_interval_seconds: 1,
      lease_seconds: null,
    },
  ]);
  return Object.fromEntries(sites);
}

async function startDaemon(directory: string, postgres: TestPostgres, web: string): Promise<TestDaemon> {
  const webhook = { url: `${nowhereUrl}/${plant('webhook')}`, headers: { Authorization: `Bearer ${plant('header')}` } };
  return TestDaemon.start({
    directory,
    postgres,
    site: { basebackup_interval_hours: null },
    global: {
      webserver_username: 'ann',
      webserver_password: web,
      pushgateway: { endpoint: `http://push:${plant('push')}@127.0.0.1:${nowhere.port}` },
      alerts: { webhook, command: ['/bin/false'], after_seconds: 0 },
    },
  });
}

/** All sites are made anew, so that each of their troubles is told in this format of the log. */
async function failIn(log_format: string, daemon: TestDaemon, sites: Record<string, SiteSettings>): Promise<void> {
  const before = daemon.log.length;
  const others = Object.fromEntries(
    Object.entries(sites).map(([name, site]) => [name, { ...site, basebackup_count: formats.indexOf(log_format) + 1 }]),
  );
  await daemon.reconfigure({ global: { log_format }, others });
  const log = () => daemon.log.slice(before);
  const words = ['password authentication failed', 'cannot be reached', ...Object.keys(sites)];
  await waitFor(() => words.every((word) => log().includes(word)), { withinMs: 60_000, what: () => `${words.join()}: ${log()}` });
}

async function askEverything(daemon: TestDaemon, sites: readonly string[], authorization: string): Promise<string[]> {
  const perSite = sites.flatMap((site) => [`PUT /${site}/basebackup`, `GET /${site}/basebackup`, `GET /${site}/status`]);
  const answers = [...perSite, 'GET /status', 'GET /metrics'].map(async (request) => {
    const [method = '', path = ''] = request.split(' ');
    return (await daemon.request(method, path, { authorization })).text();
  });
  return Promise.all(answers);
}

/** At once: most of their time they wait to try again. */
async function runCommands(daemon: TestDaemon, sites: readonly string[]): Promise<string[]> {
  const config = ['--config', daemon.configFile, '--site'];
  const list = (site: string): [CommandName, string[]] => ['restore', ['--debug', 'list-basebackups', ...config, site]];
  const check: [CommandName, string[]] = ['pghoard', ['check', '--quick', ...config, 'proxied']];
  const outputs = [check, ...sites.map(list)].map(async ([command, args]) => {
    const { code, stdout, stderr } = await runOurs(command, args);
    assert.notEqual(code, 0, `${stdout}${stderr}`);
    return stdout + stderr;
  });
  return Promise.all(outputs);
}

/** Files that are no JSON, or have secrets of a wrong kind. */
async function refuseConfigurations(daemon: TestDaemon): Promise<string[]> {
  const good = await readFile(daemon.configFile, 'utf8');
  const outputs: string[] = [];
  for (const bad of [good.slice(0, -20), good.replaceAll(/"(S3cret[^"]*)"/g, '["$1"]')]) {
    await writeFile(daemon.configFile, bad);
    outputs.push((await runOurs('restore', ['list-basebackups', '--config', daemon.configFile])).stderr);
    const before = daemon.log.length;
    process.kill(daemon.pid ?? 0, 'SIGHUP');
    const log = () => daemon.log.slice(before);
    await waitFor(() => log().includes('not reloaded'), { withinMs: 30_000, what: log });
  }
  return outputs;
}

async function filesBelow(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
}

test('whatever fails at any store, server, proxy or webhook, no secret is told: in no format of the log, state, alert, answer, command or process (fault row 109)', async () => {
  await using scratch = await makeTemporaryDirectory();
  await using postgres = await TestPostgres.start({
    settings: { password_encryption: 'scram-sha-256' },
    hba: ['host all,replication keeper 127.0.0.1/32 scram-sha-256'],
  });
  await postgres.query(`CREATE ROLE keeper SUPERUSER REPLICATION LOGIN PASSWORD 'another'`);
  const web = plant('web');
  await using daemon = await startDaemon(join(scratch.path, 'pghoard'), postgres, web);
  using spy = new ProcessSpy(daemon.pid ?? 0);
  const sites = await sitesOf(postgres, scratch.path);
  const credentials = Buffer.from(`ann:${web}`).toString('base64');
  planted.push(credentials);

  await failIn('text', daemon, sites);
  const commands = runCommands(daemon, ['s3', 'google', 'connected', 'swift', 'ssh']);
  await failIn('json', daemon, sites);
  await failIn('short', daemon, sites);
  const told = await askEverything(daemon, Object.keys(sites), `Basic ${credentials}`);
  told.push(...(await commands));
  told.push(...(await refuseConfigurations(daemon)));
  await daemon.stop();
  told.push(
    daemon.log,
    await readFile(join(daemon.directory, 'state.json'), 'utf8'),
    ...(await filesBelow(join(daemon.directory, 'alerts'))),
  );
  told.push(...spy.commandLines, ...spy.environments);

  const everything = told.join('\n');
  assert.ok(planted.length > 40, `${planted.length} secrets`);
  for (const secret of planted) {
    const at = everything.indexOf(secret);
    assert.equal(at, -1, `told: …${everything.slice(Math.max(0, at - 300), at + 80)}…`);
  }
  assert.doesNotMatch(everything, /\*{3}/, 'nothing had to be blotted out');
});
