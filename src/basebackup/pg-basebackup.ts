import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { OperatorError } from '../lib/errors.ts';
import { exitOf, tailOf } from '../lib/subprocess.ts';
import type { ConnInfo } from '../postgres/conninfo.ts';
import { programLogin } from '../postgres/program-login.ts';

// Within the time that an aborted job has: the end of its thread would leave the program behind.
const killDelayMs = 2000;

/** Plain data, so that it can be sent to a worker. */
export interface PgBasebackupCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
}

export interface PgBasebackupOptions {
  readonly node: ConnInfo;
  /** Where its password is lent. */
  readonly passwordFile: string;
  readonly pgdata: string;
  readonly withWal: boolean;
}

/** How to call pg_basebackup. */
export function pgBasebackupCommand(file: string, options: PgBasebackupOptions): PgBasebackupCommand {
  const { dbname, env } = programLogin('pg_basebackup', options.node, options.passwordFile);
  return {
    file,
    args: [
      '--format=tar',
      '--label=pghoard_base_backup',
      '--verbose',
      '--no-password',
      `--pgdata=${options.pgdata}`,
      `--wal-method=${options.withWal ? 'fetch' : 'none'}`,
      // Otherwise the first byte waits for a spread checkpoint: minutes.
      '--checkpoint=fast',
      // In a directory the manifest is a file beside the archive, of which only the end of the WAL is wanted.
      ...(options.pgdata === '-' ? [] : ['--no-sync', '--manifest-checksums=NONE']),
      `--dbname=${dbname}`,
    ],
    env,
  };
}

/** A running pg_basebackup. Disposing it ends it. */
export class PgBasebackup implements AsyncDisposable {
  readonly stdout: Readable;
  readonly #child: ChildProcess;
  readonly #exit: ReturnType<typeof exitOf>;
  readonly #stderrTail: () => string;
  readonly #signal: AbortSignal;

  /** `onWarning` is told lines of PostgreSQL's that say that something is wrong, such as WAL that is not being archived. */
  constructor(command: PgBasebackupCommand, signal: AbortSignal, onWarning: (line: string) => void) {
    signal.throwIfAborted();
    const child = spawn(command.file, command.args, {
      env: { ...process.env, LC_ALL: 'C', ...command.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.stdout = child.stdout;
    this.#exit = exitOf(child, command.file);
    this.#exit.catch(() => {});
    this.#stderrTail = tailOf(child);
    this.#signal = signal;
    forwardWarnings(child.stderr, onWarning);
    signal.addEventListener('abort', this.#end, { once: true });
  }

  /**
   * Resolves when it has ended well. Its standard output must be read for that. Pages with wrong checksums make it say so in the very end, with an exit code
   * that is not 0, when all has been copied: a backup with a damaged page is worth more than none, and {@link damagedPageIn} tells of the page.
   */
  async succeeded(): Promise<void> {
    const { code, signal } = await this.#exit;
    this.#signal.throwIfAborted();
    const said = this.#stderrTail();
    if (code === 0 || (code === 1 && said.endsWith('checksum error occurred'))) return;
    throw new OperatorError('pg-basebackup-failed', `pg_basebackup ended with ${code === null ? signal : `exit code ${code}`}`, {
      cause: new Error(said === '' ? 'it said nothing' : said),
      retryable: true,
      hint: hintFor(said),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#end);
    this.#end();
    this.stdout.destroy();
    await this.#exit.catch(() => {});
  }

  readonly #end = (): void => {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), killDelayMs);
    this.#child.once('close', () => clearTimeout(kill));
  };
}

/** The page that a warning of the server's is about, as `base/5/16384, block 3`; undefined for other warnings. */
export function damagedPageIn(warning: string): string | undefined {
  const match = /checksum verification failed in file "(?:\.\/)?([^"]+)", block (\d+)/.exec(warning);
  return match ? `${match[1]}, block ${match[2]}` : undefined;
}

function hintFor(stderr: string): string {
  if (/can only write single tablespace to stdout/.test(stderr)) {
    return 'A single stream cannot hold user tablespaces. Use "basebackup_mode": "stream" or "local-tar" for this site.';
  }
  if (/no pg_hba\.conf entry for replication|must be superuser or replication role|permission denied to start WAL sender/.test(stderr)) {
    return 'The role needs the REPLICATION attribute, and pg_hba.conf a line for "replication" connections from this host.';
  }
  if (/number of requested standby connections exceeds max_wal_senders/.test(stderr)) return 'Raise max_wal_senders.';
  return "See also PostgreSQL's own log.";
}

function forwardWarnings(stderr: Readable, onWarning: (line: string) => void): void {
  let rest = '';
  stderr.on('data', (bytes: Buffer) => {
    const lines = `${rest}${bytes.toString()}`.split('\n');
    rest = (lines.pop() ?? '').slice(-1000);
    for (const line of lines) if (line.includes('WARNING')) onWarning(line);
  });
}
