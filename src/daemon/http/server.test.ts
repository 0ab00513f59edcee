import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { waitFor } from '../../../test/support/wait-for.ts';
import { makeHistory, makeWalSegment } from '../../../test/support/wal-segment.ts';
import { TestWalSite, type TestWalSiteOptions } from '../../../test/support/wal-site.ts';
import { CodecPool } from '../../codec/pool.ts';
import { isOperatorError, OperatorError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { sourceOfBytes } from '../../storage/object-source.ts';
import { findWalDirectory } from '../../wal/wal-directory.ts';
import { type HttpServer, type HttpServerDeps, type HttpServerOptions, startHttpServer } from './server.ts';
import type { SiteServices } from './site-services.ts';

const pool = new CodecPool(2);
after(() => pool.close());

const segment = '000000010000000000000003';
const bytesWanted = { accept: 'application/octet-stream' };

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

interface Bench extends AsyncDisposable {
  readonly site: TestWalSite;
  readonly server: HttpServer;
  readonly requested: readonly string[];
  readonly ask: (method: string, path: string, headers?: Record<string, string>, body?: string) => Promise<Answer>;
  /** Sends these bytes and returns all that comes back. */
  readonly raw: (text: string) => Promise<string>;
}

interface BenchOptions {
  readonly site?: TestWalSiteOptions;
  readonly server?: Partial<HttpServerOptions>;
  readonly deps?: Partial<HttpServerDeps>;
  readonly services?: Partial<SiteServices>;
}

async function startBench(options: BenchOptions = {}): Promise<Bench> {
  const site = await TestWalSite.start(pool, options.site);
  const requested: string[] = [];
  const services: SiteServices = {
    name: 'main',
    archiver: site.archiver,
    fetcher: site.fetcher,
    catalogs: [site.catalog],
    requestBasebackup: () => void requested.push('main'),
    walDirectory: () => findWalDirectory(join(site.directory, 'pgdata')),
    ...options.services,
  };
  const server = await startHttpServer({ address: '127.0.0.1', port: 0, ...options.server }, new Map([['main', services]]), {
    version: '9.9.9',
    log: silentLog,
    readStatus: async () => '{"state": 1}',
    ...options.deps,
  });
  const dispose = async () => {
    await server.close(0);
    await site[Symbol.asyncDispose]();
  };
  return {
    site,
    server,
    requested,
    ask: (method, path, headers = {}, body = '') => askServer(server.port, method, path, headers, body),
    raw: (text) => sendRaw(server.port, text),
    [Symbol.asyncDispose]: dispose,
  };
}

async function askServer(port: number, method: string, path: string, headers: Record<string, string>, body: string): Promise<Answer> {
  const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
  const bytes = await buffer(incoming);
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: bytes, text: bytes.toString() };
}

async function sendRaw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(text, 'latin1');
  return (await buffer(socket)).toString('latin1');
}

test('archive: 201 once stored, 201 again, and the file can be asked for by HEAD', async () => {
  await using bench = await startBench();
  await bench.site.write(segment);
  for (const _time of [1, 2]) {
    const { status, text, headers } = await bench.ask('PUT', `/main/archive/${segment}`);
    assert.deepEqual([status, text, headers['server'], headers['content-length']], [201, '', 'pghoard/9.9.9', '0']);
  }
  const head = await bench.ask('HEAD', `/main/archive/${segment}`);
  assert.equal(head.status, 200);
  assert.equal(head.headers['metadata-hash-algorithm'], 'sha1');
  assert.equal(head.headers['metadata-hash'], (await bench.site.store.head(`main/xlog/${segment}`)).metadata['hash']);
  assert.equal((await bench.ask('HEAD', '/main/xlog/000000010000000000000004')).status, 404);
  assert.equal((await bench.ask('HEAD', `/main/archive/${segment}`, { 'x-pghoard-target-path': '/x' })).status, 400);
});

test('archive: what cannot be archived gets the status that says why', async () => {
  await using bench = await startBench();
  assert.equal((await bench.ask('PUT', `/main/archive/${segment}`)).status, 404, 'no such file');
  await bench.site.write(segment);
  await bench.site.archiver.archive(segment, join(bench.site.walDirectory, segment));
  await bench.site.write(segment, { filling: 'other' });
  const conflict = await bench.ask('PUT', `/main/archive/${segment}`);
  assert.deepEqual([conflict.status, conflict.headers['x-pghoard-code']], [409, 'wal-conflict']);
  assert.match(conflict.text, /^wal-conflict: .*\n {2}hint: /);
  await bench.site.writeBytes('000000010000000000000004', makeWalSegment(segment));
  assert.equal((await bench.ask('PUT', '/main/archive/000000010000000000000004')).status, 412);
  for (const name of ['x', 'basebackup.tar', `${segment}~`, '00000001.HISTORY']) {
    const { status, text } = await bench.ask('PUT', `/main/archive/${name}`);
    assert.equal(status, 400, name);
    assert.match(text, /Unrecognized file/);
  }
  assert.equal((await bench.ask('PUT', `/main/timeline/${segment}`)).status, 400, 'a segment is no history');
  assert.equal((await bench.ask('PUT', '/main/xlog/00000002.history')).status, 400, 'a history is no segment');
  assert.equal((await bench.ask('PUT', `/main/archive/${segment}.00000028.backup`)).status, 201);
});

test('archive: history under its own path, and a site without a data directory', async () => {
  await using bench = await startBench();
  await bench.site.write('00000002.history');
  assert.equal((await bench.ask('PUT', '/main/timeline/00000002.history')).status, 201);
  assert.equal((await bench.ask('HEAD', '/main/timeline/00000002.history')).status, 200);
  await rename(join(bench.site.directory, 'pgdata'), join(bench.site.directory, 'gone'));
  const { status, text } = await bench.ask('PUT', `/main/archive/${segment}`);
  assert.equal(status, 404);
  assert.match(text, /no WAL directory/);
});

test('archive: a request that takes too long ends with TIMEOUT, its upload goes on, and a repeat joins it', async () => {
  await using bench = await startBench({ deps: { limits: { archiveWaitMsMax: 50 } } });
  const released = Promise.withResolvers<void>();
  bench.site.store.inject({ operation: 'put', how: 'wait', until: released.promise });
  await bench.site.write(segment);
  const late = await bench.ask('PUT', `/main/archive/${segment}`);
  assert.equal(late.status, 500);
  assert.match(late.text, /TIMEOUT/);
  released.resolve();
  await waitFor(async () => (await bench.ask('PUT', `/main/archive/${segment}`)).status === 201, { withinMs: 10_000, what: 'stored' });
  assert.equal(bench.site.store.count('put'), 1);
});

test('restore: our own client gets the bytes, with what it needs to verify them', async () => {
  await using bench = await startBench();
  await bench.site.archiveNew([segment, '00000002.history']);
  const { status, headers, body } = await bench.ask('GET', `/main/archive/${segment}`, bytesWanted);
  assert.equal(status, 200);
  assert.deepEqual(body, makeWalSegment(segment));
  assert.deepEqual([headers['x-pghoard-size'], headers['x-pghoard-hash-algorithm']], [String(body.length), 'sha1']);
  assert.match(String(headers['x-pghoard-hash']), /^[0-9a-f]{40}$/);
  assert.deepEqual((await bench.ask('GET', '/main/timeline/00000002.history', bytesWanted)).body, makeHistory('00000002.history'));
  await waitFor(async () => (await bench.site.prefetched()).length === 0, { withinMs: 5000, what: 'served files are removed' });
  const { status: neither, text } = await bench.ask('GET', `/main/archive/${segment}`);
  assert.equal(neither, 400);
  assert.match(text, /x-pghoard-target-path/);
});

test('restore: 404 only for what is proven missing', async () => {
  await using bench = await startBench();
  const missing = await bench.ask('GET', `/main/archive/${segment}`, bytesWanted);
  assert.deepEqual([missing.status, missing.headers['x-pghoard-code']], [404, 'wal-missing']);
  bench.site.store.inject({ operation: 'get', how: 'refuse' });
  bench.site.store.inject({ operation: 'head', how: 'refuse' });
  assert.equal((await bench.ask('GET', `/main/archive/${segment}`, bytesWanted)).status, 503);
  assert.equal((await bench.ask('HEAD', `/main/archive/${segment}`)).status, 503);
  bench.site.store.heal();
  bench.site.store.inject({ operation: 'get', how: 'refuse', error: new OperatorError('store-denied', 'no', { hint: 'Check the key.' }) });
  const denied = await bench.ask('GET', `/main/archive/${segment}`, bytesWanted);
  assert.equal(denied.status, 500);
  assert.equal(denied.text, 'store-denied: no\n  hint: Check the key.\n');
  bench.site.store.heal();
  await bench.site.archiveNew([segment]);
  const key = `main/xlog/${segment}`;
  const { metadata } = await bench.site.store.head(key);
  await bench.site.store.put(key, sourceOfBytes(Buffer.from('junk')), { metadata });
  const corrupt = await bench.ask('GET', `/main/archive/${segment}`, bytesWanted);
  assert.deepEqual([corrupt.status, corrupt.headers['x-pghoard-code']], [500, 'object-corrupt']);
  const unknown = await bench.ask('GET', `/nosuch/archive/${segment}`, bytesWanted);
  assert.deepEqual([unknown.status, unknown.headers['x-pghoard-code']], [404, 'site-missing']);
});

test('restore: a Python client names its target in the WAL directory, also where that is a link', async () => {
  await using bench = await startBench();
  await bench.site.archiveNew([segment]);
  const { walDirectory, directory } = bench.site;
  const real = join(directory, 'elsewhere');
  await rename(walDirectory, real);
  await symlink(real, walDirectory);
  for (const target of [join(walDirectory, 'RECOVERYXLOG'), join(real, 'RECOVERYXLOG'), join(walDirectory, segment)]) {
    const { status, text } = await bench.ask('GET', `/main/archive/${segment}`, { 'x-pghoard-target-path': target });
    assert.deepEqual([status, text], [201, ''], target);
    assert.deepEqual(await readFile(target), makeWalSegment(segment));
  }
  assert.deepEqual((await readdir(real)).toSorted(), [segment, 'RECOVERYXLOG']);
});

test('restore: nothing outside the WAL directory can be written', async () => {
  await using bench = await startBench();
  await bench.site.archiveNew([segment]);
  const { walDirectory, directory } = bench.site;
  const other = '000000010000000000000009';
  await bench.site.write(other);
  await mkdir(join(directory, 'outside'));
  await writeFile(join(directory, 'outside', 'victim'), 'precious');
  await symlink(join(directory, 'outside'), join(walDirectory, 'way-out'));
  await symlink(join(directory, 'outside', 'victim'), join(walDirectory, 'link'));
  await mkdir(join(walDirectory, 'archive_status'));
  const refused: readonly [string, number][] = [
    [join(directory, 'outside', 'victim'), 400],
    [join(directory, 'pgdata', 'postgresql.auto.conf'), 400],
    [`${walDirectory}/../postgresql.auto.conf`, 400],
    [`${walDirectory}/./RECOVERYXLOG`, 400],
    [`${walDirectory}/way-out/victim`, 400],
    [`${walDirectory}/link`, 400],
    [`${walDirectory}/archive_status`, 400],
    [`${walDirectory}/archive_status/x`, 400],
    [`${walDirectory}/`, 400],
    [walDirectory, 400],
    [`${walDirectory}x/RECOVERYXLOG`, 400],
    [join(walDirectory, other), 400],
    ['pg_wal/RECOVERYXLOG', 400],
    ['', 400],
    ['/', 400],
    [`/${'x'.repeat(5000)}`, 400],
    [`${walDirectory}/no-such-directory/RECOVERYXLOG`, 409],
    ['/no/such/directory/RECOVERYXLOG', 400],
  ];
  for (const [target, expected] of refused) {
    const { status } = await bench.ask('GET', `/main/archive/${segment}`, { 'x-pghoard-target-path': target });
    assert.equal(status, expected, target);
  }
  assert.equal(await readFile(join(directory, 'outside', 'victim'), 'utf8'), 'precious');
  assert.deepEqual(await readFile(join(walDirectory, other)), makeWalSegment(other));
  assert.deepEqual(await readdir(join(directory, 'outside')), ['victim']);
  const twice = await bench.raw(
    `GET /main/archive/${segment} HTTP/1.1\r\nHost: x\r\nx-pghoard-target-path: ${walDirectory}/a\r\nx-pghoard-target-path: /b\r\n\r\n`,
  );
  assert.match(twice, /^HTTP\/1\.1 400 /);
});

test('nothing outside the WAL directory can be read: tricks with paths', async () => {
  await using bench = await startBench();
  const { directory, walDirectory } = bench.site;
  await writeFile(join(directory, 'pgdata', segment), makeWalSegment(segment));
  const tricks = [
    `/main/archive/../${segment}`,
    `/main/archive/..%2f${segment}`,
    `/main/archive/%2e%2e/${segment}`,
    `/main/archive/..\\${segment}`,
    `/main/archive/${segment}%00`,
    `/main/archive/${segment}?x=1`,
    `/main/archive/${segment}#x`,
    `/main/archive//${segment}`,
    `/main/archive/./${segment}`,
    `/main/../main/archive/${segment}`,
    `/main/archive//etc/passwd`,
    `/main/archive/${segment}/`,
    `/main/archive/${segment}/x`,
    `/main/archive/`,
    '/main/archive',
    '/main//',
    '/',
    '/main',
    '/main/nosuch',
    '/main/constructor/x',
    `http://127.0.0.1/main/archive/${segment}`,
    '*',
    `/main/archive/\xe9`,
    `main/archive/${segment}`,
  ];
  for (const method of ['GET', 'PUT', 'HEAD']) {
    for (const path of tricks) {
      const answer = await bench.raw(`${method} ${path} HTTP/1.1\r\nHost: x\r\nAccept: application/octet-stream\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 400 /, `${method} ${path}`);
    }
  }
  await symlink(join(directory, 'pgdata', segment), join(walDirectory, segment));
  assert.equal((await bench.ask('PUT', `/main/archive/${segment}`)).status, 404, 'a link to a file');
  assert.deepEqual([bench.site.store.count('put'), bench.site.store.count('get')], [0, 0]);
});

test('status, metrics, and what is not implemented', async () => {
  await using bench = await startBench();
  const status = await bench.ask('GET', '/status');
  assert.deepEqual([status.status, status.text, status.headers['content-type']], [200, '{"state": 1}', 'application/octet-stream']);
  assert.deepEqual([(await bench.ask('HEAD', '/status')).status, (await bench.ask('GET', '//status')).status], [200, 200]);
  assert.equal((await bench.ask('GET', '/status/x')).status, 400);
  assert.equal((await bench.ask('GET', '/main/status')).status, 501);
  assert.equal((await bench.ask('GET', '/metrics')).status, 501);
  assert.equal((await bench.ask('GET', '/main/metrics')).status, 400);
  for (const method of ['POST', 'DELETE', 'OPTIONS', 'PATCH']) assert.equal((await bench.ask(method, '/status')).status, 501, method);
  assert.equal((await bench.ask('PUT', '/status')).status, 400);
  await using measured = await startBench({ deps: { metrics: () => 'something 1\n' } });
  const metrics = await measured.ask('GET', '/metrics');
  assert.deepEqual([metrics.status, metrics.text], [200, 'something 1\n']);
  assert.equal((await measured.ask('GET', '/metrics/x')).status, 400);
});

test('base backups: listed with their metadata, requested under both paths', async () => {
  await using bench = await startBench();
  const metadata = {
    'start-time': '2026-11-22T23:39:52+00:00',
    'start-wal-segment': segment,
    'compression-algorithm': 'snappy',
    'pg-version': '150018',
  };
  await bench.site.store.put('main/basebackup/2026-11-22_23-39_0', sourceOfBytes(Buffer.from('tar')), { metadata });
  await bench.site.store.put('main/basebackup/junk', sourceOfBytes(Buffer.from('junk')), { metadata: {} });
  const { status, text, headers } = await bench.ask('GET', '/main/basebackup');
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/json');
  const { basebackups, unreadable } = JSON.parse(text) as {
    basebackups: { name: string; last_modified: string }[];
    unreadable: { key: string }[];
  };
  const [{ last_modified: modified, ...backup }] = basebackups as [{ name: string; last_modified: string }];
  assert.deepEqual(backup, { name: 'main/basebackup/2026-11-22_23-39_0', size: 3, metadata });
  assert.match(modified, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.deepEqual(
    unreadable.map(({ key }) => key),
    ['main/basebackup/junk'],
  );
  assert.equal((await bench.ask('HEAD', '/main/basebackup')).status, 200);
  assert.deepEqual(
    [(await bench.ask('PUT', '/main/basebackup')).status, (await bench.ask('PUT', '/main/archive/basebackup')).status],
    [201, 201],
  );
  assert.equal(bench.requested.length, 2);
  assert.equal((await bench.ask('GET', '/main/archive/basebackup', bytesWanted)).status, 400);
});

test('credentials: every request needs exactly these', async () => {
  await using bench = await startBench({ server: { username: 'ann', password: 'se:cret' } });
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  for (const headers of [{}, basic('ann:se:cre'), basic('Ann:se:cret'), basic('ann:se:cret '), { authorization: 'Bearer x' }, basic('')]) {
    for (const path of ['/status', '/nosuch', `/main/archive/${segment}`]) {
      const answer = await bench.ask('GET', path, headers as Record<string, string>);
      assert.equal(answer.status, 401);
      assert.equal(answer.headers['www-authenticate'], 'Basic realm="pghoard"');
      assert.equal(answer.text, 'Authentication required');
    }
  }
  assert.equal((await bench.ask('GET', '/status', basic('ann:se:cret'))).status, 200);
});

test('bodies are ignored up to a bound, headers are bounded, gibberish is refused', async () => {
  await using bench = await startBench();
  assert.equal((await bench.ask('PUT', '/main/basebackup', {}, 'x'.repeat(100_000))).status, 201);
  assert.match(await bench.raw('PUT /status HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n'), /^HTTP\/1\.1 413 /);
  assert.match(await bench.raw(`GET /status HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
  assert.match(await bench.raw('\x16\x03\x01\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(await bench.raw('GET /status HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 /);
});

test('a bug in a route is a 503 that names its class, and the server lives on', async () => {
  await using bench = await startBench({ deps: { readStatus: () => Promise.reject(new TypeError('x is not a function')) } });
  const { status, text } = await bench.ask('GET', '/status');
  assert.deepEqual([status, text], [503, 'server failure: TypeError: x is not a function\n']);
  assert.equal((await bench.ask('GET', '/metrics')).status, 501);
});

test('a port that is taken is an error with a hint', async () => {
  await using bench = await startBench();
  const second = startHttpServer({ address: '127.0.0.1', port: bench.server.port }, new Map(), {
    version: '1',
    log: silentLog,
    readStatus: async () => '',
  });
  await assert.rejects(second, (error) => isOperatorError(error, 'http-listen-failed') && /another pghoard/.test(error.hint ?? ''));
});

test('all addresses of both kinds', async (context) => {
  const deps: HttpServerDeps = { version: '1', log: silentLog, readStatus: async () => 'ok' };
  await using all = await startHttpServer({ address: '', port: 0 }, new Map(), deps);
  assert.equal((await askServer(all.port, 'GET', '/status', {}, '')).text, 'ok');
  let both: HttpServer;
  try {
    both = await startHttpServer({ address: '::', port: 0 }, new Map(), deps);
  } catch (error) {
    if (/EAFNOSUPPORT|EADDRNOTAVAIL/.test(String((error as Error).cause))) return context.diagnostic('this machine has no IPv6');
    throw error;
  }
  assert.equal((await askServer(both.port, 'GET', '/status', {}, '')).text, 'ok');
  await both.close();
});

test('closing answers those that wait, and does not wait for those that never send', async () => {
  await using bench = await startBench();
  const released = Promise.withResolvers<void>();
  bench.site.store.inject({ operation: 'put', how: 'wait', until: released.promise });
  await bench.site.write(segment);
  const waiting = bench.ask('PUT', `/main/archive/${segment}`);
  await waitFor(() => bench.site.store.count('put') === 1, { withinMs: 5000, what: 'the upload has begun' });
  const silent = connect(bench.server.port, '127.0.0.1');
  silent.on('error', () => {});
  await once(silent, 'connect');
  await bench.server.close(10);
  assert.equal((await waiting).status, 503);
  silent.destroy();
  released.resolve();
});
