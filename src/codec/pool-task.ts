import type { Transferable } from 'node:worker_threads';
import { Urgency, type Urgent } from '../lib/urgency.ts';
import type { Job } from './job.ts';

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** Gets what the job reports while it runs. */
  readonly onReport?: ((message: unknown) => void) | undefined;
  /** Default: not urgent. */
  readonly urgency?: Urgency | undefined;
  /** For whom it is; see `Urgent`. */
  readonly party?: string | undefined;
  /** What the input hands over instead of copying it, such as a MessagePort. */
  readonly transfer?: readonly Transferable[] | undefined;
  /** It mostly waits, for a network or for other jobs: it begins at once, on a thread beside those that there are places for. */
  readonly mostlyWaits?: boolean | undefined;
}

/** A job with its input, and the promise of its caller. An aborted one rejects with the signal's reason, however it ended. */
export class PoolTask implements Urgent {
  readonly module: string;
  readonly name: string;
  readonly input: unknown;
  readonly promise: Promise<unknown>;
  readonly urgency: Urgency;
  readonly party: string | undefined;
  readonly transfer: readonly Transferable[];
  readonly mostlyWaits: boolean;
  readonly #options: RunOptions;
  readonly #resolve: (result: unknown) => void;
  readonly #reject: (reason: unknown) => void;
  #forgetAbort = () => {};

  constructor(job: Pick<Job<unknown, unknown>, 'module' | 'name'>, input: unknown, options: RunOptions) {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.module = job.module;
    this.name = job.name;
    this.input = input;
    this.promise = promise;
    this.urgency = options.urgency ?? new Urgency(false);
    this.party = options.party;
    this.transfer = options.transfer ?? [];
    this.mostlyWaits = options.mostlyWaits ?? false;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get abortReason(): unknown {
    return this.#options.signal?.reason;
  }

  /** What an abort does from now on; replaces what it did before. */
  onAbort(act: () => void): void {
    const { signal } = this.#options;
    this.#forgetAbort();
    signal?.addEventListener('abort', act, { once: true });
    this.#forgetAbort = () => signal?.removeEventListener('abort', act);
  }

  report(message: unknown): void {
    this.#options.onReport?.(message);
  }

  resolve(result: unknown): void {
    this.#forgetAbort();
    if (this.#options.signal?.aborted) this.#reject(this.abortReason);
    else this.#resolve(result);
  }

  reject(error: unknown): void {
    this.#forgetAbort();
    this.#reject(this.#options.signal?.aborted ? this.abortReason : error);
  }
}
