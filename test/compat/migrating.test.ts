import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../../src/lib/subprocess.ts';
import { runOurs } from '../support/commands.ts';
import { archiveCommandTo } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';
import { packageRoot } from '../support/package-root.ts';
import { TestPostgres } from '../support/postgres.ts';
import { waitFor } from '../support/wait-for.ts';
import { Fixture } from './fixture.ts';

const page = await readFile(join(packageRoot, 'docs/migrating.md'), 'utf8');

/** The shell blocks below the heading that begins with this number. */
function blocks(number: number): string[] {
  const text = page.split(/^## /m).find((part) => part.startsWith(`${number}. `)) ?? '';
  return [...text.matchAll(/```sh\n([^]*?)```/g)].map(([, script = '']) => script);
}

test('what docs/migrating.md says, done in its order, leads from a store of the original to ours and back', async () => {
  await using fixture = await Fixture.unpack('a-snappy-pipe-plain');
  await using host = await Host.set(fixture);
  const [makeTrial = '', startTrial = '', tryRestore = '', ...moreTrial] = blocks(1);
  const [stop = '', start = '', check = '', ...moreChange] = blocks(2);
  const [back = '', ...moreBack] = blocks(5);
  assert.deepEqual([...moreTrial, ...moreChange, ...moreBack], [], 'all blocks are known');

  await host.sh(makeTrial);
  {
    await using _trial = host.running(startTrial);
    await host.answers(host.trialPort);
    assert.match(await host.sh(tryRestore), /^fx_a\/basebackup\/2026-11-22_23-39_0 /m);
    await using restored = await TestPostgres.startOn(fixture.place('trial/data'), { archive_mode: 'off', fsync: 'off' });
    await restored.promoted();
    await fixture.expectState(restored, 'latest');
  }

  await host.sh(stop);
  const spooled = await host.moveIntoSpool(fixture.expected.last_segment);
  const waiting = await host.postgres.switchWal();
  await host.sh(start);
  await host.answers(host.port);
  await waitFor(() => existsSync(spooled), { withinMs: 30_000, what: 'what the original left in the spool is stored' });
  assert.match(await host.sh(check), /"transfer_agent_state": \{/);
  assert(existsSync(host.stored('xlog', waiting)), 'WAL that waited for a daemon is stored');
  const list = check.trimEnd().split('\n').at(-1) ?? '';
  await waitFor(async () => /2026-11-22_23-39_0 .*\n.*_\d .* MB/.test(await host.sh(list)), {
    withinMs: 60_000,
    what: 'a base backup of ours stands after the old one',
  });

  await host.sh(back);
  assert.equal(host.isServiceRunning, false);
  assert(!existsSync(host.stateFile) && existsSync(`${host.stateFile}.newer`));
});

/** A host as the page has it: a cluster out of the fixture, its configuration, and a service that nobody runs any more. */
class Host implements AsyncDisposable {
  readonly postgres: TestPostgres;
  readonly port: number;
  readonly trialPort: number;
  readonly #fixture: Fixture;
  #service: AsyncDisposable | undefined;

  static async set(fixture: Fixture): Promise<Host> {
    const data = fixture.place('cluster');
    {
      await using daemon = await fixture.daemon();
      const flags = ['--config', daemon.configFile, '--target-dir', data, '--restore-to-primary'];
      const { code, stderr } = await runOurs('restore', ['get-basebackup', ...flags]);
      assert.equal(code, 0, stderr);
      await using recovering = await TestPostgres.startOn(data, { archive_mode: 'off', fsync: 'off' });
      await recovering.promoted();
      await recovering.stop();
    }
    const port = await freePort();
    const settings = { archive_mode: 'on', archive_command: archiveCommandTo(port), fsync: 'off' };
    const host = new Host(fixture, await TestPostgres.startOn(data, settings), { port, trialPort: await freePort() });
    await host.#writeConfig();
    return host;
  }

  private constructor(
    fixture: Fixture,
    postgres: TestPostgres,
    { port, trialPort }: { readonly port: number; readonly trialPort: number },
  ) {
    this.#fixture = fixture;
    this.postgres = postgres;
    this.port = port;
    this.trialPort = trialPort;
  }

  get stateFile(): string {
    return this.#fixture.place('lib/pghoard_state.json');
  }

  get isServiceRunning(): boolean {
    return this.#service !== undefined;
  }

  stored(folder: string, name: string): string {
    return join(this.#fixture.storeDirectory, this.#fixture.expected.prefix, folder, name);
  }

  /** As if its upload had not been reached. Resolves to where it is to be stored. */
  async moveIntoSpool(segment: string): Promise<string> {
    const spool = this.#fixture.place('lib/spool/fx_a/xlog');
    await mkdir(spool, { recursive: true });
    const stored = this.stored('xlog', segment);
    await rename(stored, join(spool, segment));
    await rename(`${stored}.metadata`, join(spool, `${segment}.metadata`));
    return stored;
  }

  /** Runs commands of the page; those to systemd are done by the test. */
  async sh(script: string): Promise<string> {
    const lines = this.#adapt(script).replaceAll('\\\n', ' ').split('\n');
    for (const line of lines.filter((text) => text.startsWith('systemctl '))) await this.#control(line);
    const rest = lines.filter((text) => !text.startsWith('systemctl ')).join('\n');
    const { code, stdout, stderr } = await runProgram('sh', ['-euc', rest], { cwd: this.#fixture.directory, env: environment });
    assert.equal(code, 0, `${rest}\n${stdout}${stderr}`);
    return stdout;
  }

  /** A command that does not end by itself. */
  running(script: string): AsyncDisposable {
    const command = ['--pdeathsig', 'TERM', '--', 'sh', '-c', `exec ${this.#adapt(script)}`];
    const child = spawn('setpriv', command, { cwd: this.#fixture.directory, env: environment, stdio: 'ignore' });
    return {
      async [Symbol.asyncDispose]() {
        if (child.exitCode !== null) return;
        child.kill('SIGTERM');
        await once(child, 'exit');
      },
    };
  }

  async answers(port: number): Promise<void> {
    const isUp = async () => (await fetch(`http://127.0.0.1:${port}/status`)).ok;
    await waitFor(isUp, { withinMs: 30_000, what: `a daemon answers at ${port}` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service?.[Symbol.asyncDispose]();
    await this.postgres[Symbol.asyncDispose]();
  }

  async #control(command: string): Promise<void> {
    if (command === 'systemctl start pghoard') {
      this.#service = this.running('pghoard --config /etc/pghoard.json');
      return;
    }
    assert.equal(command, 'systemctl stop pghoard');
    await this.#service?.[Symbol.asyncDispose]();
    this.#service = undefined;
  }

  async #writeConfig(): Promise<void> {
    const { backup_sites: sites, ...original } = await this.#fixture.config();
    const { dsn, dataDirectory, bin } = this.postgres;
    const here = { active: true, nodes: [dsn], pg_data_directory: dataDirectory, pg_bin_directory: bin, basebackup_interval_hours: null };
    const config = {
      ...original,
      http_port: this.port,
      backup_location: this.#fixture.place('lib/spool'),
      json_state_file_path: this.stateFile,
      backup_sites: { main: { ...sites[this.#fixture.expected.site], ...here } },
    };
    await writeFile(this.#fixture.place('pghoard.json'), JSON.stringify(config));
  }

  /** The page's places, as they are in this test. */
  #adapt(text: string): string {
    return text
      .replaceAll('/etc/pghoard.json', this.#fixture.place('pghoard.json'))
      .replaceAll('/var/tmp/pghoard-trial', this.#fixture.place('trial'))
      .replaceAll('/var/lib/pghoard/', `${this.#fixture.place('lib')}/`)
      .replaceAll('16001', String(this.trialPort))
      .replaceAll('16000', String(this.port));
  }
}

const environment = { ...process.env, PATH: `${join(packageRoot, 'bin')}:${process.env['PATH']}` };
