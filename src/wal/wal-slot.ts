import { rm } from 'node:fs/promises';
import type { Urgency } from '../lib/urgency.ts';
import type { ReceivedWal } from './stored-wal.ts';
import { untilAborted } from './until-aborted.ts';

/**
 * One file on its way to the local disk, or there. Callers hold it while they wait for it and while they use it;
 * what nobody holds may be evicted.
 */
export class WalSlot<T extends ReceivedWal = ReceivedWal> {
  readonly name: string;
  /** Fetched because it comes next, not because somebody asked for it. */
  readonly isAhead: boolean;
  /** `undefined`: every source said that there is no such object. */
  readonly received: Promise<T | undefined>;
  readonly #urgency: Urgency;
  #holders = 0;
  #isSettled = false;

  /** `urgency` is that of the transfer, which is hurried once somebody waits for it. */
  constructor(name: string, isAhead: boolean, urgency: Urgency, received: Promise<T | undefined>) {
    this.name = name;
    this.isAhead = isAhead;
    this.#urgency = urgency;
    this.received = received;
    const settle = () => void (this.#isSettled = true);
    received.then(settle, settle);
  }

  get holders(): number {
    return this.#holders;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  letGo(): void {
    this.#holders--;
  }

  /** Waits for the file, no longer than `signal` lets it. The slot is held on return if there is a file. */
  async take(signal: AbortSignal | undefined): Promise<T | undefined> {
    this.#holders++;
    this.#urgency.hurry();
    try {
      const wal = await untilAborted(this.received, signal);
      if (wal === undefined) this.letGo();
      return wal;
    } catch (error) {
      this.letGo();
      throw error;
    }
  }

  /** Removes the file, if one came. */
  async discard(): Promise<void> {
    const wal = await this.received.catch(() => undefined);
    if (wal) await rm(wal.path, { force: true });
  }
}
