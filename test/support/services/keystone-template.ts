import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../../../src/lib/subprocess.ts';
import { freePort } from '../free-port.ts';
import { Service, statusOf } from './service.ts';

/** Stand in the template's list of addresses for what is known only once servers have their ports. */
const selfPlaceholder = 'http://keystone.invalid';
const swiftPlaceholder = 'http://swift.invalid';

const adminPassword = 'adminpass';
const env = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' };
const files = ['fernet', 'credential', 'keystone.db', 'keystone.db-wal', 'keystone.db-shm'];

/**
 * Fills `directory` with a Keystone of two projects: `demo` with the user `demo` (`demopass`, role member) and the user `guest` (`guestpass`, role reader),
 * and `service` for Swift itself. Making one takes a quarter of a minute, so it is made once on a machine and copied.
 */
export async function fillKeystoneDirectory(directory: string, keystoneUrl: string, swiftUrl: string): Promise<void> {
  const template = await keystoneTemplate();
  for (const name of files) {
    const from = join(template, name);
    if (await isThere(from)) await cp(from, join(directory, name), { recursive: true });
  }
  const statement = 'update endpoint set url = replace(replace(url, ?, ?), ?, ?)';
  await sql(directory, statement, selfPlaceholder, keystoneUrl, swiftPlaceholder, swiftUrl);
}

/** A Keystone that serves what lies in a directory, at a port of this host. */
export async function serveKeystone(directory: string, port: number): Promise<Service> {
  const url = `http://127.0.0.1:${port}`;
  const config = await writeConfig(directory, url);
  const service = new Service('/usr/bin/keystone-wsgi-public', ['-b', '127.0.0.1', '-p', String(port), '--', '--config-file', config], {
    cwd: directory,
    logFile: join(directory, 'keystone.log'),
    env: { OS_KEYSTONE_CONFIG_FILES: config },
  });
  await service.ready(async () => (await statusOf(`${url}/v3`)) === 200);
  return service;
}

async function keystoneTemplate(): Promise<string> {
  const template = join(cacheDirectory(), 'keystone-22');
  if (await isThere(template)) return template;
  await mkdir(cacheDirectory(), { recursive: true });
  const made = await mkdtemp(`${template}-`);
  await seed(made);
  // Of two who make it at once the second one uses the first one's.
  await rename(made, template).catch(() => rm(made, { recursive: true }));
  return template;
}

/** As scripts/install-debian-side.sh has it. */
function cacheDirectory(): string {
  const cache = process.getuid?.() === 0 ? '/var/cache' : (process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'));
  return process.env['PGHOARD_TEST_CACHE'] ?? join(cache, 'pghoard-test');
}

async function seed(directory: string): Promise<void> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = await writeConfig(directory, url);
  await makeKeys(directory);
  await manage(config, 'db_sync');
  // Else two of its own sessions lock each other out.
  await sql(directory, 'pragma journal_mode = wal');
  const addresses = ['public', 'internal', 'admin'].flatMap((kind) => [`--bootstrap-${kind}-url`, `${selfPlaceholder}/v3`]);
  await manage(config, 'bootstrap', '--bootstrap-password', adminPassword, '--bootstrap-region-id', 'RegionOne', ...addresses);
  await using _ = await serveKeystone(directory, port);
  await seedAccounts(url);
}

/** What fernet_setup and credential_setup make. */
async function makeKeys(directory: string): Promise<void> {
  for (const kind of ['fernet', 'credential']) {
    await mkdir(join(directory, kind), { mode: 0o700, recursive: true });
    for (const name of ['0', '1']) {
      const key = randomBytes(32).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
      await writeFile(join(directory, kind, name), key, { mode: 0o600 });
    }
  }
}

async function seedAccounts(url: string): Promise<void> {
  const identity = { methods: ['password'], password: { user: { name: 'admin', domain: { id: 'default' }, password: adminPassword } } };
  const scope = { project: { name: 'admin', domain: { id: 'default' } } };
  const login = await ask(url, 'POST', '/v3/auth/tokens', '', { auth: { identity, scope } });
  const token = login.headers.get('x-subject-token') ?? '';
  const { roles } = (await (await ask(url, 'GET', '/v3/roles', token)).json()) as { roles: { name: string; id: string }[] };
  const make = async (kind: string, what: object): Promise<string> => {
    const answer = (await (await ask(url, 'POST', `/v3/${kind}s`, token, { [kind]: what })).json()) as Record<string, { id: string }>;
    return answer[kind]?.id ?? '';
  };
  const projects = new Map<string, string>();
  for (const name of ['service', 'demo']) projects.set(name, await make('project', { name, domain_id: 'default' }));
  for (const [project, name, password, role] of [
    ['service', 'swift', 'swiftpass', 'admin'],
    ['demo', 'demo', 'demopass', 'member'],
    ['demo', 'guest', 'guestpass', 'reader'],
  ] as const) {
    const user = await make('user', { name, password, domain_id: 'default' });
    const roleId = roles.find((it) => it.name === role)?.id;
    await ask(url, 'PUT', `/v3/projects/${projects.get(project)}/users/${user}/roles/${roleId}`, token);
  }
  const service_id = await make('service', { type: 'object-store', name: 'swift' });
  for (const kind of ['public', 'internal', 'admin']) {
    await make('endpoint', { service_id, interface: kind, region: 'RegionOne', url: `${swiftPlaceholder}/v1/AUTH_%(project_id)s` });
  }
}

async function ask(url: string, method: string, path: string, token: string, body?: object): Promise<Response> {
  const headers = { 'content-type': 'application/json', 'x-auth-token': token };
  const answer = await fetch(url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer;
}

async function writeConfig(directory: string, url: string): Promise<string> {
  const path = join(directory, 'keystone.conf');
  await writeFile(
    path,
    `[DEFAULT]
use_stderr = true
log_dir =
public_endpoint = ${url}
[database]
sqlite_synchronous = false
connection = sqlite:///${directory}/keystone.db
[token]
provider = fernet
[fernet_tokens]
key_repository = ${directory}/fernet
[fernet_receipts]
key_repository = ${directory}/fernet
[credential]
key_repository = ${directory}/credential
[cache]
enabled = false
[identity]
password_hash_rounds = 4
`,
  );
  return path;
}

async function sql(directory: string, statement: string, ...values: readonly string[]): Promise<void> {
  const script = 'import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute(sys.argv[2], sys.argv[3:])\nc.commit()';
  await run('/usr/bin/python3', ['-c', script, join(directory, 'keystone.db'), statement, ...values]);
}

function manage(config: string, ...args: readonly string[]): Promise<void> {
  return run('/usr/bin/keystone-manage', ['--config-file', config, ...args]);
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await runProgram(program, args, { env: { ...process.env, ...env } });
  assert.equal(code, 0, `${program} ${args.join(' ')}: ${stderr}`);
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
