import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { systemClock } from '../../src/lib/clock.ts';
import { OperatorError } from '../../src/lib/errors.ts';

interface Progress {
  readonly atMs: number;
  readonly perSecond: number;
}

/** pgbench as long as this lives, and what it gets done in each second. */
export class PgbenchLoad implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #told: Progress[] = [];

  static async start(program: string, args: readonly string[]): Promise<PgbenchLoad> {
    const load = new PgbenchLoad(spawn(program, ['--time=86400', '--progress=1', ...args], { stdio: ['ignore', 'ignore', 'pipe'] }));
    await load.seconds(2);
    return load;
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stderr === null) throw new Error('pgbench is heard by its standard error');
    createInterface({ input: child.stderr }).on('line', (line) => {
      const perSecond = transactionsPerSecond(line);
      if (perSecond !== undefined) this.#told.push({ atMs: systemClock.monotonicMs(), perSecond });
    });
  }

  /** Lets it go on for so many seconds, and tells its mean of transactions per second. */
  seconds(count: number): Promise<number> {
    return this.during(() => systemClock.sleep(count * 1000));
  }

  /** Its mean of transactions per second while something else is done. Seconds that lie in it by half are not counted. */
  async during(deed: () => Promise<unknown>): Promise<number> {
    const begunMs = systemClock.monotonicMs();
    await deed();
    const whole = this.#told.filter(({ atMs }) => atMs >= begunMs + 1000);
    if (this.#child.exitCode !== null) throw new OperatorError('bench-failed', `pgbench ended with ${this.#child.exitCode}`);
    return whole.reduce((sum, { perSecond }) => sum + perSecond, 0) / whole.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGINT');
    await once(this.#child, 'exit');
  }
}

/** `progress: 3.0 s, 1530.9 tps, lat 2.603 ms stddev 1.411, 0 failed` */
export function transactionsPerSecond(line: string): number | undefined {
  const found = /^progress: [\d.]+ s, ([\d.]+) tps/.exec(line)?.[1];
  return found === undefined ? undefined : Number(found);
}
