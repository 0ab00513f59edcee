import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { commandLine } from '../../test/support/commands.ts';
import { startHttpBench } from '../../test/support/http-bench.ts';
import { makeCommandClients } from '../../test/support/postgres-command-clients.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { makeWalSegment } from '../../test/support/wal-segment.ts';
import { CodecPool } from '../codec/pool.ts';
import { runProgram } from '../lib/subprocess.ts';

const pool = new CodecPool(2);
const all = await makeCommandClients();
after(async () => {
  await pool.close();
  await all[Symbol.asyncDispose]();
});

const segment = '000000010000000000000003';
const missing = '000000010000000000000009';

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

/** What both clients do alike. What the one in bash cannot end it begins, and leaves to the other. */
for (const client of all.both) {
  const asked = (times: number) => (client.name === 'shell' ? times + 1 : times);

  test(`${client.name}: archive: 0 once stored, 3 with the reason where it is not`, async () => {
    await using bench = await startBench();
    await bench.site.write(segment);
    assert.deepEqual(await client.run([...bench.flags, '--mode', 'archive', '--xlog', segment]), { code: 0, stdout: '', stderr: '' });
    assert.ok(await bench.site.catalog.findWal(segment));
    await bench.site.write(segment, { filling: 'other' });
    const conflict = await client.run([...bench.flags, '--mode=archive', `--xlog=${segment}`]);
    assert.equal(conflict.code, 3);
    assert.match(conflict.stdout, /^pghoard_postgres_command: ERROR: .*HTTP status 409: wal-conflict: .*\n.*hint: /);
    assert.equal((await client.run([...bench.flags, '--mode', 'archive', '--xlog', missing])).code, 3);
  });

  test(`${client.name}: archive: a backup history file needs no server; no server is 2`, async () => {
    const nobody = ['--port', '1', '--site', 'main', '--mode', 'archive', '--xlog'];
    const label = await client.run([...nobody, `${segment}.00000028.backup`]);
    assert.equal(label.code, 0);
    assert.match(label.stdout, /NOTICE/);
    const refused = await client.run([...nobody, segment]);
    assert.equal(refused.code, 2);
    assert.match(refused.stdout, /ERROR: .*ECONNREFUSED/);
  });

  test(`${client.name}: restore: the file is put in its place, also where pg_wal is a link, and 4 only for what is proven missing`, async () => {
    await using bench = await startBench();
    await bench.site.archiveNew([segment]);
    const data = join(bench.site.directory, 'other-data');
    await mkdir(join(data, 'real'), { recursive: true });
    await symlink('real', join(data, 'pg_wal'));
    for (const left of ['999999999', '999999999-2312331']) {
      await writeFile(join(data, 'real', `RECOVERYXLOG.${left}.pghoard.tmp`), 'left by one that was killed');
    }
    await writeFile(join(data, 'real', `${segment}.pghoard.prefetch`), 'left by the original');
    const restore = (xlog: string, ...more: string[]) =>
      client.run([...bench.flags, '--mode', 'restore', '--xlog', xlog, ...more], { cwd: data });
    assert.deepEqual(await restore(segment, '--output', 'pg_wal/RECOVERYXLOG'), { code: 0, stdout: '', stderr: '' });
    assert.deepEqual(await readFile(join(data, 'real', 'RECOVERYXLOG')), makeWalSegment(segment));
    assert.deepEqual((await readdir(join(data, 'real'))).toSorted(), [`${segment}.pghoard.prefetch`, 'RECOVERYXLOG'].toSorted());
    const absent = await restore(missing, '--output', 'pg_wal/RECOVERYXLOG');
    assert.equal(absent.code, 4);
    assert.deepEqual([(await restore(segment)).code, (await restore(missing)).code], [0, 4], 'without --output it is only asked for');
    assert.equal((await restore(segment, '--output', 'no/such/directory/x')).code, 255);
  });

  test(`${client.name}: restore: the beginning of a segment is enough, unless the server has a file of that name itself`, async () => {
    await using bench = await startBench();
    await bench.site.archiveNew(['000000010000000000000001']);
    const beginning = await bench.site.storeBeginning(segment, 70_000);
    const data = join(bench.site.directory, 'restored');
    await mkdir(join(data, 'pg_wal'), { recursive: true });
    const flags = [...bench.flags, '--mode', 'restore', '--xlog', segment, '--output', 'pg_wal/RECOVERYXLOG'];
    assert.equal((await client.run(flags, { cwd: data })).code, 0);
    assert.deepEqual(await readFile(join(data, 'pg_wal', 'RECOVERYXLOG')), beginning);
    await rename(join(data, 'pg_wal', 'RECOVERYXLOG'), join(data, 'pg_wal', segment));
    assert.equal((await client.run(flags, { cwd: data })).code, 4);
    await bench.site.archiveNew([segment]);
    assert.equal((await client.run(flags, { cwd: data })).code, 0);
    assert.deepEqual(await readFile(join(data, 'pg_wal', 'RECOVERYXLOG')), makeWalSegment(segment));
  });

  test(`${client.name}: restore: whatever leaves it open is 255, after three attempts where it may pass`, async () => {
    await using bench = await startBench();
    await bench.site.archiveNew([segment]);
    const output = join(bench.site.directory, 'out');
    const restore = (flags: readonly string[], xlog = segment) =>
      client.run([...flags, '--mode', 'restore', '--xlog', xlog, '--output', output]);
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
    assert.equal(stranger.requests(), asked(1));
    await using odd = await startFake((_request, response) => response.writeHead(200).end('hello'));
    assert.equal((await restore(odd.flags)).code, 255);
    assert.ok(!(await readdir(bench.site.directory)).includes('out'));
  });

  test(`${client.name}: restore: a transfer that breaks off or is damaged leaves nothing, and is repeated`, async () => {
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
      const { code } = await client.run([...fake.flags, '--mode', 'restore', '--xlog', segment, '--output', output]);
      assert.deepEqual([code, fake.requests()], [255, asked(3)]);
      assert.deepEqual(
        (await readdir(bench.site.directory)).filter((name) => name.startsWith('out')),
        [],
      );
    }
  });

  test(`${client.name}: restore: a failure that passes is not noticed by PostgreSQL`, async () => {
    await using bench = await startBench();
    await bench.site.archiveNew([segment]);
    for (const call of [1, 2, 3]) bench.site.store.inject({ operation: 'get', call, how: 'refuse' });
    const output = join(bench.site.directory, 'out');
    assert.equal((await client.run([...bench.flags, '--mode', 'restore', '--xlog', segment, '--output', output])).code, 0);
    assert.deepEqual(await readFile(output), makeWalSegment(segment));
  });

  test(`${client.name}: restore on a standby: what leaves it open does not stop the server`, async () => {
    await using bench = await startBench();
    await bench.site.archiveNew([segment]);
    await writeFile(join(bench.site.directory, 'standby.signal'), '');
    const restore = (...flags: string[]) => client.run(['--mode', 'restore', ...flags], { cwd: bench.site.directory });
    assert.equal((await restore('--port', '1', '--site', 'main', '--xlog', segment, '--output', 'out')).code, 5);
    assert.equal((await restore(...bench.flags, '--xlog', missing, '--output', 'out')).code, 4);
    assert.equal((await restore('--site', 'main')).code, 255, 'a mistake in the command line');
  });

  test(`${client.name}: restore on a server that has just been promoted: it has its own copy of its history`, async () => {
    await using scratch = await makeTemporaryDirectory();
    const place = (name: string) => join(scratch.path, name);
    await mkdir(place('pg_wal'));
    await writeFile(place('pg_wal/00000002.history'), '');
    const restore = async (xlog: string) => {
      const flags = ['--mode', 'restore', '--port', '1', '--site', 'main', '--xlog', xlog, '--output', 'pg_wal/RECOVERYHISTORY'];
      return (await client.run(flags, { cwd: scratch.path })).code;
    };
    assert.deepEqual([await restore('00000002.history'), await restore('00000003.history'), await restore(segment)], [5, 255, 255]);
    await writeFile(place('recovery.signal'), '');
    assert.equal(await restore('00000002.history'), 255, 'recovery has not ended');
  });

  test(`${client.name}: credentials are sent, from the flags or from the environment`, async () => {
    await using bench = await startBench({ username: 'ann', password: 'se:cret' });
    await bench.site.archiveNew([segment]);
    const flags = [...bench.flags, '--mode', 'restore', '--xlog', segment];
    assert.equal((await client.run(flags)).code, 255);
    assert.equal((await client.run([...flags, '--username', 'ann', '--password', 'se:cret'])).code, 0);
    assert.equal((await client.run(flags, { env: { PGHOARD_USERNAME: 'ann', PGHOARD_PASSWORD: 'se:cret' } })).code, 0);
  });

  test(`${client.name}: help and version are no failures, a mistake in the command line is one that PostgreSQL heeds`, async () => {
    assert.match((await client.run(['--help'])).stdout, /usage: /);
    assert.match((await client.run(['--version'])).stdout, /^pghoard_postgres_command \d/);
    assert.deepEqual([(await client.run(['--help'])).code, (await client.run(['-version'])).code], [0, 0]);
    for (const args of [
      [],
      ['--nosuch'],
      ['--site', 'a/b', '--xlog', segment, '--mode', 'archive'],
      ['--site', 'x', '--xlog', segment, '--mode', 'archive', '--port', '0'],
    ]) {
      const { code, stdout } = await client.run(args);
      assert.equal(code, 255, args.join(' '));
      assert.match(stdout, /^pghoard_postgres_command: ERROR: /);
    }
  });
}

test('an installation that is broken does not look like the end of the archive', async () => {
  await using directory = await makeTemporaryDirectory();
  const [node, ...first] = commandLine('postgres-command');
  const command = first.pop() ?? '';
  const alone = join(directory.path, basename(command));
  await copyFile(command, alone);
  await writeFile(join(directory.path, 'package.json'), '{"type": "module"}');
  const { code, stdout } = await runProgram(node, [...first, alone, '--mode', 'restore', '--site', 'main', '--xlog', segment]);
  assert.equal(code, 255);
  assert.match(stdout, /cannot start/);
});
