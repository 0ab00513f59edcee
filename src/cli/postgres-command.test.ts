import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startHttpBench } from '../../test/support/http-bench.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { makeWalSegment } from '../../test/support/wal-segment.ts';
import { CodecPool } from '../codec/pool.ts';

const pool = new CodecPool(2);
after(() => pool.close());

const segment = '000000010000000000000003';
const missing = '000000010000000000000009';
/** The sources under node:test on sources, the compiled file under node:test on those. */
const command = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './postgres-command.ts' : './postgres-command.js', import.meta.url),
);

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly cwd?: string;
  readonly file?: string;
  readonly env?: Record<string, string>;
}

async function run(args: readonly string[], { cwd, file = command, env = {} }: RunOptions = {}): Promise<Run> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, ...args], {
    cwd,
    env: { ...process.env, PGHOARD_RETRY_INTERVAL: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number | null, stdout, stderr };
}

async function startBench(server: { username?: string; password?: string } = {}) {
  const bench = await startHttpBench(pool, { server });
  const dispose = () => bench[Symbol.asyncDispose]();
  return { site: bench.site, flags: ['--port', String(bench.server.port), '--site', 'main'], [Symbol.asyncDispose]: dispose };
}

/** A server that answers as it is told, and counts. */
async function startFake(listener: RequestListener) {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    listener(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const flags = ['--port', String((server.address() as AddressInfo).port), '--site', 'main'];
  const dispose = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { flags, requests: () => requests, [Symbol.asyncDispose]: dispose };
}

test('archive: 0 once stored, 3 with the reason where it is not', async () => {
  await using bench = await startBench();
  await bench.site.write(segment);
  assert.deepEqual(await run([...bench.flags, '--mode', 'archive', '--xlog', segment]), { code: 0, stdout: '', stderr: '' });
  assert.ok(await bench.site.catalog.findWal(segment));
  await bench.site.write(segment, { filling: 'other' });
  const conflict = await run([...bench.flags, '--mode=archive', `--xlog=${segment}`]);
  assert.equal(conflict.code, 3);
  assert.match(conflict.stdout, /^pghoard_postgres_command: ERROR: .*HTTP status 409: wal-conflict: .*\n.*hint: /);
  assert.equal((await run([...bench.flags, '--mode', 'archive', '--xlog', missing])).code, 3);
});

test('archive: a backup history file needs no server; no server is 2', async () => {
  const nobody = ['--port', '1', '--site', 'main', '--mode', 'archive', '--xlog'];
  const label = await run([...nobody, `${segment}.00000028.backup`]);
  assert.equal(label.code, 0);
  assert.match(label.stdout, /NOTICE/);
  const refused = await run([...nobody, segment]);
  assert.equal(refused.code, 2);
  assert.match(refused.stdout, /ERROR: .*ECONNREFUSED/);
});

test('restore: the file is put in its place, also where pg_wal is a link, and 4 only for what is proven missing', async () => {
  await using bench = await startBench();
  await bench.site.archiveNew([segment]);
  const data = join(bench.site.directory, 'other-data');
  await mkdir(join(data, 'real'), { recursive: true });
  await symlink('real', join(data, 'pg_wal'));
  await writeFile(join(data, 'real', `RECOVERYXLOG.999999999.pghoard.tmp`), 'left by one that was killed');
  await writeFile(join(data, 'real', `${segment}.pghoard.prefetch`), 'left by the original');
  const restore = (xlog: string, ...more: string[]) => run([...bench.flags, '--mode', 'restore', '--xlog', xlog, ...more], { cwd: data });
  assert.deepEqual(await restore(segment, '--output', 'pg_wal/RECOVERYXLOG'), { code: 0, stdout: '', stderr: '' });
  assert.deepEqual(await readFile(join(data, 'real', 'RECOVERYXLOG')), makeWalSegment(segment));
  assert.deepEqual((await readdir(join(data, 'real'))).toSorted(), [`${segment}.pghoard.prefetch`, 'RECOVERYXLOG'].toSorted());
  const absent = await restore(missing, '--output', 'pg_wal/RECOVERYXLOG');
  assert.equal(absent.code, 4);
  assert.deepEqual([(await restore(segment)).code, (await restore(missing)).code], [0, 4], 'without --output it is only asked for');
  assert.equal((await restore(segment, '--output', 'no/such/directory/x')).code, 255);
});

test('restore: whatever leaves it open is 255, after three attempts where it may pass', async () => {
  await using bench = await startBench();
  await bench.site.archiveNew([segment]);
  const output = join(bench.site.directory, 'out');
  const restore = (flags: readonly string[], xlog = segment) => run([...flags, '--mode', 'restore', '--xlog', xlog, '--output', output]);
  const refused = await restore(['--port', '1', '--site', 'main']);
  assert.equal(refused.code, 255);
  assert.equal(refused.stdout.match(/ECONNREFUSED/g)?.length, 3);
  bench.site.store.inject({ operation: 'get', how: 'refuse' });
  const away = await restore(bench.flags);
  assert.equal(away.code, 255);
  assert.equal(away.stdout.match(/HTTP status 503: store-unreachable/g)?.length, 3);
  assert.equal((await restore([...bench.flags.slice(0, 2), '--site', 'typo'])).code, 255, 'an unknown site says nothing about the file');
  assert.equal((await restore(bench.flags, 'nonsense')).code, 255);
  await using stranger = await startFake((_request, response) => response.writeHead(404).end('not here'));
  assert.equal((await restore(stranger.flags)).code, 255, 'another program listens at the port');
  assert.equal(stranger.requests(), 1);
  await using odd = await startFake((_request, response) => response.writeHead(200).end('hello'));
  assert.equal((await restore(odd.flags)).code, 255);
  assert.ok(!(await readdir(bench.site.directory)).includes('out'));
});

test('restore: a transfer that breaks off or is damaged leaves nothing, and is repeated', async () => {
  await using bench = await startBench();
  const bytes = makeWalSegment(segment);
  const promise = { 'x-pghoard-size': bytes.length, 'x-pghoard-hash': 'f'.repeat(40), 'x-pghoard-hash-algorithm': 'sha1' };
  const output = join(bench.site.directory, 'out');
  const listeners: readonly RequestListener[] = [
    (_request, response) =>
      response.writeHead(200, { ...promise, 'content-length': bytes.length }).write(bytes.subarray(0, 1000), () => response.destroy()),
    (_request, response) => response.writeHead(200, promise).end(bytes.subarray(0, 1000)),
    (_request, response) => response.writeHead(200, promise).end(bytes),
    (request) => request.destroy(),
  ];
  for (const listener of listeners) {
    await using fake = await startFake(listener);
    const { code } = await run([...fake.flags, '--mode', 'restore', '--xlog', segment, '--output', output]);
    assert.deepEqual([code, fake.requests()], [255, 3]);
    assert.deepEqual(
      (await readdir(bench.site.directory)).filter((name) => name.startsWith('out')),
      [],
    );
  }
});

test('restore: a failure that passes is not noticed by PostgreSQL', async () => {
  await using bench = await startBench();
  await bench.site.archiveNew([segment]);
  for (const call of [1, 2, 3]) bench.site.store.inject({ operation: 'get', call, how: 'refuse' });
  const output = join(bench.site.directory, 'out');
  assert.equal((await run([...bench.flags, '--mode', 'restore', '--xlog', segment, '--output', output])).code, 0);
  assert.deepEqual(await readFile(output), makeWalSegment(segment));
});

test('restore on a standby: what leaves it open does not stop the server', async () => {
  await using bench = await startBench();
  await bench.site.archiveNew([segment]);
  await writeFile(join(bench.site.directory, 'standby.signal'), '');
  const restore = (...flags: string[]) => run(['--mode', 'restore', ...flags], { cwd: bench.site.directory });
  assert.equal((await restore('--port', '1', '--site', 'main', '--xlog', segment, '--output', 'out')).code, 5);
  assert.equal((await restore(...bench.flags, '--xlog', missing, '--output', 'out')).code, 4);
  assert.equal((await restore('--site', 'main')).code, 255, 'a mistake in the command line');
});

test('credentials are sent, from the flags or from the environment', async () => {
  await using bench = await startBench({ username: 'ann', password: 'se:cret' });
  await bench.site.archiveNew([segment]);
  const flags = [...bench.flags, '--mode', 'restore', '--xlog', segment];
  assert.equal((await run(flags)).code, 255);
  assert.equal((await run([...flags, '--username', 'ann', '--password', 'se:cret'])).code, 0);
  assert.equal((await run(flags, { env: { PGHOARD_USERNAME: 'ann', PGHOARD_PASSWORD: 'se:cret' } })).code, 0);
});

test('help and version are no failures, a mistake in the command line is one that PostgreSQL heeds', async () => {
  assert.match((await run(['--help'])).stdout, /usage: /);
  assert.match((await run(['--version'])).stdout, /^pghoard_postgres_command \d/);
  assert.deepEqual([(await run(['--help'])).code, (await run(['-version'])).code], [0, 0]);
  const bad = [
    [],
    ['--site', 'x', '--xlog', segment],
    ['--site', 'x', '--xlog', segment, '--mode', 'delete'],
    ['--nosuch'],
    ['positional'],
  ];
  for (const args of [
    ...bad,
    ['--site', 'a/b', '--xlog', segment, '--mode', 'archive'],
    ['--site', 'x', '--xlog', segment, '--mode', 'archive', '--port', '0'],
  ]) {
    const { code, stdout } = await run(args);
    assert.equal(code, 255, args.join(' '));
    assert.match(stdout, /^pghoard_postgres_command: ERROR: /);
  }
});

test('an installation that is broken does not look like the end of the archive', async () => {
  await using directory = await makeTemporaryDirectory();
  const alone = join(directory.path, basename(command));
  await copyFile(command, alone);
  await writeFile(join(directory.path, 'package.json'), '{"type": "module"}');
  const { code, stdout } = await run(['--mode', 'restore', '--site', 'main', '--xlog', segment], { file: alone });
  assert.equal(code, 255);
  assert.match(stdout, /cannot start/);
});
