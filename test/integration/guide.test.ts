import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../../src/lib/subprocess.ts';
import { freePort } from '../support/free-port.ts';
import { packageRoot } from '../support/package-root.ts';
import { TestPostgres } from '../support/postgres.ts';
import { startRawServer } from '../support/raw-server.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const guide = await readFile(join(packageRoot, 'docs/guide.md'), 'utf8');
const bin = join(packageRoot, 'bin');

/** The code block of this language in the section whose heading has this text. */
function block(section: string, language: string): string {
  const text = guide.split(/^## /m).find((part) => part.split('\n')[0]?.includes(section)) ?? '';
  const found = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(text)?.[1];
  assert(found, `the guide has ${language} in its section "${section}"`);
  return found;
}

test('what the guide says, done in its order, ends in restored clusters', async () => {
  await using scratch = await makeTemporaryDirectory();
  const port = await freePort();
  const settings = /^archive_command = '(.*)'$/m.exec(block('Tell PostgreSQL', ''))?.[1] ?? '';
  const archiveCommand = `${bin}/${settings} --port ${port}`;
  await using postgres = await TestPostgres.start({ settings: { archive_mode: 'on', archive_command: archiveCommand } });
  const here = (text: string) => adapt(text, { scratch: scratch.path, port, postgres });

  const config = { ...(JSON.parse(here(block('Configure', 'json'))) as object), http_port: port, alert_file_dir: scratch.path };
  await writeFile(join(scratch.path, 'pghoard.json'), JSON.stringify(config), { mode: 0o600 });
  await mkdir(join(scratch.path, 'backups'));
  await sh(here(block('Configure', 'sh')), scratch.path);

  await using _daemon = running(here(block('Run', 'sh')), scratch.path);
  const list = here(block('See what is there', 'sh'));
  await waitFor(async () => /\d MB/.test(await sh(list, scratch.path)), { withinMs: 60_000, what: 'the first base backup is listed' });
  for (const [, curl = ''] of here(guide).matchAll(/`(curl [^`]*)`/g)) await sh(curl, scratch.path);

  const retention = /### What is kept[^]*?```sh\n([^]*?)```/.exec(guide)?.[1] ?? '';
  for (const command of here(retention).trim().split('\n')) assert.match(await sh(command, scratch.path), /Site main/, command);

  const status = /### How is it[^]*?```sh\n([^]*?)```/.exec(guide)?.[1] ?? '';
  const isWell = async () => /^main: ok$/m.test(await sh(`${here(status).trim()} || true`, scratch.path));
  await waitFor(isWell, { withinMs: 60_000, what: 'pghoard status says that all is well' });

  await assertChecked(here(checkCommand()), scratch.path);

  await postgres.query('CREATE TABLE kept AS SELECT generate_series(1, 100) AS id');
  const [{ moment } = {}] = await postgres.query(`SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' AS moment`);
  await postgres.query('DROP TABLE kept');
  await assertArchives(postgres);
  await postgres.query(`ALTER SYSTEM SET archive_command = '${here(curlLine('archive_command')).replaceAll("'", "''")}'`);
  await postgres.query('SELECT pg_reload_conf()');
  const last = await assertArchives(postgres);
  await assertCurlRestores(here(curlLine('restore_command')), { scratch: scratch.path, port, postgres }, last);

  const commands = here(block('Restore', 'sh'))
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.startsWith('pghoard_restore'));
  assert.equal(commands.length, 3);
  for (const [index, command] of commands.entries()) {
    const directory = join(scratch.path, `restored-${index}`);
    await sh(command.replace('TARGET', directory).replace('2026-11-23 12:03:59+00', String(moment)), scratch.path);
    await using restored = await TestPostgres.startOn(directory, { archive_mode: 'off' });
    const isTargeted = command.includes('--recovery-target-time');
    if (command.includes('--restore-to-primary')) await restored.promoted();
    const rows = await restored.query(`SELECT to_regclass('kept') IS NOT NULL AS kept, pg_is_in_recovery() AS standby`);
    if (isTargeted) assert.deepEqual(rows, [{ kept: true, standby: false }]);
    else assert.equal(rows[0]?.['standby'], !command.includes('--restore-to-primary'));
  }
});

async function assertArchives(postgres: TestPostgres): Promise<string> {
  const last = await postgres.switchWal();
  const isArchived = async () => {
    const rows = await postgres.query('SELECT last_archived_wal >= $1 AS done FROM pg_stat_archiver', [last]);
    return rows[0]?.['done'] === true;
  };
  await waitFor(isArchived, { withinMs: 30_000, what: () => `PostgreSQL has archived ${last}:\n${postgres.log()}` });
  return last;
}

function checkCommand(): string {
  const command = /^### Is everything set up\?\n```sh\n([^]*?)```/m.exec(guide)?.[1];
  assert(command);
  return command;
}

/** Who has done what the guide says before has done nothing that does not work. */
async function assertChecked(command: string, cwd: string): Promise<void> {
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
  const { code, stdout, stderr } = await runProgram('sh', ['-euc', command], { cwd, env });
  assert.ok((code === 0 || code === 3) && !stdout.includes('FAILURE'), stdout + stderr);
  assert.match(stdout, /^ {2}ok {7}archive command /m);
}

function curlLine(setting: string): string {
  const line = new RegExp(`^${setting} = '(.*)'$`, 'm').exec(block('With `curl` alone', ''))?.[1];
  assert(line);
  return line;
}

/** The line as PostgreSQL starts it, where it can have its file and where it cannot. */
async function assertCurlRestores(line: string, { scratch, port, postgres }: Surroundings, name: string): Promise<void> {
  const data = join(scratch, 'curl');
  const wal = join(postgres.dataDirectory, 'pg_wal');
  await mkdir(data);
  await symlink(wal, join(data, 'pg_wal'));
  const restore = async (file: string, script = line) => {
    const command = script.replaceAll('%f', file).replaceAll('%p', 'pg_wal/RECOVERYXLOG');
    return (await runProgram('/bin/sh', ['-c', command], { cwd: data })).code;
  };
  const missing = '0000000100000FFF00000001';
  assert.equal(await restore(name), 0);
  assert.deepEqual(await readFile(join(wal, 'RECOVERYXLOG')), await readFile(join(wal, name)));
  await rm(join(wal, 'RECOVERYXLOG'));
  const answers = [
    'HTTP/1.1 503 No\r\n\r\n',
    'HTTP/1.1 201 Created\r\nserver: other\r\n\r\n',
    'HTTP/1.1 404 No\r\n\r\n',
    'HTTP/1.1 201',
    '',
  ];
  const half = 'HTTP/1.1 201 Created\r\nserver: pghoard/1\r\ncontent-length: 9\r\n\r\n';
  let answer = '';
  await using other = await startRawServer((socket) => socket.end(answer));
  const elsewhere = line.replace(`:${port}/`, `:${other.port}/`);
  for (const [signal, code] of [
    ['recovery.signal', 255],
    ['standby.signal', 5],
  ] as const) {
    await writeFile(join(data, signal), '');
    assert.equal(await restore(missing), 4);
    assert.equal(await restore(name, line.replace('/main/', '/typo/')), code);
    for (answer of [...answers, half]) assert.equal(await restore(name, elsewhere), code, answer);
  }
}

interface Surroundings {
  readonly scratch: string;
  readonly port: number;
  readonly postgres: TestPostgres;
}

/** The guide's places, as they are in this test. */
function adapt(text: string, { scratch, port, postgres }: Surroundings): string {
  return text
    .replaceAll('--target-dir /var/lib/postgresql/15/main', '--target-dir TARGET')
    .replaceAll('/var/lib/postgresql/15/main', postgres.dataDirectory)
    .replaceAll('host=/var/run/postgresql user=postgres', `host=${postgres.socketDirectory} port=${postgres.port} user=postgres`)
    .replaceAll('/var/lib/pghoard', join(scratch, 'pghoard'))
    .replaceAll('"/backups"', JSON.stringify(join(scratch, 'backups')))
    .replaceAll('16000', String(port));
}

async function sh(script: string, cwd: string): Promise<string> {
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
  const { code, stdout, stderr } = await runProgram('sh', ['-euc', script], { cwd, env });
  assert.equal(code, 0, `${script}\n${stdout}${stderr}`);
  return stdout;
}

/** A command of the guide that does not end by itself. */
function running(script: string, cwd: string): AsyncDisposable {
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
  const child: ChildProcess = spawn('setpriv', ['--pdeathsig', 'TERM', '--', 'sh', '-c', `exec ${script}`], { cwd, env, stdio: 'ignore' });
  return {
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
