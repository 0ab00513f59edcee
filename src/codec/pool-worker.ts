import assert from 'node:assert';
import { type Transferable, Worker } from 'node:worker_threads';
import { type Clock, systemClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { packError, unpackError } from './packed-error.ts';
import type { PoolTask } from './pool-task.ts';
import type { StepTimes } from './step-times.ts';
import { type FromWorker, type ToWorker, workerMark, workerModule } from './worker.ts';

export interface PoolWorkerEvents {
  /** The worker can take another task. */
  readonly onIdle: () => void;
  /** It has had nothing to do since, for `idleMsMax`. */
  readonly onIdleLong: () => void;
  /** The worker is gone, or left to itself; its task, if it had one, has been rejected. */
  readonly onGone: () => void;
  /** The thread has ended. */
  readonly onExit: () => void;
  /** The thread ended by itself, in the midst of this job or of none. */
  readonly onDied: (death: WorkerDeath) => void;
  readonly onDone: () => void;
  /** How long the steps of the job took; where nobody wants to know, they are not measured. */
  readonly onSteps?: ((job: string, steps: StepTimes) => void) | undefined;
}

export interface WorkerDeath {
  /** Undefined: it had none. */
  readonly job: string | undefined;
  readonly cause: unknown;
}

/** One thread and the task it has. Keeps the process alive only while it has one. */
export class PoolWorker {
  readonly #worker: Worker;
  readonly #events: PoolWorkerEvents;
  readonly #abortGraceMs: number;
  readonly #idleMsMax: number;
  readonly #clock: Clock;
  #task: PoolTask | undefined;
  #crash: unknown;
  #gone = false;
  #isEnded = false;
  #idleTimer: NodeJS.Timeout | undefined;
  /** Ends the watch over an aborted task. */
  #taskEnd = new AbortController();

  constructor(name: string, events: PoolWorkerEvents, options: { abortGraceMs: number; idleMsMax: number; clock?: Clock }) {
    this.#events = events;
    this.#abortGraceMs = options.abortGraceMs;
    this.#idleMsMax = options.idleMsMax;
    this.#clock = options.clock ?? systemClock;
    this.#worker = new Worker(new URL(workerModule), { name, workerData: workerMark });
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('messageerror', (error) => this.#end((task) => task.reject(error)));
    this.#worker.on('error', (error) => {
      this.#crash = error;
    });
    this.#worker.on('exit', (code) => this.#exited(code));
    this.#worker.unref();
  }

  get task(): PoolTask | undefined {
    return this.#task;
  }

  get isIdle(): boolean {
    return this.#task === undefined && !this.#gone && !this.#isEnded;
  }

  /** It takes no more tasks. */
  get isEnding(): boolean {
    return this.#isEnded;
  }

  start(task: PoolTask): void {
    assert(this.isIdle, 'a worker has one task at a time');
    clearTimeout(this.#idleTimer);
    try {
      const isMeasured = this.#events.onSteps !== undefined;
      this.#send({ type: 'run', module: task.module, name: task.name, input: task.input, isMeasured }, task.transfer);
    } catch (error) {
      return task.reject(error);
    }
    this.#task = task;
    this.#taskEnd = new AbortController();
    this.#worker.ref();
    task.onAbort(() => void this.#stop(task, this.#taskEnd.signal));
  }

  async terminate(): Promise<void> {
    this.#isEnded = true;
    clearTimeout(this.#idleTimer);
    await this.#worker.terminate();
  }

  #send(message: ToWorker, transfer: readonly Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'report':
        return this.#task?.report(message.message);
      case 'done':
        this.#events.onDone();
        if (message.steps && this.#task) this.#events.onSteps?.(this.#task.name, message.steps);
        return this.#end((task) => task.resolve(message.result));
      case 'failed':
        return this.#end((task) => task.reject(unpackError(message.error)));
    }
  }

  /** Asks the job to stop; a job that does not is ended with its thread. A thread that waits for a dead disk does not even end: it is left to itself. */
  async #stop(task: PoolTask, taskEnd: AbortSignal): Promise<void> {
    this.#send({ type: 'abort', reason: packError(task.abortReason) });
    try {
      await this.#clock.sleep(this.#abortGraceMs, taskEnd);
      void this.terminate();
      await this.#clock.sleep(this.#abortGraceMs, taskEnd);
    } catch {
      return;
    }
    this.#leave(new Error('its thread does not end'));
  }

  #end(settle: (task: PoolTask) => void): void {
    const task = this.#task;
    if (!task) return;
    this.#task = undefined;
    this.#taskEnd.abort();
    this.#worker.unref();
    settle(task);
    if (this.#gone) return;
    this.#idleTimer = setTimeout(() => this.#events.onIdleLong(), this.#idleMsMax).unref();
    this.#events.onIdle();
  }

  #exited(code: number): void {
    const cause = this.#crash ?? new Error(`its thread ended with code ${code}`);
    if (!this.#isEnded) this.#events.onDied({ job: this.#task?.name, cause });
    if (!this.#gone) this.#leave(cause);
    this.#events.onExit();
  }

  #leave(cause: unknown): void {
    this.#gone = true;
    this.#end((task) => task.reject(workerDied(task.name, cause)));
    this.#events.onGone();
  }
}

function workerDied(job: string, cause: unknown): OperatorError {
  return new OperatorError('worker-died', `a codec worker died while it ran ${job}`, {
    cause,
    retryable: true,
    hint: 'Another worker takes its place. If it happens again, look for a lack of memory, or report it with this message.',
  });
}
