import { systemClock } from '../../src/lib/clock.ts';
import { allPids, commandLineOf, proportionalBytesOf, statOf, ticksPerSecond } from './processes.ts';

/** What a piece of work took. */
export interface Cost {
  readonly seconds: number;
  /** User and system time of everything that the tool ran. */
  readonly cpuSeconds: number;
  /** The most memory that the processes of the tool held together at any moment; shared pages count once. */
  readonly peakBytes: number;
}

/** Whose work is measured. */
export interface Owners {
  /** Processes that run all the time, with what they start and wait for. */
  readonly pids: readonly number[];
  /** Processes of others that start commands for the tool and wait for them: what those commands take. */
  readonly starters: readonly number[];
  /** In the command line of processes that have left those who started them. */
  readonly mark: string;
}

const sampleMs = 20;
/** Asking for the memory of a process costs the kernel a walk through its pages. */
const samplesPerMemorySample = 3;

/** Does `work` and watches meanwhile. Whatever ran already and is not among the owners does not count, nor does what it starts. */
export async function measure(owners: Owners, work: () => Promise<void>): Promise<Cost> {
  using meter = new Meter(owners);
  const startedMs = systemClock.monotonicMs();
  await work();
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  return { seconds, cpuSeconds: meter.cpuSeconds(), peakBytes: meter.peakBytes };
}

/** Of processes that nobody of the tool waits for, up to the last {@link sampleMs} are missed. */
class Meter implements Disposable {
  readonly #owners: Owners;
  readonly #startTicks: number;
  /** What is not the tool's, so that each look at all processes is a short one. */
  readonly #others: Set<number>;
  readonly #waitedFor: Set<number>;
  /** With the ticks of each. */
  readonly #strays = new Map<number, number>();
  readonly #sampler: NodeJS.Timeout;
  /** Ticks of what each starter has waited for, as it was seen last: it may end before the work is done. */
  readonly #started = new Map<number, number>();
  #samples = 0;
  peakBytes = 0;

  constructor(owners: Owners) {
    this.#owners = owners;
    this.#others = new Set(allPids());
    this.#waitedFor = new Set(owners.pids);
    for (const pid of this.#others) if (this.#waitedFor.has(statOf(pid)?.parent ?? 0)) this.#waitedFor.add(pid);
    this.#startTicks = this.#ticks();
    this.#sampler = setInterval(() => this.#sample(), sampleMs);
    this.#sample();
  }

  cpuSeconds(): number {
    this.#sample();
    const strays = [...this.#strays.values()].reduce((sum, ticks) => sum + ticks, 0);
    return (this.#ticks() - this.#startTicks + strays) / ticksPerSecond;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sampler);
  }

  #ticks(): number {
    let ticks = 0;
    for (const stat of this.#owners.pids.map(statOf)) ticks += stat ? stat.own + stat.children : 0;
    for (const pid of this.#owners.starters) ticks += this.#ticksStartedBy(pid);
    return ticks;
  }

  #ticksStartedBy(starter: number): number {
    const ticks = statOf(starter)?.children ?? this.#started.get(starter) ?? 0;
    this.#started.set(starter, ticks);
    return ticks;
  }

  #sample(): void {
    for (const pid of this.#owners.starters) this.#ticksStartedBy(pid);
    for (const pid of this.#waitedFor) this.#setAsideWhatIsLeft(pid);
    for (const pid of allPids()) this.#classify(pid);
    // Each stray by itself: what its children took would only be its own once they have ended, and it may end right after them.
    for (const pid of this.#strays.keys()) this.#strays.set(pid, statOf(pid)?.own ?? this.#strays.get(pid) ?? 0);
    if (this.#samples++ % samplesPerMemorySample !== 0) return;
    const bytes = [...this.#waitedFor, ...this.#strays.keys()].reduce((sum, pid) => sum + proportionalBytesOf(pid), 0);
    this.peakBytes = Math.max(this.peakBytes, bytes);
  }

  /** Nobody waits any more for one whose parent has ended before it. */
  #setAsideWhatIsLeft(pid: number): void {
    if (this.#owners.pids.includes(pid)) return;
    const stat = statOf(pid);
    if (stat && this.#isWaitedForBy(stat.parent)) return;
    this.#waitedFor.delete(pid);
    if (stat) this.#strays.set(pid, stat.own);
  }

  #isWaitedForBy(parent: number): boolean {
    return this.#waitedFor.has(parent) || this.#owners.starters.includes(parent);
  }

  #classify(pid: number): void {
    if (this.#others.has(pid) || this.#waitedFor.has(pid) || this.#strays.has(pid)) return;
    const parent = statOf(pid)?.parent;
    if (parent === undefined) return;
    if (this.#isWaitedForBy(parent)) this.#waitedFor.add(pid);
    else if (this.#strays.has(parent) || commandLineOf(pid).includes(this.#owners.mark)) this.#strays.set(pid, 0);
    else this.#others.add(pid);
  }
}
