import { type Clock, systemClock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { systemRandom } from '../lib/random.ts';
import { type RetryPolicy, retry } from '../lib/retry.ts';
import { withoutLogin } from '../lib/url-login.ts';
import type { RequestObserver, StoreRequest } from './request-observer.ts';

/** What is not delivered yet; beyond that it is not told. */
const waitingMax = 1_000;
const answerMsMax = 10_000;
/** At the end, for what still waits. */
const closingMsMax = 2_000;
const deliveryPolicy: RetryPolicy = { attemptsMax: 5, delayMsFirst: 500, delayMsMax: 30_000 };

export interface NotifierOptions {
  /** May have a user and a password. */
  readonly url: string;
  readonly log: Log;
  readonly clock?: Clock;
  readonly policy?: RetryPolicy;
}

/**
 * Posts a JSON object to another service for each upload and deletion, one after the other. That service can neither delay nor fail a backup: what it does not
 * take is left out, and the log says so.
 */
export class Notifier implements RequestObserver {
  readonly #url: URL;
  readonly #headers: Record<string, string>;
  readonly #options: NotifierOptions;
  readonly #closing = new AbortController();
  readonly #waiting: string[] = [];
  #delivering: Promise<void> | undefined;
  #lost = 0;

  constructor(options: NotifierOptions) {
    this.#options = options;
    const { url, headers } = withoutLogin(options.url);
    this.#url = url;
    this.#headers = { 'content-type': 'application/json', ...headers };
  }

  ended(request: StoreRequest): void {
    if (request.outcome !== 'ok' || this.#closing.signal.aborted) return;
    for (const notice of noticesOf(request)) {
      if (this.#waiting.length >= waitingMax) this.#lose(`more than ${waitingMax} notices wait`);
      else this.#waiting.push(JSON.stringify(notice));
    }
    if (this.#waiting.length > 0) this.#delivering ??= this.#deliver().finally(() => (this.#delivering = undefined));
  }

  async close(): Promise<void> {
    const limit = new AbortController();
    const { clock = systemClock } = this.#options;
    await Promise.race([this.#delivering, clock.sleep(closingMsMax, limit.signal).catch(() => {})]);
    limit.abort();
    this.#closing.abort();
    await this.#delivering;
  }

  async #deliver(): Promise<void> {
    const { signal } = this.#closing;
    const { clock = systemClock, policy = deliveryPolicy } = this.#options;
    for (let notice = this.#waiting.shift(); notice !== undefined; notice = this.#waiting.shift()) {
      const body = notice;
      try {
        await retry(() => this.#post(body), policy, { signal, clock, random: systemRandom, isRetryable: () => true });
        this.#delivered();
      } catch (error) {
        this.#lose(signal.aborted ? 'pghoard stops' : messageOf(error));
      }
    }
  }

  async #post(body: string): Promise<void> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(answerMsMax)]);
    const answer = await fetch(this.#url, { method: 'POST', headers: this.#headers, body, redirect: 'error', signal });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
  }

  #delivered(): void {
    if (this.#lost > 0)
      this.#options.log.info({ notifier: this.#url.host, lost: this.#lost }, 'notices of uploads and deletions are delivered again');
    this.#lost = 0;
  }

  #lose(because: string): void {
    if (this.#lost++ === 0)
      this.#options.log.warn({ notifier: this.#url.host, because }, 'notices of uploads and deletions are not delivered');
  }
}

function noticesOf({ operation, key, entry, deletedKeys = [] }: StoreRequest): readonly object[] {
  if (operation === 'put') return [{ op: 'UPLOAD', key, size: entry?.size, last_modified: entry?.lastModified, metadata: entry?.metadata }];
  const deleted = operation === 'delete' ? [key] : deletedKeys;
  return deleted.map((gone) => ({ op: 'DELETE', key: gone }));
}
