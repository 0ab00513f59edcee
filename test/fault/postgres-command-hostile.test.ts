import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CodecPool } from '../../src/codec/pool.ts';
import { startHttpBench } from '../support/http-bench.ts';
import { type CommandClient, commandEnvironment, handedOver, makeCommandClients } from '../support/postgres-command-clients.ts';
import { startRawServer } from '../support/raw-server.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { makeWalSegment } from '../support/wal-segment.ts';

const segment = '000000010000000000000003';
const missing = '000000010000000000000009';
const username = 'ann marie';
const password = `p:$(touch pwned)\`touch pwned\`"'\\*;%s%n~`;
const credentials = { PGHOARD_USERNAME: username, PGHOARD_PASSWORD: password };

const pool = new CodecPool(1);
const all = await makeCommandClients();
const bench = await startHttpBench(pool, { server: { username, password } });
await bench.site.archiveNew([segment]);
const flags = ['--port', String(bench.server.port), '--site', 'main'];
const archive = [...flags, '--mode', 'archive', '--xlog'];
const restore = [...flags, '--mode', 'restore', '--xlog'];
after(async () => {
  await bench[Symbol.asyncDispose]();
  await pool.close();
  await all[Symbol.asyncDispose]();
});

const values = [
  '$(touch pwned)',
  '`touch pwned`',
  '; touch pwned;',
  "' ; touch pwned ; '",
  '" ; touch pwned ; "',
  '> pwned',
  '*',
  '?[a-z]{a,b}~',
  '-rf',
  '--',
  '%s%n%x',
  '\\x41\\0101\\c',
  'a\nb\r\nx-pghoard-target-path: passwd',
  ' blank ',
  'ünïcode',
  'mode[$(touch pwned)]',
  'PATH=nowhere',
  'x'.repeat(255 - '.1234567-1234567890.pghoard.tmp'.length),
];

for (const { name, run } of all.both) {
  test(`${name}: no value of a flag is ever more than a value`, async () => {
    await using directory = await makeTemporaryDirectory();
    const options = { cwd: directory.path, env: credentials };
    for (const value of values) {
      const { code } = await run([...restore, segment, `--output=${value}`], options);
      assert.equal(code, 0, value);
      assert.deepEqual(await readdir(directory.path), [value]);
      assert.deepEqual(await readFile(join(directory.path, value)), makeWalSegment(segment), value);
      await rm(join(directory.path, value));
    }
  });
}

test('shell alone: what is no plain name, host or number is left to Node', async () => {
  await using directory = await makeTemporaryDirectory();
  const options = { cwd: directory.path, env: credentials };
  for (const flag of ['site', 'port', 'host', 'mode', 'retry-interval', 'xlog', 'nosuch']) {
    for (const value of values) {
      const { code } = await all.alone.run([...restore, missing, `--${flag}=${value}`], options);
      assert.equal(code, handedOver, `--${flag}=${value}`);
    }
  }
  for (const port of ['0', '65536', '016000', '1e3', '0x10', 'a[0]', '99999999999999999999', '-1', ' 1', '1\n']) {
    assert.equal((await all.alone.run([...restore, missing, `--port=${port}`], options)).code, handedOver, `--port=${port}`);
  }
  assert.deepEqual(await readdir(directory.path), []);
});

/** Through a shell, as PostgreSQL starts it. */
async function viaShell({ line }: CommandClient, script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const options = { cwd: bench.site.walDirectory, env: commandEnvironment({ ...credentials, ...env }), stdio: 'ignore' } as const;
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...line, ...args], options);
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

for (const client of [all.alone, all.node]) {
  test(`${client.name}: bytes that are no UTF-8, and streams that are closed`, async () => {
    const notUtf8 = `"$@" "$(printf '\\377\\376')"`;
    assert.ok([255, handedOver].includes((await viaShell(client, notUtf8, restore)) ?? 0));
    assert.ok([2, 3, 255, handedOver].includes((await viaShell(client, notUtf8, archive)) ?? 0));
    for (const closed of client === all.node ? ['<&- >&- 2>&-'] : ['<&-', '>&-', '2>&-', '<&- >&- 2>&-', '> /dev/full 2> /dev/full']) {
      assert.equal(await viaShell(client, `exec "$@" ${closed}`, [...archive, segment]), 0, closed);
      assert.equal(await viaShell(client, `exec "$@" ${closed}`, [...archive, missing]), 3, closed);
      assert.equal(await viaShell(client, `exec "$@" ${closed}`, [...restore, missing]), 4, closed);
      assert.equal(await viaShell(client, `umask 777; exec "$@" ${closed}`, [...restore, segment, '--output', 'RECOVERYXLOG']), 0, closed);
      assert.deepEqual(await readFile(join(bench.site.walDirectory, 'RECOVERYXLOG')), makeWalSegment(segment));
      await rm(join(bench.site.walDirectory, 'RECOVERYXLOG'));
    }
  });
}

test('shell alone: the environment does not change what it does', async () => {
  await using directory = await makeTemporaryDirectory();
  const script = join(directory.path, 'script');
  await writeFile(script, 'exit 0\n');
  const functions = ['printf', 'exec', 'read', 'trap', 'exit', 'mv', 'rm', 'shift', 'kill', '[', 'serve', 'ask', 'leave'];
  const environments: Record<string, Readonly<Record<string, string>>> = {
    BASH_ENV: { BASH_ENV: script, ENV: script },
    functions: Object.fromEntries(functions.map((name) => [`BASH_FUNC_${name}%%`, '() { builtin exit 0; }'])),
    options: { SHELLOPTS: 'noexec:nounset:errexit:noclobber:noglob:posix', BASHOPTS: 'failglob:nullglob:extdebug', POSIXLY_CORRECT: '1' },
    variables: {
      IFS: '/0',
      TMOUT: '1',
      CDPATH: '/',
      GLOBIGNORE: '*',
      PS4: '$(exit)',
      BASH_COMPAT: '3.2',
      RANDOM: 'x',
      SECONDS: '9',
      UID: '7',
    },
    'names of its own': {
      mode: 'restore',
      host: 'h',
      site: 's',
      temporary: '/etc/passwd',
      exit_code: '0',
      status: '201',
      line: 'x',
      silent: 'yes',
    },
    locale: { LC_ALL: 'xx_XX.UTF-8', LANG: 'tr_TR.UTF-8' },
    'no PATH': { PATH: '' },
    'a PATH with other programs': { PATH: directory.path },
  };
  for (const program of ['mv', 'rm', 'cat', 'bash', 'readlink']) {
    await writeFile(join(directory.path, program), '#!/bin/sh\nexit 0\n');
  }
  for (const [what, extra] of Object.entries(environments)) {
    const data = join(directory.path, what);
    await mkdir(data);
    const options = { cwd: data, env: { ...credentials, ...extra } };
    assert.deepEqual(await all.alone.run([...archive, segment], options), { code: 0, stdout: '', stderr: '' }, what);
    const absent = await all.alone.run([...restore, missing, '--output', 'out'], options);
    assert.deepEqual(absent, { code: 4, stdout: `pghoard_postgres_command: ERROR: ${missing} not found from archive\n`, stderr: '' }, what);
    assert.deepEqual(await all.alone.run([...restore, segment, '--output', 'out'], options), { code: 0, stdout: '', stderr: '' }, what);
    assert.deepEqual(await readdir(data), ['out'], what);
    assert.deepEqual(await readFile(join(data, 'out')), makeWalSegment(segment), what);
  }
});

test('shell alone: it serves through links and from anywhere, and hands over what it cannot do', async () => {
  await using directory = await makeTemporaryDirectory();
  const link = join(directory.path, 'pghoard_postgres_command');
  await symlink(all.alone.line[0], link);
  const linked: CommandClient = { ...all.alone, line: [link] };
  assert.equal(await viaShell(linked, 'exec "$@"', [...archive, segment]), 0);
  assert.equal(await viaShell(linked, 'cd /; exec "$@"', ['--help']), handedOver);
  assert.equal(await viaShell(linked, `PATH=${directory.path}; shift; exec pghoard_postgres_command "$@"`, [...archive, segment]), 0);

  for (const args of [['--version'], ['--in-bash', '--help'], [], ['--mode'], [...archive, segment, '--unknown'], [...archive, '']]) {
    assert.equal((await all.alone.run(args)).code, handedOver, args.join(' '));
  }
  const fakeBash = join(directory.path, 'bash');
  for (const [from, to] of [
    ['/bin/bash /usr/bin/bash /usr/local/bin/bash', '/no/bash'],
    ['/bin/bash /usr/bin/bash /usr/local/bin/bash', '/bin/dash'],
    ['/bin/bash /usr/bin/bash /usr/local/bin/bash', `"${fakeBash}"`],
    ['/dev/tcp/', '/dev/notcp/'],
  ] as const) {
    await writeFile(fakeBash, '#!/bin/sh\nunset BASH_VERSION\nshift 2\nexec /bin/sh "$@"\n');
    await chmod(fakeBash, 0o755);
    const { run } = await all.altered(from, to);
    assert.equal((await run([...archive, segment], { env: credentials })).code, handedOver, to);
  }
});

test('shell alone: a daemon that hangs is given up', async () => {
  const { run } = await all.altered('silence_seconds_max=180', 'silence_seconds_max=0');
  await using server = await startRawServer((socket) => socket.write('HTTP/1.1 201 Created\r\nServer: pghoard/1\r\n'));
  const args = ['--host', '127.0.0.1', '--port', String(server.port), '--site', 'main', '--xlog', segment, '--mode'];
  const message = `connection to pghoard at 127.0.0.1 port ${server.port} failed: no answer within 0 s`;
  assert.deepEqual(await run([...args, 'archive']), { code: 2, stdout: `pghoard_postgres_command: ERROR: ${message}\n`, stderr: '' });
  assert.equal((await run([...args, 'restore'])).code, handedOver, 'a restore is tried again');
});

test('shell: an installation that is broken does not look like the end of the archive', async () => {
  const shell = all.both[0];
  const launcher = join(shell?.line[0] ?? '', '../launch.sh');
  await rm(launcher);
  const broken = await shell?.run([...restore, segment, '--help']);
  assert.equal(broken?.code, 255);
  assert.match(broken?.stderr ?? '', /launch\.sh is missing/);
});
