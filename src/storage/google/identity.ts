import type { AuthClient } from 'google-auth-library';
import type { Agents } from './agents.ts';
import { type ClientOptions, type CredentialOptions, openAuthClient } from './auth-client.ts';

export type AuthHeaders = Readonly<Record<string, string>>;

/** Keeps what a request needs to be accepted, and renews it: before it expires, and when it was refused. */
export class Identity {
  readonly #options: CredentialOptions;
  readonly #clientOptions: ClientOptions;
  /** A token that takes longer is given up; the request is repeated. */
  readonly #tokenMsMax: number;
  #client: Promise<AuthClient> | undefined;
  #last: AuthHeaders | undefined;

  constructor(options: CredentialOptions, agents: Agents, tokenMsMax: number) {
    this.#options = options;
    this.#tokenMsMax = tokenMsMax;
    this.#clientOptions = { transporterOptions: { agent: (url) => agents.of(url), timeout: tokenMsMax } };
  }

  /** `refused`: headers that got a 401. The credentials are read anew then, since a key or token file may have been replaced. */
  async headers(signal: AbortSignal | undefined, refused?: AuthHeaders): Promise<AuthHeaders> {
    if (refused !== undefined && refused === this.#last) this.#forget();
    return untilAborted(this.#current(), this.#tokenMsMax, signal);
  }

  async #current(): Promise<AuthHeaders> {
    this.#client ??= openAuthClient(this.#options, process.env, this.#clientOptions);
    try {
      const client = await this.#client;
      const headers = Object.fromEntries(await client.getRequestHeaders());
      if (this.#last?.['authorization'] !== headers['authorization']) this.#last = headers;
      return this.#last ?? headers;
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  #forget(): void {
    this.#client = undefined;
    this.#last = undefined;
  }
}

/** A token is for all requests: who no longer wants it leaves the others waiting for it. */
async function untilAborted<T>(work: Promise<T>, msMax: number, signal: AbortSignal | undefined): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal?.reason);
  const late = Object.assign(new Error('no access token came'), { code: 'ETIMEDOUT' });
  const timer = setTimeout(() => reject(late), msMax);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    signal?.throwIfAborted();
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    work.catch(() => {});
  }
}
