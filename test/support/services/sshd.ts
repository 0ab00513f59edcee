import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../../../src/lib/subprocess.ts';
import type { SftpStorageOptions } from '../../../src/storage/sftp/options.ts';
import { freePort } from '../free-port.ts';
import { descendantsOf, signalProcess } from '../process-tree.ts';
import { Service } from './service.ts';

export interface SshdOptions {
  /** Requests of the SFTP protocol that it refuses, as `sftp-server -P`: for servers that know less than OpenSSH. */
  readonly refuses?: readonly string[];
  /** More lines for sshd_config. */
  readonly config?: readonly string[];
}

/** OpenSSH's sshd with keys of its own, whose SFTP sessions begin in `root`. */
export class Sshd implements AsyncDisposable {
  readonly directory: string;
  readonly port: number;
  readonly #service: Service;

  static async start(options: SshdOptions = {}): Promise<Sshd> {
    const directory = await mkdtemp(join(tmpdir(), 'pghoard-sshd-'));
    const at = (name: string) => join(directory, name);
    for (const name of ['host_key', 'user_key']) await makeKey(at(name));
    copyFileSync(at('user_key.pub'), at('authorized_keys'));
    mkdirSync(at('root'));
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    return await Sshd.#startIn(directory, await freePort(), options);
  }

  static async #startIn(directory: string, port: number, options: SshdOptions): Promise<Sshd> {
    const config = join(directory, 'sshd_config');
    writeFileSync(config, configOf(directory, port, options));
    const service = new Service('/usr/sbin/sshd', ['-D', '-e', '-f', config], { cwd: directory, logFile: join(directory, 'sshd.log') });
    await service.ready(() => greets(port));
    return new Sshd(directory, port, service);
  }

  private constructor(directory: string, port: number, service: Service) {
    this.directory = directory;
    this.port = port;
    this.#service = service;
  }

  get root(): string {
    return join(this.directory, 'root');
  }

  get keyFile(): string {
    return join(this.directory, 'user_key');
  }

  /** `type base64`, as in a file of known hosts. */
  get hostKey(): string {
    return readFileSync(join(this.directory, 'host_key.pub'), 'utf8').split(' ').slice(0, 2).join(' ');
  }

  get knownHostsLine(): string {
    return `[127.0.0.1]:${this.port} ${this.hostKey}\n`;
  }

  /** Options of a store that trusts this server and logs in by the user's key. */
  storage(more: Partial<SftpStorageOptions> = {}): SftpStorageOptions {
    const knownHosts = join(this.directory, 'known_hosts');
    if (!existsSync(knownHosts)) writeFileSync(knownHosts, this.knownHostsLine);
    return {
      storage_type: 'sftp',
      server: '127.0.0.1',
      port: this.port,
      username: userInfo().username,
      password: null,
      private_key: this.keyFile,
      private_key_passphrase: null,
      known_hosts: knownHosts,
      host_key_fingerprint: null,
      prefix: null,
      statsd_info: null,
      notifier: null,
      ...more,
    };
  }

  /** How often somebody has logged in. */
  get logins(): number {
    return readFileSync(join(this.directory, 'sshd.log'), 'utf8').split('Accepted ').length - 1;
  }

  /** Each session is a process group of its own. */
  signalSessions(signal: NodeJS.Signals): void {
    for (const pid of this.sessions) signalProcess(pid, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { sessions } = this;
    await this.#service.stop();
    for (const pid of sessions) signalProcess(pid, 'SIGKILL');
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  /** The processes that serve those who are logged in. */
  get sessions(): readonly number[] {
    return this.#service.pid === undefined ? [] : descendantsOf(this.#service.pid);
  }
}

export async function makeKey(path: string, ...options: readonly string[]): Promise<void> {
  const args = [
    '-q',
    ...(options.includes('-N') ? [] : ['-N', '']),
    ...(options.includes('-t') ? [] : ['-t', 'ed25519']),
    ...options,
    '-f',
    path,
  ];
  const { code, stderr } = await runProgram('ssh-keygen', args);
  if (code !== 0) throw new Error(`ssh-keygen ${args.join(' ')} ended with ${code}: ${stderr}`);
}

function configOf(directory: string, port: number, { refuses = [], config = [] }: SshdOptions): string {
  const at = (name: string) => join(directory, name);
  const refused = refuses.length === 0 ? '' : ` -P ${refuses.join(',')}`;
  return `${[
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${at('host_key')}`,
    `PidFile ${at('sshd.pid')}`,
    `AuthorizedKeysFile ${at('authorized_keys')}`,
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'MaxStartups 100',
    `Subsystem sftp internal-sftp -d ${at('root')}${refused}`,
    ...config,
  ].join('\n')}\n`;
}

async function greets(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    const [greeting] = (await once(socket, 'data', { signal: AbortSignal.timeout(2_000) })) as [Buffer];
    return greeting.toString().startsWith('SSH-2.0');
  } finally {
    socket.destroy();
  }
}
