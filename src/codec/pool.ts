import assert from 'node:assert';
import type { Clock } from '../lib/clock.ts';
import { nextToBegin } from '../lib/urgency.ts';
import type { Job } from './job.ts';
import { PoolTask, type RunOptions } from './pool-task.ts';
import { PoolWorker, type WorkerDeath } from './pool-worker.ts';
import type { StepTimes } from './step-times.ts';

export type { RunOptions } from './pool-task.ts';
export type { WorkerDeath } from './pool-worker.ts';

/** How long an aborted job may take to stop before its thread is ended. */
const abortGraceMsDefault = 5_000;
/** A thread takes some 15 MiB, and a tenth of a second to start. */
const idleMsMaxDefault = 30_000;
/** For a party of which nothing runs, where jobs of others do not end. */
const spareThreads = 1;

export interface PoolSettings {
  readonly abortGraceMs?: number;
  /** A thread that had nothing to do for so long is ended, unless it is the last one. */
  readonly idleMsMax?: number;
  /** A thread ended that nobody had ended. */
  readonly onDied?: (death: WorkerDeath) => void;
  /** A job has been done. */
  readonly onDone?: () => void;
  /** How long its steps took; absent: they are not measured. */
  readonly onSteps?: ((job: string, steps: StepTimes) => void) | undefined;
  readonly clock?: Clock;
}

/**
 * Worker threads for jobs that read, compress, encrypt and write. At most `threads` jobs run at once, each on a thread of its own,
 * the others wait in the order they came. Urgent ones overtake them, and find one thread more where others than urgent ones have all of them; so does a party of
 * which no job runs. Jobs that mostly wait do not count: each of them gets a thread at once.
 * Threads are started when first needed; one that dies rejects its job with `worker-died` and is replaced, and so is one whose job
 * was aborted and does not end. Threads that have nothing to do end after a while, but for one. An idle pool does not keep the process alive.
 */
export class CodecPool implements AsyncDisposable {
  readonly threads: number;
  readonly #settings: Required<Pick<PoolSettings, 'abortGraceMs' | 'idleMsMax'>> & PoolSettings;
  readonly #workers = new Set<PoolWorker>();
  /** Those left to themselves included. */
  #threadsAlive = 0;
  readonly #queue: PoolTask[] = [];
  readonly #unsettled = new Set<Promise<unknown>>();
  #started = 0;
  #closed = false;

  constructor(threads: number, settings: PoolSettings = {}) {
    assert(Number.isInteger(threads) && threads > 0, 'a pool has at least one thread');
    this.threads = threads;
    this.#settings = { abortGraceMs: abortGraceMsDefault, idleMsMax: idleMsMaxDefault, ...settings };
  }

  /** Jobs that have not ended. */
  get pending(): number {
    return this.#unsettled.size;
  }

  /** Threads that have not ended. */
  get alive(): number {
    return this.#threadsAlive;
  }

  /** Threads that hang where nothing can end them. As long as there are any, the process cannot end in the ordinary way. */
  get stuck(): number {
    return this.#threadsAlive - this.#workers.size;
  }

  /**
   * Runs the job on a worker. OperatorErrors and codes of system errors come through as they were thrown.
   * An abort rejects with the signal's reason once the job has stopped, so that its files can be cleaned up.
   */
  run<I, R>(job: Job<I, R>, input: I, options: RunOptions = {}): Promise<R> {
    assert(!this.#closed, `a closed pool runs no jobs: ${job.name}`);
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const task = new PoolTask(job, input, options);
    this.#queue.push(task);
    task.onAbort(() => this.#leaveQueue(task));
    this.#unsettled.add(task.promise);
    const forget = task.urgency.onHurry(() => this.#assign());
    const settled = () => {
      forget();
      this.#unsettled.delete(task.promise);
    };
    task.promise.then(settled, settled);
    this.#assign();
    return task.promise as Promise<R>;
  }

  /** Takes no more jobs, waits for those it has (abort their signals to hurry), and ends the threads. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#unsettled);
    await Promise.all([...this.#workers].map((worker) => worker.terminate()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #leaveQueue(task: PoolTask): void {
    this.#queue.splice(this.#queue.indexOf(task), 1);
    task.reject(task.abortReason);
  }

  #assign(): void {
    for (;;) {
      const at = this.#nextToBegin();
      if (at === undefined) return;
      const worker = [...this.#workers].find((candidate) => candidate.isIdle) ?? this.#startWorker();
      const [task] = this.#queue.splice(at, 1) as [PoolTask];
      worker.start(task);
    }
  }

  #nextToBegin(): number | undefined {
    const beside = this.#queue.findIndex(({ mostlyWaits }) => mostlyWaits);
    if (beside >= 0) return beside;
    const running = [...this.#workers].flatMap(({ task }) => (task === undefined || task.mostlyWaits ? [] : task));
    return nextToBegin(this.#queue, running, this.threads, spareThreads);
  }

  #startWorker(): PoolWorker {
    this.#started += 1;
    this.#threadsAlive += 1;
    const { onDied = () => {}, onDone = () => {}, onSteps } = this.#settings;
    const events = {
      onIdle: () => this.#assign(),
      onIdleLong: () => {
        if ([...this.#workers].some((other) => other !== worker && !other.isEnding)) void worker.terminate();
      },
      onGone: () => {
        this.#workers.delete(worker);
        this.#assign();
      },
      onExit: () => void (this.#threadsAlive -= 1),
      onDied,
      onDone,
      onSteps,
    };
    const worker = new PoolWorker(`codec-${this.#started}`, events, this.#settings);
    this.#workers.add(worker);
    return worker;
  }
}

/** Where jobs run, as far as most need to know. */
export type JobRunner = Pick<CodecPool, 'threads' | 'run'>;

/** For tools whose jobs are too small to be worth the start of a thread. */
export const thisThread: JobRunner = { threads: 1, run: runHere };

/** Runs a job on the calling thread, for tools that need no pool. As with a pool, an abort rejects with the signal's reason. */
export async function runHere<I, R>(job: Job<I, R>, input: I, options: RunOptions = {}): Promise<R> {
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  try {
    return await job.run(input, { signal, report: (message) => options.onReport?.(message) });
  } finally {
    signal.throwIfAborted();
  }
}
