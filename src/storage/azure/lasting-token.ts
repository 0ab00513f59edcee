import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/identity';
import { type Clock, systemClock } from '../../lib/clock.ts';

/** A token is renewed so long before its end, while requests still use it. */
const renewBeforeEndMs = 5 * 60_000;
/** With less than that left it is not used any more. */
const usableMs = 5_000;
/** After a renewal that failed. */
const retryMs = 30_000;

/**
 * Keeps the token of an identity, and renews it in time. The SDK would do so itself, but waits without end for whoever hands tokens out, whatever the signal
 * says; and where they hand out none as the old one runs out, nobody hears of that failure, which ends the process. So it is told that each token has run out
 * already: then it asks here for every request, and renews nothing on its own.
 */
export class LastingToken implements TokenCredential {
  readonly #identity: TokenCredential;
  readonly #answerMsMax: number;
  readonly #clock: Clock;
  #held: AccessToken | undefined;
  #asking: Promise<AccessToken> | undefined;
  #askAgainAtMs = 0;

  constructor(identity: TokenCredential, answerMsMax: number, clock: Clock = systemClock) {
    this.#identity = identity;
    this.#answerMsMax = answerMsMax;
    this.#clock = clock;
  }

  async getToken(scopes: string | string[], options: GetTokenOptions = {}): Promise<AccessToken> {
    // One request's own wish, such as another tenant, which the store has asked for.
    if (options.claims !== undefined || options.tenantId !== undefined) this.#held = undefined;
    const nowMs = this.#clock.now().getTime();
    const held = this.#held;
    if (!held || held.expiresOnTimestamp - nowMs < usableMs) return withoutEnd(await this.#renewed(scopes, options));
    if (nowMs >= this.#renewAtMs(held)) this.#renewed(scopes, options).catch(() => {});
    return withoutEnd(held);
  }

  #renewAtMs({ expiresOnTimestamp, refreshAfterTimestamp }: AccessToken): number {
    return Math.max(this.#askAgainAtMs, Math.min(refreshAfterTimestamp ?? expiresOnTimestamp, expiresOnTimestamp - renewBeforeEndMs));
  }

  #renewed(scopes: string | string[], options: GetTokenOptions): Promise<AccessToken> {
    this.#asking ??= this.#ask(scopes, options).finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /** For all requests, so the signal of one does not count. */
  async #ask(scopes: string | string[], options: GetTokenOptions): Promise<AccessToken> {
    const wishes = { ...options };
    delete wishes.abortSignal;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(noToken(this.#answerMsMax)), this.#answerMsMax);
    try {
      const token = await Promise.race([this.#identity.getToken(scopes, wishes), late]);
      if (!token) throw noToken(0);
      this.#held = token;
      return token;
    } catch (error) {
      this.#askAgainAtMs = this.#clock.now().getTime() + retryMs;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

function withoutEnd(token: AccessToken): AccessToken {
  return { token: token.token, expiresOnTimestamp: 0, ...(token.tokenType && { tokenType: token.tokenType }) };
}

function noToken(waitedMs: number): Error {
  return Object.assign(new Error(`no token came within ${waitedMs / 1000} s`), { code: 'ETIMEDOUT' });
}
