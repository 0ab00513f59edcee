import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { askServer, startHttpBench } from '../../../test/support/http-bench.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { CodecPool } from '../../codec/pool.ts';
import { isOperatorError, OperatorError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { planRefusalDocument } from '../../restore/plan/restore-plan-document.ts';
import { sourceOfBytes } from '../../storage/object-source.ts';
import { type HttpServer, type HttpServerDeps, startHttpServer } from './server.ts';

const pool = new CodecPool(2);
after(() => pool.close());

const segment = '000000010000000000000003';
const bytesWanted = { accept: 'application/octet-stream' };

function basic(text: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` };
}

test('status, metrics, and what is not implemented', async () => {
  await using bench = await startHttpBench(pool);
  const status = await bench.ask('GET', '/status');
  assert.deepEqual([status.status, status.text, status.headers['content-type']], [200, '{"state": 1}', 'application/octet-stream']);
  assert.deepEqual([(await bench.ask('HEAD', '/status')).status, (await bench.ask('GET', '//status')).status], [200, 200]);
  assert.equal((await bench.ask('GET', '/status/x')).status, 400);
  const site = await bench.ask('GET', '/main/status');
  assert.deepEqual([site.status, site.headers['content-type']], [200, 'application/json']);
  const { site: name, restorable } = JSON.parse(site.text) as { site: string; restorable: { state: string } };
  assert.deepEqual([name, restorable.state], ['main', 'no']);
  assert.equal((await bench.ask('PUT', '/main/status')).status, 400);
  assert.equal((await bench.ask('GET', '/elsewhere/status')).status, 404);
  assert.equal((await bench.ask('GET', '/metrics')).status, 501);
  assert.equal((await bench.ask('GET', '/main/metrics')).status, 400);
  for (const method of ['POST', 'DELETE', 'OPTIONS', 'PATCH']) assert.equal((await bench.ask(method, '/status')).status, 501, method);
  assert.equal((await bench.ask('PUT', '/status')).status, 400);
  await using measured = await startHttpBench(pool, { deps: { metrics: () => 'something 1\n' } });
  const metrics = await measured.ask('GET', '/metrics');
  assert.deepEqual([metrics.status, metrics.text], [200, 'something 1\n']);
  assert.equal((await measured.ask('GET', '/metrics/x')).status, 400);
});

test('a plan: its parameters, and why there is none, as JSON', async () => {
  await using bench = await startHttpBench(pool);
  const ask = async (query: string) => {
    const { status, text, headers } = await bench.ask('GET', `/main/plan${query}`);
    assert.equal(headers['content-type'], 'application/json', query);
    const { code, hint } = planRefusalDocument.parse(JSON.parse(text));
    assert.equal(headers['x-pghoard-code'], code);
    return [status, code, hint];
  };
  assert.deepEqual(await ask(''), [404, 'no-basebackup', 'Take one.']);
  for (const query of [
    '?target=latest',
    '?target=immediate&timeline=current',
    '?lsn=0/1&exclusive=1',
    '?time=5%20minutes%20ago',
    '?name=a',
  ])
    assert.equal((await ask(query))[1], 'no-basebackup', query);
  for (const query of ['?when=now', '?xid=1&xid=2', '?target=end', '?exclusive=yes&xid=1', '?timeline=0', '?target=latest&xid=1'])
    assert.deepEqual((await ask(query)).slice(0, 2), [400, 'request-invalid'], query);
  assert.deepEqual((await ask('?time=2026-11-22T10:00:00')).slice(0, 2), [400, 'target-time-zone-missing']);
  assert.deepEqual((await ask('?xid=1&name=a')).slice(0, 2), [400, 'target-ambiguous']);
  assert.deepEqual((await ask('?exclusive=1')).slice(0, 2), [400, 'target-ambiguous']);
  assert.equal((await bench.ask('PUT', '/main/plan')).status, 400);
  assert.equal((await bench.ask('GET', '/main/plan/x?xid=1')).status, 400);
});

test('base backups: listed with their metadata, requested under both paths', async () => {
  await using bench = await startHttpBench(pool);
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
  assert.deepEqual(backup, {
    name: 'main/basebackup/2026-11-22_23-39_0',
    size: 3,
    metadata,
    md5: createHash('md5').update('tar').digest('hex'),
  });
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

test('retention: what waits for a confirmation is told, and confirmed by its digest alone', async () => {
  const pending = { digest: '3f9a2c', because: '3 of 4 base backups would be deleted', doomed: ['a', 'b', 'c'], wal: '' };
  const confirmed: string[] = [];
  const confirmDeletion = (digest: string) => {
    if (digest !== pending.digest) throw new OperatorError('retention-not-pending', `not ${digest}`);
    confirmed.push(digest);
  };
  await using bench = await startHttpBench(pool, { services: { retention: { pending, postponed: 'it waits' }, confirmDeletion } });
  const { status, text } = await bench.ask('GET', '/main/retention');
  const { digest, because, doomed: basebackups } = pending;
  assert.deepEqual([status, JSON.parse(text)], [200, { confirmation: { digest, because, basebackups }, postponed: 'it waits' }]);
  const put = async (path: string) => (await bench.ask('PUT', `/main/retention${path}`)).status;
  assert.deepEqual(
    [await put('/confirm/other'), await put(''), await put('/confirm'), await put('/confirm/3f9a2c/x')],
    [409, 400, 400, 400],
  );
  assert.equal((await bench.ask('GET', '/main/retention/confirm/3f9a2c')).status, 400);
  assert.deepEqual([await put('/confirm/3f9a2c'), confirmed], [201, ['3f9a2c']]);
});

test('credentials: every request needs exactly these', async () => {
  await using bench = await startHttpBench(pool, { server: { username: 'ann', password: 'se:cret' } });
  for (const headers of [{}, basic('ann:se:cre'), basic('Ann:se:cret'), basic('ann:se:cret '), { authorization: 'Bearer x' }, basic('')]) {
    for (const path of ['/status', '/nosuch', `/main/archive/${segment}`]) {
      const answer = await bench.ask('GET', path, headers);
      assert.equal(answer.status, 401);
      assert.equal(answer.headers['www-authenticate'], 'Basic realm="pghoard"');
      assert.equal(answer.text, 'Authentication required');
    }
  }
  assert.equal((await bench.ask('GET', '/status', basic('ann:se:cret'))).status, 200);
});

test('bodies are ignored up to a bound, headers are bounded, gibberish is refused', async () => {
  await using bench = await startHttpBench(pool);
  assert.equal((await bench.ask('PUT', '/main/basebackup', {}, 'x'.repeat(100_000))).status, 201);
  assert.match(await bench.raw('PUT /status HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n'), /^HTTP\/1\.1 413 /);
  assert.match(await bench.raw(`GET /status HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
  assert.match(await bench.raw('\x16\x03\x01\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(await bench.raw('GET /status HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 /);
});

test('a bug in a route is a 503 that names its class, and the server lives on', async () => {
  await using bench = await startHttpBench(pool, { deps: { readStatus: () => Promise.reject(new TypeError('x is not a function')) } });
  const { status, text } = await bench.ask('GET', '/status');
  assert.deepEqual([status, text], [503, 'server failure: TypeError: x is not a function\n']);
  assert.equal((await bench.ask('GET', '/metrics')).status, 501);
});

test('a port that is taken is an error with a hint', async () => {
  await using bench = await startHttpBench(pool);
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
  await using bench = await startHttpBench(pool);
  const released = Promise.withResolvers<void>();
  bench.site.store.inject({ operation: 'put', how: 'wait', until: released.promise });
  await bench.site.write(segment);
  const waiting = bench.ask('PUT', `/main/archive/${segment}`);
  await waitFor(() => bench.site.store.count('put') === 1, { withinMs: 30_000, what: 'the upload has begun' });
  const silent = connect(bench.server.port, '127.0.0.1');
  silent.on('error', () => {});
  await once(silent, 'connect');
  await bench.server.close(10);
  assert.equal((await waiting).status, 503);
  silent.destroy();
  released.resolve();
});
