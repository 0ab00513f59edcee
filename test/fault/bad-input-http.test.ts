import assert from 'node:assert/strict';
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { runProgram } from '../../src/lib/subprocess.ts';
import { runOurs } from '../support/commands.ts';
import { siteName, TestDaemon } from '../support/daemon.ts';
import { assertNoStackTrace, snapshotOf } from '../support/refusal.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { makeWalSegment } from '../support/wal-segment.ts';

const answerMsMax = 5000;
const credentials = { webserver_username: 'ann', webserver_password: 'pass:word-of-the-api' };

/** A daemon over a made-up data directory, with things around it that nobody may touch. */
class Target implements AsyncDisposable {
  readonly root: string;
  readonly daemon: TestDaemon;
  readonly walDirectory: string;
  readonly #dispose: () => Promise<void>;
  #segments = 0x10;

  private constructor(root: string, daemon: TestDaemon, dispose: () => Promise<void>) {
    this.root = root;
    this.daemon = daemon;
    this.walDirectory = join(root, 'host', 'pgdata', 'pg_wal');
    this.#dispose = dispose;
  }

  static async start(global: Record<string, unknown> = {}): Promise<Target> {
    const scratch = await makeTemporaryDirectory();
    const host = join(scratch.path, 'host');
    await mkdir(join(host, 'pgdata', 'pg_wal', 'archive_status'), { recursive: true });
    await writeFile(join(host, 'pgdata', 'postgresql.auto.conf'), 'precious\n');
    await writeFile(join(host, 'victim'), 'precious\n');
    const site = { pg_data_directory: join(host, 'pgdata') };
    const daemon = await TestDaemon.start({ directory: join(scratch.path, 'pghoard'), site, global });
    return new Target(scratch.path, daemon, async () => {
      await daemon[Symbol.asyncDispose]();
      await scratch[Symbol.asyncDispose]();
    });
  }

  /** Everything on this host but pghoard's own files. */
  get surroundings(): string[] {
    return snapshotOf(join(this.root, 'host'));
  }

  get stored(): string[] {
    const files = snapshotOf(this.root, 'pghoard').filter((line) => line.includes('/store/') && !/\/ \d+$/.test(line));
    // The index of a segment may follow it at any time.
    return files.filter((line) => !line.includes(`/${siteName}/site_identity`) && !line.includes(`/${siteName}/xlog_index/`));
  }

  /** A fresh segment in the WAL directory. */
  async segment(): Promise<string> {
    const name = `0000000100000000000000${(this.#segments++).toString(16).toUpperCase().padStart(2, '0')}`;
    await writeFile(join(this.walDirectory, name), makeWalSegment(name));
    return name;
  }

  open(): Socket {
    return connect(this.daemon.port, '127.0.0.1').on('error', () => {});
  }

  /** All that comes back until the server closes the connection, which it must do soon. */
  async raw(text: string): Promise<string> {
    const socket = this.open();
    const tooLate = setTimeout(
      () => socket.destroy(new Error(`no end of the answer to ${JSON.stringify(text.slice(0, 200))}`)),
      answerMsMax,
    );
    socket.write(text, 'latin1');
    try {
      return (await buffer(socket)).toString('latin1');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') return '';
      throw error;
    } finally {
      clearTimeout(tooLate);
    }
  }

  get(name: string, headers = ''): Promise<string> {
    return this.raw(`GET /${siteName}/archive/${name} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
  }

  put(name: string): Promise<string> {
    return this.raw(`PUT /${siteName}/archive/${name} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
  }

  async assertArchives(): Promise<void> {
    const name = await this.segment();
    assert.match(await this.put(name), /^HTTP\/1\.1 201 /);
    await this.daemon.archived(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispose();
  }
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
}

/** A reply that the server has given up on is as good as a refusal. */
function assertRefusedAnswer(answer: string, what: string): void {
  if (answer !== '') assert.match(answer, /^HTTP\/1\.1 4\d\d /, `${what}: ${answer}`);
  assertNoStackTrace(answer);
}

test('requests that nobody sends by mistake are refused, and change nothing around', async () => {
  await using target = await Target.start();
  const name = await target.segment();
  await writeFile(join(target.root, 'host', 'pgdata', name), makeWalSegment(name, { filling: 'outside' }));
  const before = target.surroundings;
  const head = 'Host: x\r\nAccept: application/octet-stream\r\n';
  const paths = [
    `/${siteName}/archive/../${name}`,
    `/${siteName}/archive/%2e%2e%2f${name}`,
    `/${siteName}/archive/%2e%2e/${name}`,
    `/${siteName}/archive/..%252f${name}`,
    `/${siteName}/archive/..%c0%af${name}`,
    `/${siteName}/archive/..\\${name}`,
    `/${siteName}/archive/${name}%00.history`,
    `/${siteName}/archive/${name}%0d%0aX-Injected:%20yes`,
    `/${siteName}/archive/${name}/../${name}`,
    `/${siteName}/archive//etc/passwd`,
    `/${siteName}/archive/${name}?a=/../b`,
    `/${siteName}/archive/${name}.metadata`,
    `/${siteName}/archive/${name.toLowerCase().replace('1', 'a')}`,
    `/${siteName}/archive/00000002.history.metadata`,
    `/${siteName}/xlog/../basebackup`,
    `/${siteName}/basebackup/../archive/${name}`,
    `/${siteName}/basebackup_chunk/x`,
    `/__proto__/archive/${name}`,
    `/constructor/archive/${name}`,
    `/../${siteName}/archive/${name}`,
    `http://127.0.0.1/${siteName}/archive/${name}`,
    `/${siteName}/archive/\xc3\xa9`,
    '*',
    '',
  ];
  const requests = paths.flatMap((path) => ['GET', 'HEAD', 'PUT'].map((method) => `${method} ${path} HTTP/1.1\r\n${head}\r\n`));
  requests.push(
    `GET /${'a'.repeat(60_000)} HTTP/1.1\r\n${head}\r\n`,
    `GET /status HTTP/1.1\r\n${'X-A: b\r\n'.repeat(5000)}\r\n`,
    `GET /status HTTP/1.1\r\nX-A: ${'b'.repeat(60_000)}\r\n\r\n`,
    'GET /status HTTP/9.9\r\n\r\n',
    'get /status HTTP/1.1\r\nHost: x\r\n\r\n',
    '\0\0\0\0\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    `GET /status HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n`,
    `GET /status HTTP/1.1\r\nHost: x\r\nX-\0: a\r\n\r\n`,
    `PUT /${siteName}/archive/${name} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `PUT /${siteName}/archive/${name} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n`,
    `PUT /${siteName}/archive/${name} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n`,
    `PUT /${siteName}/archive/${name} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n`,
    `PUT /${siteName}/archive/${name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n`,
    `GET /${siteName}/archive/${name} HTTP/1.1\r\nHost: x\r\nx-pghoard-target-path: /a\r\nx-pghoard-target-path: /b\r\n\r\n`,
    `HEAD /${siteName}/archive/${name} HTTP/1.1\r\nHost: x\r\nx-pghoard-target-path: /a\r\n\r\n`,
  );
  for (const request of requests) assertRefusedAnswer(await target.raw(request), JSON.stringify(request.slice(0, 200)));
  for (const method of ['POST', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
    assert.equal(statusOf(await target.raw(`${method} /status HTTP/1.1\r\nHost: x\r\n\r\n`)), 501, method);
  }
  assertRefusedAnswer(await target.raw('CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n'), 'CONNECT');
  assert.deepEqual(target.surroundings, before);
  assert.deepEqual(target.stored, []);
  await target.assertArchives();
  assertNoStackTrace(target.daemon.log);
});

test('answers cannot be split, and a request behind another one on the connection is not served', async () => {
  await using target = await Target.start();
  const name = await target.segment();
  const injected = await target.raw(`GET /no\x0bX-Injected:yes/archive/${name} HTTP/1.1\r\nHost: x\r\n\r\n`);
  assert.doesNotMatch(injected, /^X-Injected/im);
  const second = `PUT /${siteName}/archive/${name} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const piped = await target.raw(`GET /status HTTP/1.1\r\nHost: x\r\n\r\n${second}`);
  assert.equal(piped.match(/HTTP\/1\.1 \d{3}/g)?.length, 1, piped);
  const smuggled = await target.raw(`GET /status HTTP/1.1\r\nHost: x\r\nContent-Length: ${second.length}\r\n\r\n${second}`);
  assert.equal(smuggled.match(/HTTP\/1\.1 \d{3}/g)?.length, 1, smuggled);
  assert.deepEqual(target.stored, []);
  const chunked = await target.raw(
    `PUT /${siteName}/archive/${name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  );
  assert.equal(statusOf(chunked), 201, 'a body is not looked at');
  const endless = target.open();
  endless.write(`PUT /${siteName}/archive/${name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const closed = new Promise((resolve) => endless.once('close', resolve));
  const feed = () => {
    while (!endless.destroyed && endless.write(`10000\r\n${'x'.repeat(0x10000)}\r\n`));
  };
  endless.on('drain', feed).resume();
  feed();
  await closed;
  await target.assertArchives();
});

test('hundreds of half requests do not hinder an archive_command', async () => {
  await using target = await Target.start();
  const halves = ['', 'P', `PUT /${siteName}/arch`, `PUT /${siteName}/archive/x HTTP/1.1\r\nHost:`];
  const sockets = Array.from({ length: 500 }, (_, index) => {
    const socket = target.open().resume();
    socket.write(halves[index % halves.length] ?? '');
    return socket;
  });
  const isSettled = (socket: Socket) => !socket.connecting;
  await waitFor(() => sockets.every(isSettled), { withinMs: 30_000, what: 'all have connected' });
  const name = await target.segment();
  const port = String(target.daemon.port);
  const result = await runOurs('postgres-command', ['--mode', 'archive', '--site', siteName, '--port', port, '--xlog', name]);
  for (const socket of sockets) socket.destroy();
  assert.equal(result.code, 0, result.stdout);
  await target.daemon.archived(name, 1000);
});

test('only the right credentials open the door, and neither they nor wrong ones are told', async () => {
  await using target = await Target.start(credentials);
  const basic = (text: string) => `Authorization: Basic ${Buffer.from(text).toString('base64')}\r\n`;
  const right = basic(`${credentials.webserver_username}:${credentials.webserver_password}`);
  const name = await target.segment();
  const wrong = [
    '',
    basic('ann:wrong-guess'),
    basic(':'),
    basic(`ann:${credentials.webserver_password}\0`),
    'Authorization: Basic !!!\r\n',
  ];
  wrong.push(`Authorization: Bearer ${credentials.webserver_password}\r\n`, `${basic('a:b')}${right}`, right.replace('Basic', 'basic2'));
  for (const header of wrong) {
    for (const [method, path] of [
      ['GET', '/status'],
      ['PUT', `/${siteName}/archive/${name}`],
      ['PUT', `/${siteName}/basebackup`],
    ]) {
      const answer = await target.raw(`${method} ${path} HTTP/1.1\r\nHost: x\r\n${header}\r\n`);
      assert.equal(statusOf(answer), 401, header);
      assert.doesNotMatch(answer, /password|pass:word/i);
    }
  }
  assert.deepEqual(target.stored, []);
  const args = ['--mode', 'archive', '--site', siteName, '--port', String(target.daemon.port), '--xlog', name];
  const env = { ...process.env, PGHOARD_USERNAME: 'ann' };
  const denied = await runOurs('postgres-command', args, { env: { ...env, PGHOARD_PASSWORD: 'wrong-guess' } });
  assert.equal(denied.code, 3, denied.stdout);
  assert.match(denied.stdout, /401/);
  const accepted = await runOurs('postgres-command', args, { env: { ...env, PGHOARD_PASSWORD: credentials.webserver_password } });
  assert.equal(accepted.code, 0, accepted.stdout);
  for (const secret of [
    credentials.webserver_password,
    'wrong-guess',
    Buffer.from(`ann:${credentials.webserver_password}`).toString('base64'),
  ]) {
    assert.ok(!`${target.daemon.log}${denied.stdout}${accepted.stdout}`.includes(secret), secret);
  }
});

test('x-pghoard-target-path leads nowhere but into the WAL directory', async () => {
  await using target = await Target.start();
  const name = await target.segment();
  const other = await target.segment();
  assert.equal(statusOf(await target.put(name)), 201);
  const { walDirectory, root } = target;
  const host = join(root, 'host');
  await symlink(host, join(walDirectory, 'way-out'));
  await symlink(join(host, 'victim'), join(walDirectory, 'link'));
  await symlink(join(host, 'new-file'), join(walDirectory, 'RECOVERYHISTORY'));
  assert.equal((await runProgram('mkfifo', [join(walDirectory, 'pipe')])).code, 0);
  const before = target.surroundings;
  const wanted = [
    join(host, 'victim'),
    join(host, 'new-file'),
    join(host, 'pgdata', 'postgresql.auto.conf'),
    join(host, 'pgdata', name),
    `${walDirectory}/../postgresql.auto.conf`,
    `${walDirectory}/./RECOVERYXLOG`,
    `${walDirectory}//RECOVERYXLOG`,
    `${walDirectory}/way-out/victim`,
    `${walDirectory}/way-out/new-file`,
    `${walDirectory}/link`,
    `${walDirectory}/RECOVERYHISTORY`,
    `${walDirectory}/pipe`,
    `${walDirectory}/archive_status`,
    `${walDirectory}/archive_status/${name}.done`,
    `${walDirectory}/`,
    walDirectory,
    `${walDirectory}-other/RECOVERYXLOG`,
    join(walDirectory, other),
    'pg_wal/RECOVERYXLOG',
    '../RECOVERYXLOG',
    '/etc/pghoard-was-here',
    '/proc/self/mem',
    '/dev/stdout',
    '',
    '/',
    `/${'x'.repeat(5000)}`,
    `${walDirectory}/${'x'.repeat(300)}`,
    `${walDirectory}/no-such-directory/RECOVERYXLOG`,
  ];
  for (const path of wanted) assertRefusedAnswer(await target.get(name, `x-pghoard-target-path: ${path}\r\n`), path);
  assert.deepEqual(target.surroundings, before);
  assert.equal(statusOf(await target.get(name, `x-pghoard-target-path: ${walDirectory}/RECOVERYXLOG\r\n`)), 201);
  assert.deepEqual(await readFile(join(walDirectory, 'RECOVERYXLOG')), makeWalSegment(name));
  assertNoStackTrace(target.daemon.log);
});

test('what stands in the place of a segment and is none is not archived, and does not hold anybody up', async () => {
  await using target = await Target.start();
  const { walDirectory, root } = target;
  const outside = join(root, 'host', 'outside');
  const impostors: [string, (path: string) => Promise<unknown>][] = [
    ['a link to a file', async (path) => symlink(outside, path)],
    ['a link to a device', async (path) => symlink('/dev/zero', path)],
    ['a link to itself', async (path) => symlink(path, path)],
    ['a pipe', async (path) => runProgram('mkfifo', [path])],
    ['a directory', async (path) => mkdir(path)],
    ['nothing', async () => {}],
  ];
  for (const [what, make] of impostors) {
    const name = await target.segment();
    await rename(join(walDirectory, name), outside);
    await make(join(walDirectory, name));
    const answer = await target.put(name);
    assert.equal(statusOf(answer), 404, `${what}: ${answer}`);
    assertNoStackTrace(answer);
    assert.deepEqual(target.stored, [], what);
    await rm(join(walDirectory, name), { recursive: true, force: true });
    await rename(outside, join(walDirectory, name));
    assert.equal(statusOf(await target.put(name)), 201, `${what}, mended`);
    await target.daemon.archived(name, 1000);
    await rm(join(root, 'pghoard', 'store', siteName, 'xlog'), { recursive: true });
  }
});
