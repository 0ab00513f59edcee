import type { SiteConfig } from '../../config/load.ts';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { HeartbeatDecision } from './heartbeat-decision.ts';
import { callHttp, shownUrl } from './http-call.ts';

export type HeartbeatOptions = Pick<
  SiteConfig,
  'heartbeat_url' | 'heartbeat_fail_url' | 'heartbeat_interval_seconds' | 'heartbeat_max_age_seconds'
>;

export interface HeartbeatDeps {
  readonly site: string;
  /** As it is now; undefined: there is none. */
  readonly options: () => HeartbeatOptions | undefined;
  readonly decide: () => HeartbeatDecision;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** For `/status`. */
export interface HeartbeatView {
  readonly to: string;
  /** When it was called last with success. */
  readonly called_at: string | null;
  readonly is_well: boolean;
  /** Why it is called, or not. */
  readonly because: string;
  /** Why the call failed. */
  readonly failure: string | null;
}

const answerMsMax = 10_000;
const retryMs = 5_000;
/** While there is none to call, how often is looked whether there is one now. */
const idleMs = 1_000;

/** Calls the address of a site again and again, as long as the site is well: who listens there tells somebody once it becomes silent. */
export class Heartbeat {
  readonly #deps: HeartbeatDeps;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  #calledAt: Date | undefined;
  #decision: HeartbeatDecision = { isWell: false, because: 'just started' };
  #failure: string | undefined;
  #isToldWell: boolean | undefined;

  constructor(deps: HeartbeatDeps) {
    this.#deps = deps;
    this.#running = this.#run();
  }

  get view(): HeartbeatView | undefined {
    const url = this.#deps.options()?.heartbeat_url;
    if (!url) return undefined;
    const { isWell, because } = this.#decision;
    return {
      to: shownUrl(url),
      called_at: this.#calledAt?.toISOString() ?? null,
      is_well: isWell,
      because,
      failure: this.#failure ?? null,
    };
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, options } = this.#deps;
    while (!this.#end.signal.aborted) {
      const now = options();
      const delayMs = now?.heartbeat_url ? await this.#beat(now) : idleMs;
      await clock.sleep(delayMs, this.#end.signal).catch(() => {});
    }
  }

  /** Returns how long to wait before the next. */
  async #beat({ heartbeat_url: url, heartbeat_fail_url: failUrl, heartbeat_interval_seconds: seconds }: HeartbeatOptions): Promise<number> {
    this.#decide();
    const target = this.#decision.isWell ? url : failUrl;
    const intervalMs = seconds * 1000;
    // Soon after it is well again somebody must hear of it, however long the interval is.
    const soonMs = Math.min(intervalMs, retryMs);
    if (target === null) return soonMs;
    const failure = await this.#call(target);
    this.#tellCall(failure);
    if (failure === undefined && this.#decision.isWell) this.#calledAt = this.#deps.clock.now();
    return failure === undefined ? intervalMs : soonMs;
  }

  #decide(): void {
    const { site, decide, log } = this.#deps;
    this.#decision = decide();
    const { isWell, because } = this.#decision;
    if (isWell === this.#isToldWell) return;
    log[isWell ? 'info' : 'warn']({ site }, isWell ? `the heartbeat is sent: ${because}` : `no heartbeat is sent: ${because}`);
    this.#isToldWell = isWell;
  }

  async #call(url: string): Promise<string | undefined> {
    const { version } = this.#deps;
    const headers = { 'user-agent': `pghoard/${version}` };
    try {
      await callHttp({ method: 'GET', url, headers, timeoutMs: answerMsMax, signal: this.#end.signal });
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  #tellCall(failure: string | undefined): void {
    const { site, log } = this.#deps;
    if (this.#end.signal.aborted || failure === this.#failure) return;
    if (failure === undefined) log.info({ site }, 'the heartbeat arrives again');
    else log.error({ site }, `the heartbeat does not arrive: ${failure}`);
    this.#failure = failure;
  }
}
