import type { Lsn } from '../../postgres/lsn.ts';

export interface Arrival {
  /** It changes whenever WAL arrives; undefined where nothing has arrived yet. */
  readonly sign: string | undefined;
  /** What the server said last of itself: another object each time. */
  readonly sample: { readonly lsn: Lsn } | undefined;
}

/** A server that is just being asked may have been asked before the last WAL arrived. */
const samplesToTrust = 2;

/**
 * Tells a receiver that hangs (a process that was stopped, a connection of which only one end is left) from a server that writes nothing: the server has moved on, by what
 * it says elsewhere, and nothing has arrived.
 */
export class ArrivalWatch {
  #sign: string | undefined;
  #sample: Arrival['sample'];
  #samples = 0;
  /** Where the server was when all had arrived. */
  #known: Lsn | undefined;

  /** False: the server has written WAL that does not arrive. */
  isWell({ sign, sample }: Arrival): boolean {
    if (sign !== this.#sign) {
      this.#sign = sign;
      this.#sample = sample;
      this.#samples = 0;
      this.#known = undefined;
      return true;
    }
    if (sample !== this.#sample) {
      this.#sample = sample;
      this.#samples++;
    }
    if (this.#samples >= samplesToTrust) this.#known ??= sample?.lsn;
    return this.#known === undefined || sample === undefined || sample.lsn <= this.#known;
  }
}
