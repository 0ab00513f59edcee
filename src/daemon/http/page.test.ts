import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { startHttpBench } from '../../../test/support/http-bench.ts';
import { CodecPool } from '../../codec/pool.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { refuseForeignPages } from './browser-guard.ts';

const pool = new CodecPool(1);
after(() => pool.close());

test('the page is served with its types, its tag, and a policy that lets nothing foreign in', async () => {
  await using bench = await startHttpBench(pool);
  const types = {
    '/': 'text/html; charset=utf-8',
    '/page.js': 'text/javascript; charset=utf-8',
    '/page.css': 'text/css; charset=utf-8',
    '/icon.svg': 'image/svg+xml',
  };
  for (const [path, type] of Object.entries(types)) {
    const { status, headers, body } = await bench.ask('GET', path);
    assert.deepEqual([status, headers['content-type'], headers['x-content-type-options']], [200, type, 'nosniff'], path);
    assert.match(String(headers['content-security-policy']), /^default-src 'none'; script-src 'self';(?!.*unsafe)/);
    assert(body.length > 0);
    const again = await bench.ask('GET', path, { 'if-none-match': String(headers.etag) });
    assert.deepEqual([again.status, again.body.length, again.headers.etag], [304, 0, headers.etag]);
    const head = await bench.ask('HEAD', path);
    assert.deepEqual([head.status, head.body.length, head.headers['content-length']], [200, 0, String(body.length)]);
  }
  const { text, headers } = await bench.ask('GET', '/');
  assert.deepEqual([headers['content-encoding'], headers['vary']], [undefined, 'Accept-Encoding']);
  assert.doesNotMatch(text, /https?:|<script>|style=| on\w+=/);
  for (const path of ['/index.html', '/page.js/', '/../page.js', '/page.test.js', '/constructor', '/toString', '/%70age.js'])
    assert.equal((await bench.ask('GET', path)).status, 400, path);
  for (const path of ['/', '/page.js', '/events']) assert.equal((await bench.ask('PUT', path)).status, 400, path);
});

test('what a browser takes is sent compressed, with a tag of its own', async () => {
  await using bench = await startHttpBench(pool);
  const plain = await bench.ask('GET', '/page.js');
  for (const [taken, coding, decompress] of [
    ['gzip, deflate, br, zstd', 'br', brotliDecompressSync],
    ['gzip', 'gzip', gunzipSync],
  ] as const) {
    const { status, headers, body } = await bench.ask('GET', '/page.js', { 'accept-encoding': taken });
    assert.deepEqual([status, headers['content-encoding'], headers['vary']], [200, coding, 'Accept-Encoding']);
    assert.ok(body.length < plain.body.length / 2, `${body.length} of ${plain.body.length} bytes`);
    assert.deepEqual(decompress(body), plain.body);
    assert.notEqual(headers.etag, plain.headers.etag);
    const again = await bench.ask('GET', '/page.js', { 'accept-encoding': taken, 'if-none-match': String(headers.etag) });
    assert.deepEqual([again.status, again.headers['vary']], [304, 'Accept-Encoding']);
    assert.equal((await bench.ask('GET', '/page.js', { 'if-none-match': String(headers.etag) })).status, 200, 'another representation');
  }
});

test('the page and its events need the same credentials as everything else', async () => {
  await using bench = await startHttpBench(pool, { server: { username: 'ann', password: 'secret' } });
  for (const path of ['/', '/page.js', '/events']) {
    const { status, headers } = await bench.ask('GET', path);
    assert.deepEqual([status, headers['www-authenticate']], [401, 'Basic realm="pghoard"']);
  }
  const authorization = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
  assert.equal((await bench.ask('GET', '/', { authorization })).status, 200);
});

test('a site whose name a path cannot bear as it is has one way to be written', async () => {
  const name = 'two words <b>%41';
  await using bench = await startHttpBench(pool, { services: { name } });
  const { status, text } = await bench.ask('GET', `/${encodeURIComponent(name)}/status`);
  assert.deepEqual([status, (JSON.parse(text) as { site: string }).site], [200, name]);
  for (const path of [
    '/m%61in/status',
    '/%2e%2e/status',
    '/%2Fmain/status',
    '/%00/status',
    '/%/status',
    '/%E0%A4%A/status',
    '/main/%73tatus',
  ])
    assert.equal((await bench.ask('GET', path)).status, 400, path);
});

const ours = { host: '127.0.0.1:16000', origin: 'http://127.0.0.1:16000', 'sec-fetch-site': 'same-origin' };

test('browsers change something only where that is switched on, and only from our own page', async () => {
  const isRefused = (headers: Record<string, string>, mayAct = true, hasCredentials = false) => {
    try {
      refuseForeignPages((name) => headers[name], { mayAct, hasCredentials });
      return false;
    } catch (error) {
      assert(isOperatorError(error, 'browser-refused'));
      return true;
    }
  };
  assert.equal(isRefused({ host: 'anything' }, false), false, 'a program');
  assert.deepEqual([isRefused(ours), isRefused(ours, false)], [false, true]);
  for (const foreign of ['cross-site', 'same-site', 'none']) assert(isRefused({ ...ours, 'sec-fetch-site': foreign }), foreign);
  for (const origin of ['http://evil.example', 'null', 'http://127.0.0.1:80', 'http://127.0.0.1:16000.evil.example'])
    assert(isRefused({ ...ours, origin }), origin);
  const named = { host: 'rebound.example', origin: 'http://rebound.example', 'sec-fetch-site': 'same-origin' };
  assert.deepEqual([isRefused(named), isRefused(named, true, true)], [true, false]);
  for (const host of ['localhost:16000', '[::1]:16000', '192.0.2.7'])
    assert.equal(isRefused({ ...ours, host, origin: `http://${host}` }), false, host);
});

test('a foreign page is refused by the routes themselves', async () => {
  await using bench = await startHttpBench(pool, { server: { mayAct: true } });
  const put = (headers: Record<string, string>) => bench.ask('PUT', '/main/basebackup', headers);
  const refused = await put({ origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' });
  assert.deepEqual([refused.status, refused.headers['x-pghoard-code'], bench.requested.length], [403, 'browser-refused', 0]);
  const host = `127.0.0.1:${bench.server.port}`;
  assert.equal((await put({ host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' })).status, 201);
  assert.equal((await put({})).status, 201);
});
