import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { OperatorError } from '../../src/lib/errors.ts';
import type { SystemUser } from '../../test/support/system-user.ts';
import { statOf } from '../meter/processes.ts';

/** Runs each line that it reads by a shell, as PostgreSQL does with its commands, and says how that ended and when it began and ended. */
const program = `while IFS= read -r line; do
  begun=$EPOCHREALTIME
  /bin/sh -c "$line" > /dev/null
  echo "$? $begun $EPOCHREALTIME"
done`;

/**
 * Starts command lines one after the other, from a process that is small: Node takes several milliseconds to start another one, and PostgreSQL, whose part this
 * plays, does not.
 */
export class LightStarter implements AsyncDisposable {
  readonly #shell: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: NodeJS.AsyncIterator<string>;

  constructor(user: SystemUser, directory: string) {
    this.#shell = spawn('/bin/bash', ['-c', program], { ...user, cwd: directory, stdio: ['pipe', 'pipe', 'inherit'] });
    const lines: Interface = createInterface({ input: this.#shell.stdout });
    this.#answers = lines[Symbol.asyncIterator]();
  }

  /** Ticks of processor time that all commands so far have taken. */
  get cpuTicks(): number {
    return statOf(this.#shell.pid ?? 0)?.children ?? 0;
  }

  /** Resolves to the milliseconds that it took. */
  async run(line: string): Promise<number> {
    this.#shell.stdin.write(`${line}\n`);
    const { value = '' } = await this.#answers.next();
    const [code, begun, ended] = value.split(' ').map(Number);
    if (code !== 0 || begun === undefined || ended === undefined) throw new OperatorError('bench-failed', `${line} ended with ${code}`);
    return (ended - begun) * 1000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise((resolve) => this.#shell.once('exit', resolve));
    this.#shell.stdin.end();
    await gone;
  }
}
