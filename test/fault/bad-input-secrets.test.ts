import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOurs } from '../support/commands.ts';
import { siteName, TestDaemon } from '../support/daemon.ts';
import { TestPostgres } from '../support/postgres.ts';
import { ProcessSpy } from '../support/process-spy.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const secrets = { conninfo: 'conninfo-S3cret', web: 'webserver-S3cret' };

/** Files below a directory that others than their owner may read, with what they hold. */
function widelyReadable(directory: string): [path: string, text: string][] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).flatMap((name): [string, string][] => {
    const path = join(directory, name);
    const { mode } = statSync(path);
    return statSync(path).isFile() && (mode & 0o044) !== 0 ? [[path, readFileSync(path, 'latin1')]] : [];
  });
}

test('a whole life at log level DEBUG tells no password and no private key to anybody (fault row 109)', async () => {
  await using scratch = await makeTemporaryDirectory();
  await using postgres = await TestPostgres.start({
    settings: { archive_mode: 'on', archive_command: '/bin/false', password_encryption: 'scram-sha-256' },
    hba: ['host all,replication keeper 127.0.0.1/32 scram-sha-256'],
  });
  await postgres.query(`CREATE ROLE keeper SUPERUSER REPLICATION LOGIN PASSWORD '${secrets.conninfo}'`);
  const node = { host: '127.0.0.1', port: postgres.port, user: 'keeper', password: secrets.conninfo, dbname: 'postgres' };
  const credentials = { webserver_username: 'ann', webserver_password: secrets.web };
  await using daemon = await TestDaemon.start({
    directory: join(scratch.path, 'pghoard'),
    postgres,
    encrypted: true,
    site: { nodes: [node], basebackup_mode: 'pipe' },
    global: { ...credentials, log_level: 'DEBUG' },
  });
  using spy = new ProcessSpy(process.pid);
  using childrenSpy = new ProcessSpy(daemon.pid ?? 0);
  const environment = `PGHOARD_USERNAME=ann PGHOARD_PASSWORD=${secrets.web}`;
  const script = join(scratch.path, 'archive.sh');
  await writeFile(script, `#!/bin/sh\nexport ${environment}\nexec ${daemon.archiveCommand.replace('%f', '"$1"')}\n`);
  await chmod(script, 0o755);
  await postgres.query(`ALTER SYSTEM SET archive_command = '${script} %f'`);
  await postgres.query('SELECT pg_reload_conf()');
  await daemon.basebackups(1);
  await daemon.archived(await postgres.switchWal());

  const basic = { authorization: `Basic ${Buffer.from(`ann:${secrets.web}`).toString('base64')}` };
  const outputs: string[] = [];
  for (const path of ['/status', `/${siteName}/basebackup`, '/nosuch', `/${siteName}/archive/x`])
    outputs.push(await (await daemon.request('GET', path, basic)).text());
  const target = join(scratch.path, 'restored');
  const commands = [
    ['--debug', 'list-basebackups', '--verbose', '--config', daemon.configFile],
    ['--debug', 'list-basebackups-http', '--site', siteName, '--config', daemon.configFile],
    ['--debug', 'get-basebackup', '--config', daemon.configFile, '--target-dir', target, '--restore-to-primary'],
    ['--debug', 'get-basebackup', '--config', daemon.configFile, '--target-dir', target, '--restore-to-primary'],
  ];
  const exits: (number | null)[] = [];
  for (const args of commands) {
    const { code, stdout, stderr } = await runOurs('restore', args);
    exits.push(code);
    outputs.push(stdout, stderr);
  }
  assert.deepEqual(exits, [0, 0, 0, 1], outputs.join('\n'));
  await using restored = await TestPostgres.startOn(target, { archive_mode: 'off' });
  await restored.promoted();
  outputs.push(restored.log());

  await postgres.query(`ALTER ROLE keeper PASSWORD 'another'`);
  const logBefore = daemon.log.length;
  await daemon.request('PUT', `/${siteName}/basebackup`, basic);
  await waitForLog(daemon, logBefore, /base backup failed/);
  await daemon.stop('SIGTERM');
  outputs.push(daemon.log, await readFile(join(daemon.directory, 'state.json'), 'utf8'));
  outputs.push(...alertsOf(daemon), ...spy.commandLines, ...childrenSpy.environments);

  const privateKey = privateKeyOf(await readFile(daemon.configFile, 'utf8'));
  const forbidden = [secrets.conninfo, secrets.web, Buffer.from(`ann:${secrets.web}`).toString('base64'), privateKey];
  const everything = outputs.join('\n');
  assert.ok(spy.commandLines.size > 5 && /pg_basebackup/.test([...spy.commandLines].join('\n')), 'the spy saw pg_basebackup');
  assert.match(everything, /DEBUG/);
  assert.match([...childrenSpy.environments].join('\n'), /PGPASSFILE=/);
  assert.doesNotMatch(daemon.log, /\*{3}/, 'nothing had to be blotted out');
  for (const secret of forbidden) {
    const at = everything.indexOf(secret);
    assert.equal(at, -1, `told: …${everything.slice(Math.max(0, at - 300), at + 80)}…`);
    for (const directory of [daemon.directory, target]) {
      for (const [path, text] of widelyReadable(directory))
        assert.ok(!text.includes(secret), `${path} is readable by others and holds a secret`);
    }
  }
  const { mode } = statSync(join(target, 'pghoard_restore_password'));
  assert.equal(mode & 0o777, 0o600);
});

function privateKeyOf(config: string): string {
  const lines = /-----BEGIN PRIVATE KEY-----\\n([^"]*)/.exec(config)?.[1]?.split('\\n') ?? [];
  assert.ok(lines.length > 5);
  return lines[2] ?? '';
}

function alertsOf(daemon: TestDaemon): string[] {
  const directory = join(daemon.directory, 'alerts');
  if (!existsSync(directory)) return [];
  return readdirSync(directory).map((name) => readFileSync(join(directory, name), 'utf8'));
}

async function waitForLog(daemon: TestDaemon, from: number, wanted: RegExp): Promise<void> {
  await waitFor(() => wanted.test(daemon.log.slice(from)), {
    withinMs: 30_000,
    what: () => `the log says ${wanted}:\n${daemon.log.slice(from)}`,
  });
}
