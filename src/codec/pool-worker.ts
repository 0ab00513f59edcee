import assert from 'node:assert';
import { Worker } from 'node:worker_threads';
import { type Clock, systemClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { packError, unpackError } from './packed-error.ts';
import type { PoolTask } from './pool-task.ts';
import { type FromWorker, type ToWorker, workerMark, workerModule } from './worker.ts';

export interface PoolWorkerEvents {
  /** The worker can take another task. */
  readonly onIdle: () => void;
  /** The worker is gone; its task, if it had one, has been rejected. */
  readonly onGone: () => void;
}

/** One thread and the task it has. Keeps the process alive only while it has one. */
export class PoolWorker {
  readonly #worker: Worker;
  readonly #events: PoolWorkerEvents;
  readonly #abortGraceMs: number;
  readonly #clock: Clock;
  #task: PoolTask | undefined;
  #crash: unknown;
  #gone = false;
  /** Ends the watch over an aborted task. */
  #taskEnd = new AbortController();

  constructor(name: string, events: PoolWorkerEvents, options: { abortGraceMs: number; clock?: Clock }) {
    this.#events = events;
    this.#abortGraceMs = options.abortGraceMs;
    this.#clock = options.clock ?? systemClock;
    this.#worker = new Worker(new URL(workerModule), { name, workerData: workerMark });
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('messageerror', (error) => this.#end((task) => task.reject(error)));
    this.#worker.on('error', (error) => {
      this.#crash = error;
    });
    this.#worker.on('exit', (code) => this.#leave(code));
    this.#worker.unref();
  }

  get task(): PoolTask | undefined {
    return this.#task;
  }

  get isIdle(): boolean {
    return this.#task === undefined && !this.#gone;
  }

  start(task: PoolTask): void {
    assert(this.isIdle, 'a worker has one task at a time');
    try {
      this.#send({ type: 'run', module: task.module, name: task.name, input: task.input });
    } catch (error) {
      return task.reject(error);
    }
    this.#task = task;
    this.#taskEnd = new AbortController();
    this.#worker.ref();
    task.onAbort(() => void this.#stop(task, this.#taskEnd.signal));
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #send(message: ToWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    this.#worker.postMessage(message);
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'report':
        return this.#task?.report(message.message);
      case 'done':
        return this.#end((task) => task.resolve(message.result));
      case 'failed':
        return this.#end((task) => task.reject(unpackError(message.error)));
    }
  }

  /** Asks the job to stop; a job that does not is ended with its thread. */
  async #stop(task: PoolTask, taskEnd: AbortSignal): Promise<void> {
    this.#send({ type: 'abort', reason: packError(task.abortReason) });
    try {
      await this.#clock.sleep(this.#abortGraceMs, taskEnd);
    } catch {
      return;
    }
    await this.terminate();
  }

  #end(settle: (task: PoolTask) => void): void {
    const task = this.#task;
    if (!task) return;
    this.#task = undefined;
    this.#taskEnd.abort();
    this.#worker.unref();
    settle(task);
    if (!this.#gone) this.#events.onIdle();
  }

  #leave(code: number): void {
    this.#gone = true;
    const cause = this.#crash ?? new Error(`its thread ended with code ${code}`);
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
