import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { explain, isOperatorError, type OperatorError } from '../../src/lib/errors.ts';
import { type ConnectOptions, connect, type PgConnection } from '../../src/postgres/client.ts';
import type { ConnInfo } from '../../src/postgres/conninfo.ts';
import { sqlStateOf } from '../../src/postgres/postgres-error.ts';
import { identifySystem } from '../../src/postgres/replication.ts';
import { installServerCertificate, TestAuthority } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { TestPostgres } from '../support/postgres.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const secret = 'corr3ct-h0rse';
/** No settings of the machine that runs the tests: no password file, no PG* variables. */
const env: NodeJS.ProcessEnv = { HOME: '/nonexistent' };

let directory: TemporaryDirectory;
let postgres: TestPostgres;
let authority: TestAuthority;
let stranger: TestAuthority;

before(async () => {
  directory = await makeTemporaryDirectory();
  authority = await TestAuthority.create(directory.path);
  stranger = await TestAuthority.create(directory.path, 'stranger');
  postgres = await TestPostgres.start({
    hba: [
      'host all,replication scram 127.0.0.1/32 scram-sha-256',
      'host all md5 127.0.0.1/32 md5',
      'host all clear 127.0.0.1/32 password',
      'hostssl all tls_only 127.0.0.1/32 trust',
      'hostnossl all clear_only 127.0.0.1/32 trust',
      'hostssl all certified 127.0.0.1/32 cert',
      'host all,replication excluded,tls_only,clear_only,certified all reject',
    ],
  });
  await installServerCertificate(await authority.issue('server', ['DNS:localhost']), postgres.dataDirectory);
  await postgres.query(`ALTER SYSTEM SET ssl_ca_file = '${authority.cert}'`);
  await postgres.query('ALTER SYSTEM SET ssl = on');
  await postgres.query('SELECT pg_reload_conf()');
  for (const role of ['scram', 'clear']) await postgres.query(`CREATE ROLE ${role} LOGIN REPLICATION PASSWORD '${secret}'`);
  await postgres.query(`SET password_encryption = 'md5'`);
  await postgres.query(`CREATE ROLE md5 LOGIN PASSWORD '${secret}'`);
  for (const role of ['tls_only', 'clear_only', 'excluded', 'certified', 'unprivileged']) await postgres.query(`CREATE ROLE ${role} LOGIN`);
  await waitFor(() => connects({ user: 'tls_only', sslmode: 'require' }), { withinMs: 30_000, what: 'the server speaks TLS' });
});

after(async () => {
  await postgres?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

function open(info: ConnInfo, options: ConnectOptions = {}): Promise<PgConnection> {
  return connect({ host: '127.0.0.1', port: String(postgres.port), user: 'postgres', dbname: 'postgres', ...info }, { env, ...options });
}

async function connects(info: ConnInfo, options: ConnectOptions = {}): Promise<boolean> {
  const connection = await open(info, options);
  await connection.close();
  return true;
}

async function failure(info: ConnInfo, options: ConnectOptions = {}): Promise<OperatorError> {
  const error: unknown = await connects(info, options).catch((reason: unknown) => reason);
  assert(isOperatorError(error), `expected an OperatorError, got ${String(error)}`);
  assert.doesNotMatch(explain(error), new RegExp(`${secret}|wr0ng`), 'a message must not contain a password');
  return error;
}

async function isEncrypted(connection: PgConnection): Promise<boolean> {
  const [row] = await connection.query<{ ssl: boolean }>('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
  return row?.ssl === true;
}

test('rows, parameters and versions', async () => {
  await using connection = await open({});
  assert.deepEqual(await connection.query('SELECT $1::int AS a, $2::text AS b', [7, 'x']), [{ a: 7, b: 'x' }]);
  assert.deepEqual(await connection.query('SELECT 1 AS a; SELECT 2 AS b'), [{ b: 2 }]);
  assert.deepEqual(await connection.query('CREATE TEMP TABLE t (a int)'), []);
  const [row] = await connection.query<{ setting: string }>(`SELECT setting FROM pg_settings WHERE name = 'server_version_num'`);
  assert.equal(connection.serverVersion, Number(row?.setting));
});

test('statements of one connection run one after the other, a failed one does not stop the next', async () => {
  await using connection = await open({});
  const results = await Promise.allSettled([
    connection.query('SELECT 1 AS a'),
    connection.query('SELECT 1/0'),
    connection.query('SELECT 3 AS a'),
  ]);
  assert.deepEqual(
    results.map((result) => (result.status === 'fulfilled' ? result.value : sqlStateOf(result.reason))),
    [[{ a: 1 }], '22012', [{ a: 3 }]],
  );
});

test('a failed statement keeps its SQLSTATE', async () => {
  await using connection = await open({});
  const error: unknown = await connection.query('SELECT * FROM missing_table').catch((reason: unknown) => reason);
  assert(isOperatorError(error, 'postgres-error'));
  assert.equal(sqlStateOf(error), '42P01');
  assert.match(error.message, /missing_table.*SQLSTATE 42P01/);
});

for (const user of ['scram', 'md5', 'clear']) {
  test(`password login: ${user}`, async () => {
    assert(await connects({ user, password: secret }));
    assert(await connects({ user, password: secret, sslmode: 'disable' }));
    const wrong = await failure({ user, password: 'wr0ng' });
    assert.equal(wrong.code, 'postgres-authentication');
    assert.equal(wrong.retryable, false);
    const none = await failure({ user });
    assert.equal(none.code, 'postgres-authentication');
    assert.match(none.message, /asks for a password/);
  });
}

test('channel binding is used where required, and refused where it is impossible', async () => {
  assert(await connects({ user: 'scram', password: secret, sslmode: 'require', channel_binding: 'require' }));
  for (const info of [
    { user: 'scram', password: secret, sslmode: 'disable' },
    { user: 'clear', password: secret, sslmode: 'require' },
    { user: 'postgres', sslmode: 'require' },
  ]) {
    const error = await failure({ ...info, channel_binding: 'require' });
    assert.equal(error.code, 'postgres-authentication', info.user);
    assert.match(error.message, /channel binding/);
  }
});

test('the unix socket', async () => {
  await using connection = await open({ host: postgres.socketDirectory, sslmode: 'verify-full' });
  const [row] = await connection.query('SELECT inet_server_addr() AS address');
  assert.deepEqual(row, { address: null });
});

const sslCases: readonly (readonly [what: string, info: () => ConnInfo, expected: 'tls' | 'clear' | RegExp])[] = [
  ['prefer takes TLS', () => ({}), 'tls'],
  ['prefer falls back to clear', () => ({ user: 'clear_only' }), 'clear'],
  ['allow takes clear', () => ({ sslmode: 'allow' }), 'clear'],
  ['allow falls back to TLS', () => ({ sslmode: 'allow', user: 'tls_only' }), 'tls'],
  ['disable never encrypts', () => ({ sslmode: 'disable' }), 'clear'],
  ['disable where TLS is needed', () => ({ sslmode: 'disable', user: 'tls_only' }), /postgres-authentication/],
  ['require where TLS is not wanted', () => ({ sslmode: 'require', user: 'clear_only' }), /postgres-authentication/],
  ['require trusts anybody', () => ({ sslmode: 'require' }), 'tls'],
  ['require checks the authority if given', () => ({ sslmode: 'require', sslrootcert: authority.cert }), 'tls'],
  ['require with a stranger’s authority', () => ({ sslmode: 'require', sslrootcert: stranger.cert }), /postgres-tls/],
  ['verify-ca does not ask for the name', () => ({ sslmode: 'verify-ca', sslrootcert: authority.cert }), 'tls'],
  ['verify-ca with a stranger’s authority', () => ({ sslmode: 'verify-ca', sslrootcert: stranger.cert }), /postgres-tls/],
  ['verify-full', () => ({ sslmode: 'verify-full', sslrootcert: authority.cert, host: 'localhost' }), 'tls'],
  [
    'verify-full by name and address',
    () => ({ sslmode: 'verify-full', sslrootcert: authority.cert, host: 'localhost', hostaddr: '127.0.0.1' }),
    'tls',
  ],
  [
    'verify-full with the wrong name',
    () => ({ sslmode: 'verify-full', sslrootcert: authority.cert, host: '127.0.0.1' }),
    /postgres-tls.*certificate/,
  ],
  ['verify-full without a root certificate', () => ({ sslmode: 'verify-full' }), /conninfo-invalid.*root certificate/],
  ['verify-full with public authorities', () => ({ sslrootcert: 'system', host: 'localhost' }), /postgres-tls/],
  ['weaker than verify-full with public authorities', () => ({ sslrootcert: 'system', sslmode: 'require' }), /conninfo-invalid.*too weak/],
  ['a root certificate that is not there', () => ({ sslmode: 'verify-full', sslrootcert: '/nonexistent' }), /postgres-tls.*sslrootcert/],
  ['an unknown sslmode', () => ({ sslmode: 'always' }), /conninfo-invalid.*always/],
  ['at most TLS 1.2', () => ({ sslmode: 'require', ssl_max_protocol_version: 'TLSv1.2' }), 'tls'],
];

for (const [what, info, expected] of sslCases) {
  test(`sslmode: ${what}`, async () => {
    if (expected instanceof RegExp) {
      const error = await failure(info());
      assert.match(`${error.code} ${explain(error)}`, new RegExp(expected.source, 's'));
      return;
    }
    await using connection = await open(info());
    assert.equal(await isEncrypted(connection), expected === 'tls');
  });
}

test('a client certificate is enough to log in', async () => {
  const { cert, key } = await authority.issue('certified');
  assert(await connects({ user: 'certified', sslmode: 'require', sslcert: cert, sslkey: key }));
  assert.equal((await failure({ user: 'certified', sslmode: 'require' })).code, 'postgres-authentication');
  const missing = await failure({ user: 'certified', sslmode: 'require', sslcert: cert, sslkey: '/nonexistent' });
  assert.match(missing.message, /sslkey/);
});

test('a replication connection identifies the system', async () => {
  for (const info of [{ user: 'postgres' }, { user: 'scram', password: secret }]) {
    await using connection = await open(info, { replication: true });
    const identity = await identifySystem(connection);
    const [row] = await postgres.query('SELECT system_identifier::text AS id FROM pg_control_system()');
    assert.equal(String(identity.systemIdentifier), row?.['id']);
    assert.equal(identity.timeline, 1);
    assert(identity.position > 0n);
    assert.deepEqual(await connection.query('SHOW wal_segment_size'), [{ wal_segment_size: '16MB' }]);
  }
});

const refusals: readonly (readonly [
  what: string,
  info: ConnInfo,
  options: ConnectOptions,
  code: string,
  retryable: boolean,
  text: RegExp,
])[] = [
  ['a host that nobody knows', { host: 'no-such-host.invalid' }, {}, 'postgres-unreachable', true, /no-such-host\.invalid/],
  ['a socket that is not there', { host: '/nonexistent' }, {}, 'postgres-unreachable', true, /nonexistent/],
  ['a database that is not there', { dbname: 'nothing' }, {}, 'postgres-refused', false, /nothing.*3D000/],
  ['a role that is not there', { user: 'nobody_at_all' }, {}, 'postgres-authentication', false, /28000/],
  ['pg_hba.conf', { user: 'excluded' }, {}, 'postgres-authentication', false, /28000.*hint.*pg_hba/s],
  ['a role without REPLICATION', { user: 'unprivileged' }, { replication: true }, 'postgres-refused', false, /42501.*hint.*REPLICATION/s],
  ['a bad port', { port: 'x' }, {}, 'conninfo-invalid', false, /port/],
  ['a demand we cannot honour', { requirepeer: 'postgres' }, {}, 'conninfo-invalid', false, /requirepeer/],
];

for (const [what, info, options, code, retryable, text] of refusals) {
  test(`refused: ${what}`, async () => {
    const error = await failure(info, options);
    assert.equal(error.code, code);
    assert.equal(error.retryable, retryable);
    assert.match(explain(error), text);
  });
}

test('application_name, options and connect_timeout', async () => {
  await using named = await open({ application_name: 'mine', options: '-c work_mem=5MB' }, { applicationName: 'theirs' });
  assert.deepEqual(await named.query(`SELECT current_setting('application_name') AS name, current_setting('work_mem') AS memory`), [
    { name: 'mine', memory: '5MB' },
  ]);
  await using unnamed = await open({}, { applicationName: 'theirs' });
  assert.deepEqual(await unnamed.query('SHOW application_name'), [{ application_name: 'theirs' }]);
});

test('a server that accepts and then says nothing is given up', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await waitFor(() => server.listening, { withinMs: 30_000, what: 'listening' });
  const port = String((server.address() as { port: number }).port);
  try {
    const error = await failure({ port, connect_timeout: '2' });
    assert.equal(error.code, 'postgres-unreachable');
    assert.match(error.message, /timeout/);

    const reason = new Error('enough');
    const abort = new AbortController();
    const attempt = open({ port }, { signal: abort.signal });
    await waitFor(() => sockets.length === 2, { withinMs: 30_000, what: 'the second connection' });
    abort.abort(reason);
    await assert.rejects(attempt, reason);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

test('a server without TLS: prefer goes on in the clear, require does not', async () => {
  await using plain = await TestPostgres.start();
  const info = { port: String(plain.port) };
  await using connection = await open(info);
  assert.equal(await isEncrypted(connection), false);
  const error = await failure({ ...info, sslmode: 'require' });
  assert.equal(error.code, 'postgres-tls');
});

test('several hosts: the first that is up and fits', async () => {
  const dead = String(await freePort());
  const ports = `${dead},${postgres.port}`;
  await using connection = await open({ host: '127.0.0.1,localhost', port: ports, target_session_attrs: 'read-write' });
  assert.match(connection.target, /localhost/);
  await using preferring = await open({ host: '127.0.0.1,localhost', port: ports, target_session_attrs: 'prefer-standby' });
  assert.equal(preferring.closed, false);
  for (const replication of [false, true]) {
    const error = await failure({ host: '127.0.0.1,localhost', port: ports, target_session_attrs: 'standby' }, { replication });
    assert.equal(error.retryable, true);
    assert.match(explain(error), /ECONNREFUSED.*not a standby/s);
  }
  const readOnly = await open({ options: '-c default_transaction_read_only=on', target_session_attrs: 'read-only' });
  await readOnly.close();
  assert.match((await failure({ target_session_attrs: 'sometimes' })).message, /sometimes/);
});

test('a wrong password is not tried on the next host', async () => {
  const error = await failure({ host: '127.0.0.1,127.0.0.1', user: 'scram', password: 'wr0ng' });
  assert.equal(error.code, 'postgres-authentication');
});

test('close ends the session, also during a statement, and again', async () => {
  const connection = await open({});
  connection.onLost(() => assert.fail('closing is not losing'));
  const running = connection.query('SELECT pg_sleep(60)');
  const ended = assert.rejects(running, (error) => isOperatorError(error, 'postgres-unreachable'));
  await waitFor(async () => (await sleepers()) === 1, { withinMs: 30_000, what: 'the statement runs' });
  await connection.close();
  await connection.close();
  await ended;
  assert.equal(connection.closed, true);
  await assert.rejects(connection.query('SELECT 1'), (error) => isOperatorError(error, 'postgres-unreachable'));
  await postgres.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'`);
});

test('an idle connection notices that the server ends it', async () => {
  const connection = await open({});
  const lost = new Promise<OperatorError>((resolve) => connection.onLost(resolve));
  const [row] = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await postgres.query('SELECT pg_terminate_backend($1)', [row?.pid]);
  const error = await lost;
  assert.match(explain(error), /terminating connection/);
  assert.equal(connection.closed, true);
  await assert.rejects(connection.query('SELECT 1'), error);
  await connection.close();
});

test('a server killed in the middle of a statement', async () => {
  await using victim = await TestPostgres.start();
  const connection = await open({ port: String(victim.port) });
  const lost = new Promise<OperatorError>((resolve) => connection.onLost(resolve));
  const running = connection.query('SELECT pg_sleep(60)');
  const queued = connection.query('SELECT 1');
  const failures = Promise.allSettled([running, queued]);
  await waitFor(async () => (await sleepers(victim)) === 1, { withinMs: 30_000, what: 'the statement runs' });
  await victim.kill9();
  for (const result of await failures) {
    assert(result.status === 'rejected' && isOperatorError(result.reason, 'postgres-unreachable') && result.reason.retryable);
  }
  assert.equal((await lost).code, 'postgres-unreachable');
  const late = new Promise<OperatorError>((resolve) => connection.onLost(resolve));
  assert.equal(await late, await lost);
  assert.equal((await failure({ port: String(victim.port) })).code, 'postgres-unreachable');
});

async function sleepers(server: TestPostgres = postgres): Promise<number> {
  const [row] = await server.query(
    `SELECT count(*)::int AS count FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'`,
  );
  return row?.['count'] as number;
}
