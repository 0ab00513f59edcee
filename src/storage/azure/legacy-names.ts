import type { ContainerClient } from '@azure/storage-blob';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { untilAborted } from '../abortable.ts';
import { listedItems } from './list.ts';

/** So long a container is believed to have none. */
const believedMs = 10 * 60 * 1000;

/**
 * Whether the container has blobs of 1.4.0 at all. Without knowing, each look at a key that is not there (and archiving looks before it stores) would cost a
 * second request; so this is asked once, and again after a while where there were none. Where there are some, that second request is made, and a listing
 * costs one more: nobody writes such names any more, so a container that was copied from elsewhere gets cheaper as they are pruned.
 */
export class LegacyNames {
  readonly #container: ContainerClient;
  readonly #storeName: string;
  readonly #clock: Clock;
  #answer: { readonly some: Promise<boolean>; readonly askedAtMs: number } | undefined;

  constructor(container: ContainerClient, storeName: string, clock: Clock = systemClock) {
    this.#container = container;
    this.#storeName = storeName;
    this.#clock = clock;
  }

  async areThere(signal: AbortSignal | undefined): Promise<boolean> {
    const now = this.#clock.now().getTime();
    if (!this.#answer || now - this.#answer.askedAtMs > believedMs) this.#answer = { some: this.#ask(), askedAtMs: now };
    const answer = this.#answer;
    try {
      // Others may wait for the same answer, so an abort ends the waiting and not the request.
      const some = await untilAborted(answer.some, signal);
      if (some && this.#answer === answer) this.#answer = { some: answer.some, askedAtMs: Number.POSITIVE_INFINITY };
      return some;
    } catch (error) {
      if (this.#answer === answer) this.#answer = undefined;
      throw error;
    }
  }

  async #ask(): Promise<boolean> {
    for await (const _ of listedItems({ container: this.#container, storeName: this.#storeName, prefix: '/', itemsMax: 1 })) return true;
    return false;
  }
}
