import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { waitFor } from '../wait-for.ts';

export interface ServiceOptions {
  readonly cwd: string;
  /** Its standard output and error. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
}

const stopMs = 10_000;
const logTailBytes = 3_000;

/**
 * A server as a child process of the test. It leads a process group of its own, so that what it forks is ended with it, and the kernel ends it when
 * the test process dies, however that does.
 */
export class Service implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #logFile: string;

  constructor(command: string, args: readonly string[], { cwd, logFile, env = {} }: ServiceOptions) {
    const log = openSync(logFile, 'a');
    // Debian's programs want Debian's Python.
    const wholeEnv = { ...process.env, PATH: '/usr/bin:/bin:/usr/sbin:/sbin', ...env };
    const wrapped = ['--pdeathsig', 'TERM', '--', command, ...args];
    this.#child = spawn('/usr/bin/setpriv', wrapped, { cwd, env: wholeEnv, stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    this.#logFile = logFile;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Waits until it does what it is there for; rejects at once where it has ended. */
  async ready(isReady: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
    const state = async () => (this.#hasEnded ? 'ended' : (await isReady()) && 'ready');
    const what = () => `${this.#child.spawnargs.join(' ')} is ready:\n${this.#logTail()}`;
    if ((await waitFor(state, { withinMs, what })) === 'ended') throw new Error(`it ended instead: ${what()}`);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#hasEnded) return;
    const ended = once(this.#child, 'exit');
    this.#signalGroup(signal);
    const force = setTimeout(() => this.#signalGroup('SIGKILL'), stopMs);
    await ended;
    clearTimeout(force);
  }

  #signalGroup(signal: NodeJS.Signals): void {
    if (this.#child.pid !== undefined) process.kill(-this.#child.pid, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #logTail(): string {
    return readFileSync(this.#logFile, 'utf8').slice(-logTailBytes);
  }
}

/** The status of an answer, 0 where none came. */
export async function statusOf(url: string): Promise<number> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return 0;
  }
}
