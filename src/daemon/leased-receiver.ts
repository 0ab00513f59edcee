import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { ReceiverStatus, WalReceiver } from '../wal/receive/receiver.ts';
import type { Ownership } from './ownership.ts';

export interface LeasedReceiverDeps {
  readonly site: string;
  readonly mode: ReceiverStatus['mode'];
  readonly make: () => WalReceiver;
  readonly ownership: Pick<Ownership, 'hindrance' | 'standing'>;
  /** Told when another daemon has begun to receive. */
  readonly onWaiting: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * A receiver that runs unless another daemon works on the site. What it receives is harmless if done twice, so a store that does not answer, and cannot tell
 * who works on the site, does not stop it.
 */
export class LeasedReceiver implements WalReceiver {
  readonly #deps: LeasedReceiverDeps;
  #receiver: WalReceiver | undefined;
  #isStarted = false;
  #latestActivity: Date;
  #changing: Promise<void> = Promise.resolve();

  constructor(deps: LeasedReceiverDeps) {
    this.#deps = deps;
    this.#latestActivity = deps.clock.now();
  }

  get status(): ReceiverStatus {
    if (this.#receiver) return this.#receiver.status;
    const { mode, ownership } = this.#deps;
    const because = ownership.hindrance ?? 'just started';
    const nothing = { lastFlushed: undefined, waiting: [], rejected: [] };
    return { mode, running: false, latestActivity: this.#latestActivity, because, ...nothing };
  }

  start(): void {
    this.#isStarted = true;
    this.follow();
  }

  /** To be called when the lease may have changed hands. */
  follow(): void {
    this.#changing = this.#changing.then(() => this.#follow());
  }

  async stop(): Promise<void> {
    this.#isStarted = false;
    this.follow();
    await this.#changing;
  }

  async #follow(): Promise<void> {
    const { make, ownership, onWaiting, site, log } = this.#deps;
    const isWanted = this.#isStarted && !['elsewhere', 'unknown'].includes(ownership.standing);
    if (isWanted && this.#receiver === undefined) {
      this.#receiver = make();
      this.#receiver.start();
    }
    if (isWanted || this.#receiver === undefined) return;
    if (this.#isStarted) log.info({ site }, 'receiving of WAL ends here: another daemon receives it');
    await this.#receiver.stop();
    this.#latestActivity = this.#receiver.status.latestActivity;
    this.#receiver = undefined;
    if (this.#isStarted) onWaiting();
  }
}
