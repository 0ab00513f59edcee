import type { Catalog } from '../catalog/catalog.ts';
import { cancelPreservation, requestPreservation } from '../catalog/preservation.ts';
import type { Clock } from '../lib/clock.ts';
import { explain } from '../lib/errors.ts';

/** Asks every daemon of a site to keep a base backup, and the WAL after it, until a moment. */
export interface Preservation {
  readonly catalog: Catalog;
  /** Of its main object. */
  readonly backupKey: string;
  readonly until: Date;
}

/** Stores the request, if there is one. A store that cannot be written to can still be restored from, so a failure is only told. */
export async function preserve(
  preservation: Preservation | undefined,
  warn: (message: string) => void,
  signal: AbortSignal,
): Promise<boolean> {
  if (!preservation) return false;
  try {
    await requestPreservation(preservation.catalog, preservation.backupKey, preservation.until, signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    warn(`the request to preserve the base backup could not be stored: ${explain(error)}`);
    return false;
  }
}

/** Takes the request back, if there is one. */
export async function unpreserve(preservation: Preservation | undefined, warn: (message: string) => void): Promise<void> {
  if (!preservation) return;
  try {
    await cancelPreservation(preservation.catalog, preservation.backupKey, preservation.until);
  } catch (error) {
    warn(`the request to preserve the base backup could not be taken back: ${explain(error)}`);
  }
}

const hourMs = 3_600_000;
const renewalMs = hourMs;
/** So long what a killed restore has asked for stays. */
const restoringMs = 6 * hourMs;
/** So long a restored server has to be started, and to fetch its WAL. */
const recoveryMs = 24 * hourMs;

export interface PinDeps {
  readonly clock: Clock;
  readonly warn: (message: string) => void;
}

/**
 * Keeps the base backup that is being restored, wherever daemons would delete it, by requests that run out by themselves: a short one that is renewed
 * as long as the restore runs, and a last one for the recovery after it.
 */
export class RestorePin implements AsyncDisposable {
  readonly #place: Omit<Preservation, 'until'>;
  readonly #deps: PinDeps;
  readonly #end = new AbortController();
  #held: Preservation | undefined;
  #renewing: Promise<void> = Promise.resolve();

  static async set(place: Omit<Preservation, 'until'>, deps: PinDeps, signal: AbortSignal): Promise<RestorePin> {
    const pin = new RestorePin(place, deps);
    if (await pin.#extend(restoringMs, signal)) pin.#renewing = pin.#renew();
    return pin;
  }

  private constructor(place: Omit<Preservation, 'until'>, deps: PinDeps) {
    this.#place = place;
    this.#deps = deps;
  }

  /** The restore has succeeded. */
  async leaveForRecovery(): Promise<void> {
    await this[Symbol.asyncDispose]();
    if (this.#held) await this.#extend(recoveryMs, new AbortController().signal);
  }

  /** Nothing needs the backup any more. */
  async release(): Promise<void> {
    await this[Symbol.asyncDispose]();
    await unpreserve(this.#held, this.#deps.warn);
  }

  /** Renews it no more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#renewing;
  }

  async #renew(): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#end;
    while (!signal.aborted) {
      await clock.sleep(renewalMs, signal).catch(() => {});
      if (!signal.aborted) await this.#extend(restoringMs, signal).catch(() => false);
    }
  }

  async #extend(ms: number, signal: AbortSignal): Promise<boolean> {
    const { clock, warn } = this.#deps;
    const next = { ...this.#place, until: new Date(clock.now().getTime() + ms) };
    if (!(await preserve(next, warn, signal))) return false;
    const before = this.#held;
    this.#held = next;
    if (before !== undefined && before.until.getTime() !== next.until.getTime()) await unpreserve(before, warn);
    return true;
  }
}
