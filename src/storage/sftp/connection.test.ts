import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { freePort } from '../../../test/support/free-port.ts';
import { Sshd } from '../../../test/support/services/sshd.ts';
import { TcpProxy } from '../../../test/support/tcp-proxy.ts';
import { bytesOf, collect, patternSource, read } from '../contract-tools.ts';
import { openStore as openConfigured } from '../drivers.ts';
import type { ObjectSource } from '../object-store.ts';
import type { Patience } from './connection.ts';
import { SftpStore } from './driver.ts';
import { fingerprintOf } from './host-key.ts';
import type { SftpStorageOptions } from './options.ts';

const sshd = await Sshd.start();
after(() => sshd[Symbol.asyncDispose]());

const gone = { code: 'store-unreachable', retryable: true };
const largeBytes = 6 * 1024 * 1024 + 4_321;

function openStore(more: Partial<SftpStorageOptions> = {}, patience: Partial<Patience> = {}): SftpStore & AsyncDisposable {
  const fingerprint = fingerprintOf(Buffer.from(sshd.hostKey.split(' ')[1] ?? '', 'base64'));
  const store = new SftpStore({ storage: sshd.storage({ host_key_fingerprint: fingerprint, ...more }), patience });
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}

/** Bytes in the middle of which something happens. */
function sourceWith(size: number, inTheMiddle: () => void): ObjectSource {
  const { source } = patternSource(size);
  return {
    size,
    async *open() {
      let bytes = 0;
      for await (const piece of source.open()) {
        if (bytes < size / 2 && bytes + piece.length >= size / 2) inTheMiddle();
        bytes += piece.length;
        yield piece;
      }
    },
  };
}

test('all requests share one connection, and the next one after close is refused', async () => {
  const before = sshd.logins;
  const store = openStore();
  await Promise.all(Array.from({ length: 20 }, (_, i) => store.put(`shared/${i}`, bytesOf('x'), { metadata: {} })));
  assert.equal((await collect(store.list('shared/'))).length, 20);
  assert.equal(sshd.logins - before, 1);
  await store.close();
  await assert.rejects(store.head('shared/1'), { code: 'store-failed', message: /closed/ });
  await store.close();
});

test('a server that allows one session only serves all requests', async () => {
  await using frugal = await Sshd.start({ config: ['MaxSessions 1'] });
  const store = new SftpStore({ storage: frugal.storage() });
  await Promise.all(Array.from({ length: 8 }, (_, i) => store.put(`one/${i}`, bytesOf('x'), { metadata: {} })));
  assert.equal((await collect(store.list('one/'))).length, 8);
  await store.close();
});

test('a connection cut in the middle of a download is told, and the next request connects anew', async () => {
  await using proxy = await TcpProxy.to(sshd.port);
  await using store = openStore({ port: proxy.port });
  const { source, matches } = patternSource(largeBytes);
  await store.put('down/large', source, { metadata: {} });
  const { bytes } = await store.get('down/large');
  let position = 0;
  const readAll = async () => {
    for await (const piece of bytes) {
      assert.ok(matches(piece, position));
      if (position === 0) proxy.resetAfter(1024 * 1024);
      position += piece.length;
    }
  };
  await assert.rejects(readAll(), gone);
  assert.ok(position > 0 && position < largeBytes, `${position} bytes came`);
  proxy.resetAfter(Number.POSITIVE_INFINITY);
  assert.equal((await store.head('down/large')).size, largeBytes);
});

test('a connection cut in the middle of an upload leaves no object, and the next upload succeeds', async () => {
  await using proxy = await TcpProxy.to(sshd.port);
  await using store = openStore({ port: proxy.port });
  await store.put('up/large', bytesOf('old'), { metadata: { round: '1' } });
  for (const key of ['up/large', 'up/new']) {
    await assert.rejects(
      store.put(
        key,
        sourceWith(largeBytes, () => proxy.resetAfter(100)),
        { metadata: { round: '2' } },
      ),
      gone,
    );
    proxy.resetAfter(Number.POSITIVE_INFINITY);
  }
  await assert.rejects(store.head('up/new'), { code: 'object-missing' });
  assert.equal(await read(store, 'up/large'), 'old');
  await store.put('up/large', patternSource(largeBytes).source, { metadata: { round: '2' } });
  assert.equal((await store.head('up/large')).size, largeBytes);
});

test('a server that answers nothing any more is given up after the deadline, and asked anew by the next request', async () => {
  await using store = openStore({}, { answerMsMax: 400 });
  await store.put('stalled/one', bytesOf('x'), { metadata: {} });
  const { sessions } = sshd;
  sshd.signalSessions('SIGSTOP');
  try {
    const works = [store.head('stalled/one'), read(store, 'stalled/one'), collect(store.list('stalled/')), store.delete('stalled/two')];
    for (const { status, ...outcome } of await Promise.allSettled(works)) {
      assert.equal(status, 'rejected');
      const { code, retryable } = (outcome as { reason: typeof gone }).reason;
      assert.deepEqual({ code, retryable }, gone);
    }
    assert.equal(await read(store, 'stalled/one'), 'x');
  } finally {
    for (const pid of sessions) process.kill(pid, 'SIGKILL');
  }
});

test('a half-open connection is noticed by its keepalive', async () => {
  await using proxy = await TcpProxy.to(sshd.port);
  await using store = openStore({ port: proxy.port }, { keepaliveMs: 60 });
  await store.put('half/one', bytesOf('x'), { metadata: {} });
  proxy.stall();
  await assert.rejects(store.head('half/one'), gone);
  assert.equal(await read(store, 'half/one'), 'x');
});

test('an upload to a server that hangs can be aborted at once', async () => {
  await using proxy = await TcpProxy.to(sshd.port);
  await using store = openStore({ port: proxy.port }, { answerMsMax: 2_000 });
  const stop = new AbortController();
  const source = sourceWith(largeBytes, () => {
    proxy.stall();
    setImmediate(() => stop.abort(new Error('stopped by the test')));
  });
  await assert.rejects(store.put('hung/one', source, { metadata: {}, signal: stop.signal }), /stopped by the test/);
});

test('nobody listens, no such host, and a server that says nothing are told apart by their hints', async () => {
  await using refused = openStore({ port: await freePort() });
  await assert.rejects(refused.head('one'), { ...gone, hint: /listens/ });
  await using nowhere = openStore({ server: `${'n'.repeat(70)}.invalid` });
  await assert.rejects(nowhere.head('one'), { ...gone, hint: /DNS/ });
  const mute = createServer().listen(0, '127.0.0.1');
  await once(mute, 'listening');
  try {
    await using silent = openStore({ port: (mute.address() as AddressInfo).port }, { connectMsMax: 300 });
    await assert.rejects(silent.head('one'), gone);
  } finally {
    mute.close();
  }
});

test('a server that is no SSH server, or has no SFTP, is an error', async () => {
  await using deaf = await Sshd.start({ config: ['ForceCommand /bin/false'] });
  const store = new SftpStore({ storage: deaf.storage() });
  await assert.rejects(store.head('one'), (error: Error) => error.message.includes('SFTP'));
  await store.close();
  const http = createServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1');
  await once(http, 'listening');
  try {
    await using other = openStore({ port: (http.address() as AddressInfo).port }, { connectMsMax: 2_000 });
    await assert.rejects(other.head('one'), { code: 'store-unreachable' });
  } finally {
    http.close();
  }
});

test('the prefix of a configuration is a directory below the one of the login', async () => {
  const store = await openConfigured(sshd.storage({ prefix: '/pre/fix/' }));
  await store.put('one', bytesOf('x'), { metadata: {} });
  assert.deepEqual(
    (await collect(store.list(''))).map(({ key }) => key),
    ['one'],
  );
  assert.equal(await readFile(join(sshd.root, 'pre/fix/one'), 'utf8'), 'x');
  await store.close();
});
