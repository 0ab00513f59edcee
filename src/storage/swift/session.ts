import type { Clock } from '../../lib/clock.ts';
import { untilAborted } from '../abortable.ts';
import { TokenRefusedError } from './errors.ts';

/** What a login gives. */
export interface Access {
  readonly token: string;
  /** Of the account: what containers are below. No slash at its end. */
  readonly storageUrl: string;
  /** Undefined where the login does not tell. */
  readonly lifetimeMs: number | undefined;
}

interface Held {
  readonly access: Access;
  readonly renewAtMs: number;
}

/** A token is renewed this long before its end, or after nine tenths of a short life. */
const renewBeforeEndMs = 120_000;

/** Keeps a login, shared by all requests, and renews it before it ends, or once it is refused. */
export class Session {
  readonly #login: () => Promise<Access>;
  readonly #clock: Clock;
  #held: Promise<Held> | undefined;
  /** What the last login gave, while it is the one held. */
  #latest: Held | undefined;

  constructor(login: () => Promise<Access>, clock: Clock) {
    this.#login = login;
    this.#clock = clock;
  }

  /** `work` is done again with a new token where it rejects with {@link TokenRefusedError}, but only once. */
  async run<T>(work: (access: Access) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const held = await this.#current(signal);
    try {
      return await work(held.access);
    } catch (error) {
      if (!(error instanceof TokenRefusedError)) throw error;
    }
    return work((await this.#renewed(held, signal)).access);
  }

  async #current(signal: AbortSignal | undefined): Promise<Held> {
    const held = await this.#wait(signal);
    return this.#clock.monotonicMs() < held.renewAtMs ? held : this.#renewed(held, signal);
  }

  /** Of several who find the same token spent, one logs in. */
  #renewed(spent: Held, signal: AbortSignal | undefined): Promise<Held> {
    if (this.#latest === spent) this.#held = undefined;
    return this.#wait(signal);
  }

  /** The login goes on for the others where one of those who wait for it is aborted. */
  async #wait(signal: AbortSignal | undefined): Promise<Held> {
    signal?.throwIfAborted();
    const held = (this.#held ??= this.#logIn());
    return untilAborted(held, signal);
  }

  async #logIn(): Promise<Held> {
    this.#latest = undefined;
    const beganMs = this.#clock.monotonicMs();
    try {
      const access = await this.#login();
      const { lifetimeMs = Number.POSITIVE_INFINITY } = access;
      this.#latest = { access, renewAtMs: beganMs + lifetimeMs - Math.min(renewBeforeEndMs, lifetimeMs / 10) };
      return this.#latest;
    } catch (error) {
      this.#held = undefined;
      throw error;
    }
  }
}
