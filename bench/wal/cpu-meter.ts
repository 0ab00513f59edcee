import { readdirSync, readFileSync } from 'node:fs';

/** Whose processor time is counted. */
export interface CpuOwners {
  /** Processes that run all the time, with what they start and wait for. */
  readonly pids: readonly number[];
  /** Processes of others that start commands for the tool and wait for them: what those commands take. */
  readonly starters: readonly number[];
  /** In the command line of processes that have left those who started them. */
  readonly mark: string;
}

const ticksPerSecond = 100; // USER_HZ, on every architecture that Linux runs on today
const sampleMs = 10;

/** Counts user and system time of all that a tool runs, in seconds. Of processes that nobody waits for, at most the last {@link sampleMs} are missed. */
export class CpuMeter implements Disposable {
  readonly #owners: CpuOwners;
  readonly #startTicks: number;
  readonly #strays = new Map<number, number>();
  readonly #sampler: NodeJS.Timeout;

  constructor(owners: CpuOwners) {
    this.#owners = owners;
    this.#startTicks = this.#ownTicks();
    this.#sampler = setInterval(() => this.#sample(), sampleMs);
  }

  get seconds(): number {
    this.#sample();
    const strays = [...this.#strays.values()].reduce((sum, ticks) => sum + ticks, 0);
    return (this.#ownTicks() - this.#startTicks + strays) / ticksPerSecond;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sampler);
  }

  #ownTicks(): number {
    const { pids, starters } = this.#owners;
    let ticks = 0;
    for (const pid of pids) ticks += ticksOf(pid).own + ticksOf(pid).children;
    for (const pid of starters) ticks += ticksOf(pid).children;
    return ticks;
  }

  #sample(): void {
    for (const entry of readdirSync('/proc')) {
      const pid = Number(entry);
      if (!Number.isInteger(pid) || this.#owners.pids.includes(pid)) continue;
      const { parent, own, children } = ticksOf(pid);
      if (parent === 1 && commandLineOf(pid).includes(this.#owners.mark)) this.#strays.set(pid, own + children);
    }
  }
}

/** Fields 4 and 14 to 17 of /proc/PID/stat; zeros once it is gone. */
function ticksOf(pid: number): { readonly parent: number; readonly own: number; readonly children: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const at = (field: number) => Number(fields[field - 3]);
    return { parent: at(4), own: at(14) + at(15), children: at(16) + at(17) };
  } catch {
    return { parent: 0, own: 0, children: 0 };
  }
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
