import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { systemUser, type TestPostgres } from './postgres.ts';
import { clientProgram, connectionFlags, runClientProgram } from './postgres-programs.ts';

const transactionsPerSecond = 100;

/** pgbench on a PostgreSQL 15 that may be killed under it, and is then to be told with {@link resume}. */
export class Pgbench {
  readonly #postgres: TestPostgres;
  readonly #program: string;
  readonly #seconds: number;
  #child: ChildProcess | undefined;

  /** `seconds` is when it ends by itself. */
  static async begin(postgres: TestPostgres, seconds = 3600): Promise<Pgbench> {
    await runClientProgram('pgbench', '15', [...connectionFlags(postgres), '--initialize', '--quiet', 'postgres']);
    const pgbench = new Pgbench(postgres, await clientProgram('pgbench', '15'), seconds);
    pgbench.resume();
    return pgbench;
  }

  private constructor(postgres: TestPostgres, program: string, seconds: number) {
    this.#postgres = postgres;
    this.#program = program;
    this.#seconds = seconds;
  }

  resume(): void {
    this.#child?.kill('SIGKILL');
    const flags = ['--client=2', `--time=${this.#seconds}`, `--rate=${transactionsPerSecond}`, '--no-vacuum', 'postgres'];
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', this.#program, ...connectionFlags(this.#postgres), ...flags], {
      ...systemUser(),
      cwd: '/',
      stdio: 'ignore',
    });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
