import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { commandEnvironment, handedOver, makeCommandClients } from '../support/postgres-command-clients.ts';
import { startRawServer } from '../support/raw-server.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const all = await makeCommandClients();
after(() => all[Symbol.asyncDispose]());

const segment = '000000010000000000000003';
const ours = 'Server: pghoard/9.9.9\r\n';
const empty = 'Content-Length: 0\r\n';
const head = (status: string, headers: string) => `HTTP/1.1 ${status}\r\n${headers}\r\n`;

/** What a command may not take for the daemon's word that the work is done. */
const answers: Readonly<Record<string, string | Buffer>> = {
  'nothing at all': '',
  'a greeting of another protocol': 'SSH-2.0-OpenSSH_9.2p1\r\n',
  'random bytes': Buffer.from([0, 255, 13, 10, 13, 10, 0, 7]),
  'half a status line': 'HTTP/1.1 201',
  'a head that breaks off': `HTTP/1.1 201 Created\r\n${ours}${empty}`,
  'a head that breaks off within its end': `HTTP/1.1 201 Created\r\n${ours}${empty}\r`,
  'another server, 201': head('201 Created', `Server: nginx/1.25\r\n${empty}`),
  'another server, 200': head('200 OK', `Server: nginx/1.25\r\n${empty}`),
  'a server without a name, 201': head('201 Created', empty),
  'HTTP/1.0, 201': `HTTP/1.0 201 Created\r\n${ours}${empty}\r\n`,
  'HTTP/1.0, 200': `HTTP/1.0 200 OK\r\n${ours}${empty}\r\n`,
  'a space too little in the status': head('201Created', `${ours}${empty}`),
  'an answer without a length': head('201 Created', ours),
  'an answer with two lengths': head('201 Created', `${ours}${empty}Content-Length: 3\r\n`),
  'a body that breaks off': `${head('201 Created', `${ours}Content-Length: 5\r\n`)}ab`,
  'a chunked body that breaks off': `${head('201 Created', `${ours}Transfer-Encoding: chunked\r\n`)}5\r\nab`,
  'a success of another kind': head('204 No Content', ours),
  'a status that does not exist': head('2010 Created', `${ours}${empty}`),
  'a line that does not end': Buffer.alloc(100_000, 'a'),
  'headers that do not end': `HTTP/1.1 201 Created\r\n${ours}${empty}${'X-More: 1\r\n'.repeat(3_000)}`,
  'a missing file, told by another server': head('404 Not Found', `Server: nginx/1.25\r\n${empty}`),
  'a missing file, told in half': `${head('404 Not Found', `${ours}X-Pghoard-Code: wal-missing\r\nContent-Length: 9\r\n`)}wal`,
};

for (const { name, run } of [all.alone, all.node]) {
  test(`${name}: no answer but the daemon's own ends in success, or in "not stored"`, async () => {
    await using directory = await makeTemporaryDirectory();
    let answer: string | Buffer = '';
    await using server = await startRawServer((socket) => socket.end(answer));
    const command = (mode: string) => ['--port', String(server.port), '--site', 'main', '--mode', mode, '--xlog', segment];
    const failures = { archive: [2, 3, handedOver], restore: [255, handedOver] };
    const assertFails = async (mode: keyof typeof failures, what: string, more: readonly string[] = []) => {
      const { code, stdout } = await run([...command(mode), ...more], { cwd: directory.path });
      assert.ok(failures[mode].includes(code ?? 0), `${mode}: ${what}: ${code} ${stdout}`);
      if (code !== handedOver) assert.match(stdout, /^pghoard_postgres_command: ERROR: /, what);
    };
    for (const [what, bytes] of Object.entries(answers)) {
      answer = bytes;
      await assertFails('archive', what);
    }
    for (const what of ['nothing at all', 'another server, 200', 'HTTP/1.0, 200', 'a missing file, told in half']) {
      answer = answers[what] ?? '';
      await assertFails('restore', what, ['--output', 'out']);
    }
    for (const what of ['another server, 200', 'HTTP/1.0, 200', 'a head that breaks off']) {
      answer = answers[what] ?? '';
      await assertFails('restore', what);
    }
    answer = head('201 Created', `${ours}${empty}`);
    await assertFails('restore', 'a file that is said to be there, and is not', ['--output', 'out']);
    assert.deepEqual(await readdir(directory.path), []);
    assert.equal((await run(command('archive'))).code, 0, 'as the daemon says it');
  });
}

for (const { name, line, run } of [all.alone, all.node]) {
  test(`${name}: an answer may come byte by byte, and slowly`, async () => {
    const bytes = `${head('409 Conflict', `${ours}content-LENGTH:  12\r\n`)}wal-conflict`;
    const pauses = [3, bytes.length - 3];
    const dribble = async (socket: Socket) => {
      for (const [index, byte] of bytes.split('').entries()) {
        socket.write(byte);
        await (pauses.includes(index) ? delay(300) : setImmediate());
      }
      socket.end();
    };
    await using server = await startRawServer((socket) => void dribble(socket));
    const { code, stdout } = await run(['--port', String(server.port), '--site', 'main', '--mode', 'archive', '--xlog', segment]);
    assert.equal(code, 3);
    assert.equal(stdout, `pghoard_postgres_command: ERROR: archiving ${segment} failed with HTTP status 409: wal-conflict\n`);
  });

  test(`${name}: PostgreSQL ends one that waits at once, and nothing is left of it`, async () => {
    await using directory = await makeTemporaryDirectory();
    await using server = await startRawServer((socket, request) => {
      if (request.startsWith('GET')) socket.write('HTTP/1.1 2');
    });
    const [program, ...first] = line;
    for (const [index, more] of [['archive'], ['restore', '--output', 'out'], ['restore']].entries()) {
      const args = [...first, '--port', String(server.port), '--site', 'main', '--xlog', segment, '--mode', ...more];
      const child = spawn(program, args, { cwd: directory.path, env: commandEnvironment(), stdio: 'ignore' });
      await waitFor(() => server.requests() > index, { withinMs: 30_000, what: 'the request has come' });
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const withinMs = performance.now() + 30_000; // they would wait for three minutes
      assert.deepEqual(await ended, [null, 'SIGTERM'], more.join(' '));
      assert.ok(performance.now() < withinMs);
      assert.deepEqual(await readdir(directory.path), []);
    }
  });

  test(`${name}: it speaks with daemons at IPv6 addresses and at names`, async () => {
    const answer = head('201 Created', `${ours}${empty}`);
    const heads: string[] = [];
    const onRequest = (socket: { end: (text: string) => void }, request: string) => {
      heads.push(request);
      socket.end(answer);
    };
    await using six = await startRawServer(onRequest, '::1');
    await using four = await startRawServer(onRequest, '127.0.0.1');
    for (const [host, { port }] of [
      ['::1', six],
      ['[::1]', six],
      ['127.0.0.1', four],
      ['localhost', four],
    ] as const) {
      const { code, stdout } = await run(`--host ${host} -port ${port} -site=main -mode=archive --xlog pg_wal/${segment}`.split(' '));
      assert.equal(code, 0, host + stdout);
      assert.match(heads.at(-1) ?? '', new RegExp(`^PUT /main/archive/${segment} HTTP/1\\.1\r\n`));
      assert.ok(heads.at(-1)?.includes(`\r\nHost: ${host === '::1' ? '[::1]' : host}:${port}\r\n`));
    }
    assert.equal(heads.length, 4);
  });
}

for (const { name, run } of all.both) {
  test(`${name}: an answer may come in chunks`, async () => {
    const answer = `${head('201 Created', `${ours}Transfer-Encoding: chunked\r\n`)}0\r\n\r\n`;
    await using server = await startRawServer((socket) => socket.end(answer));
    assert.equal((await run(['--port', String(server.port), '--site', 'main', '--mode', 'archive', '--xlog', segment])).code, 0);
  });
}
