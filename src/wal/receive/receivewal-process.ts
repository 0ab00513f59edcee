import { type ChildProcess, spawn } from 'node:child_process';
import type { OperatorError } from '../../lib/errors.ts';
import { outlivedByNone } from '../../lib/own-child.ts';
import { exitOf, tailOf } from '../../lib/subprocess.ts';
import { type ConnInfo } from '../../postgres/conninfo.ts';
import { programLogin } from '../../postgres/program-login.ts';
import { receiverMark } from './leftover-receivers.ts';
import { receiverFailure } from './receiver-failure.ts';

const killDelayMs = 2000;

export interface ReceivewalCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface ReceivewalOptions {
  readonly node: ConnInfo;
  /** Where its password is lent. */
  readonly passwordFile: string;
  readonly directory: string;
  readonly slot: string | null;
}

/** `--no-loop`: to repeat is our business, so that each failure is seen. */
export function receivewalCommand(file: string, { node, passwordFile, directory, slot }: ReceivewalOptions): ReceivewalCommand {
  const { dbname, env } = programLogin('pg_receivewal', node, passwordFile);
  const slotArgs = slot === null ? [] : ['--slot', slot];
  const fixed = ['--status-interval', '1', '--verbose', '--no-password', '--no-loop'];
  return { file, args: [...fixed, '--directory', directory, '--dbname', dbname, ...slotArgs], env };
}

/** A running pg_receivewal. Disposing it ends it, and so does our own death, if need be at our next start ({@link endLeftoverReceivers}). */
export class ReceivewalProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exit: ReturnType<typeof exitOf>;
  readonly #stderrTail: () => string;
  #isPaused = false;

  /** `onLine` is told each line it prints. */
  static async start(command: ReceivewalCommand, onLine: (line: string) => void): Promise<ReceivewalProcess> {
    const [file, ...args] = await outlivedByNone([command.file, ...command.args], 'KILL');
    const env = { ...process.env, ...command.env, ...receiverMark() };
    return new ReceivewalProcess(spawn(file, args, { env, stdio: ['ignore', 'ignore', 'pipe'] }), command.file, onLine);
  }

  private constructor(child: ChildProcess, file: string, onLine: (line: string) => void) {
    this.#child = child;
    this.#exit = exitOf(child, file);
    this.#exit.catch(() => {});
    this.#stderrTail = tailOf(child);
    forwardLines(child, onLine);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Resolves to why it ended. */
  async ended(): Promise<OperatorError> {
    const { code, signal } = await this.#exit;
    return receiverFailure(this.#stderrTail(), code === null ? String(signal) : `exit code ${code}`);
  }

  /** It keeps its connection as long as the server bears with it, and is silent. */
  pause(): void {
    this.#isPaused = this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
    this.#isPaused = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM');
      this.resume();
      const kill = setTimeout(() => this.#child.kill('SIGKILL'), killDelayMs);
      this.#child.once('exit', () => clearTimeout(kill));
    }
    await this.#exit.catch(() => {});
  }
}

function forwardLines(child: ChildProcess, onLine: (line: string) => void): void {
  let rest = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    const lines = `${rest}${bytes.toString()}`.split('\n');
    rest = (lines.pop() ?? '').slice(-1000);
    for (const line of lines) onLine(line);
  });
}
