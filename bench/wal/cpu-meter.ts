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
    for (const pid of pids) ticks += (statOf(pid)?.own ?? 0) + (statOf(pid)?.children ?? 0);
    for (const pid of starters) ticks += statOf(pid)?.children ?? 0;
    return ticks;
  }

  /** Each stray by itself: what its children took would only be its own once they have ended, and it may end right after them. */
  #sample(): void {
    const { pids, starters, mark } = this.#owners;
    const stats = new Map<number, Stat>();
    for (const entry of readdirSync('/proc')) {
      const stat = /^\d+$/.test(entry) ? statOf(Number(entry)) : undefined;
      if (stat) stats.set(Number(entry), stat);
    }
    for (const [pid, { own }] of stats) {
      let ancestor: number | undefined = pid;
      while (ancestor !== undefined && !pids.includes(ancestor) && !starters.includes(ancestor)) ancestor = stats.get(ancestor)?.parent;
      if (ancestor === undefined && commandLineOf(pid).includes(mark)) this.#strays.set(pid, own);
    }
  }
}

interface Stat {
  readonly parent: number;
  /** Ticks of its own, and of children that have ended and were waited for. */
  readonly own: number;
  readonly children: number;
}

/** Fields 4 and 14 to 17 of /proc/PID/stat; undefined once it is gone. */
function statOf(pid: number): Stat | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const at = (field: number) => Number(fields[field - 3]);
    return { parent: at(4), own: at(14) + at(15), children: at(16) + at(17) };
  } catch {
    return undefined;
  }
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
