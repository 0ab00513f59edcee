import type { Clock } from '../../lib/clock.ts';
import { explain, isOperatorError, messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { delayAfterMs, type RetryPolicy } from '../../lib/retry.ts';
import type { AlertEvent } from './alert-event.ts';
import { emptyOutbox, type Outbox, withEvent, withoutEvent } from './outbox.ts';

/** How events get to somebody. */
export interface Way {
  /** Where they go, without secrets. */
  readonly to: string;
  readonly minSeverity: AlertEvent['severity'];
  readonly deliver: (event: AlertEvent, signal: AbortSignal) => Promise<void>;
}

export interface ChannelDeps {
  /** Names it in the log, in `/status`, and over a restart. */
  readonly id: string;
  readonly way: Way;
  readonly outbox?: Outbox;
  /** What waits is another now. */
  readonly onChange: () => void;
  /** Resolves once that has been written down, or cannot be. Who was told of an alert must also hear of its end, whatever happens to this process. */
  readonly saved: () => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface ChannelView {
  readonly channel: string;
  readonly to: string;
  readonly waiting: number;
  readonly omitted: number;
  readonly failing_since: string | null;
  readonly because: string | null;
}

const policy: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMsFirst: 2_000, delayMsMax: 300_000 };
/** Before something goes that is refused for what it is. */
const refusalsMax = 5;
const severities = ['info', 'warning', 'critical'];

/** Delivers events one after the other, each as often as it takes, and remembers those that are not delivered yet. */
export class Channel {
  readonly id: string;
  readonly #deps: ChannelDeps;
  readonly #end = new AbortController();
  #way: Way;
  #outbox: Outbox;
  #wake = new AbortController();
  #running: Promise<void>;
  #failures = 0;
  #failingSince: Date | undefined;
  #because: string | undefined;

  constructor(deps: ChannelDeps) {
    this.id = deps.id;
    this.#deps = deps;
    this.#way = deps.way;
    this.#outbox = deps.outbox ?? emptyOutbox;
    this.#running = this.#run();
  }

  get outbox(): Outbox {
    return this.#outbox;
  }

  get view(): ChannelView {
    return {
      channel: this.id,
      to: this.#way.to,
      waiting: this.#outbox.waiting.length,
      omitted: this.#outbox.omitted,
      failing_since: this.#failingSince?.toISOString() ?? null,
      because: this.#because ?? null,
    };
  }

  /** From now on they go that way; what waits is tried again at once. */
  use(way: Way): void {
    this.#way = way;
    this.#wake.abort();
  }

  add(event: AlertEvent): void {
    if (severities.indexOf(event.severity) < severities.indexOf(this.#way.minSeverity)) return;
    this.#change(withEvent(this.#outbox, event));
    // One that fails is left alone until its time has come.
    if (this.#failures === 0) this.#wake.abort();
  }

  /** What is under way may be delivered again later. */
  async close(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#end.signal.aborted) {
      this.#wake = new AbortController();
      const [next] = this.#outbox.waiting;
      const delayMs = next === undefined ? undefined : await this.#deliver(next);
      if (delayMs !== 0) await this.#pause(delayMs);
    }
  }

  /** Returns how long to wait before the next. */
  async #deliver(event: AlertEvent): Promise<number> {
    try {
      await this.#deps.saved();
      await this.#way.deliver(event, this.#end.signal);
      this.#delivered(event);
      return 0;
    } catch (error) {
      if (this.#end.signal.aborted) return 0;
      return this.#failed(event, error);
    }
  }

  #delivered({ id }: AlertEvent): void {
    const { log } = this.#deps;
    if (this.#failures > 0) log.info({ channel: this.id, waiting: this.#outbox.waiting.length - 1 }, 'alerts are delivered again');
    if (this.#outbox.omitted > 0) log.warn({ channel: this.id, omitted: this.#outbox.omitted }, 'events were left out: too many waited');
    this.#failures = 0;
    this.#failingSince = undefined;
    this.#because = undefined;
    this.#change(withoutEvent(this.#outbox, id, true));
  }

  #failed(event: AlertEvent, error: unknown): number {
    const { clock, random, log, id } = this.#deps;
    this.#failures++;
    this.#failingSince ??= clock.now();
    const because = messageOf(error);
    if (because !== this.#because) log.error({ channel: id, event: event.id }, `an alert could not be delivered: ${explain(error)}`);
    this.#because = because;
    if (isOperatorError(error) && !error.retryable && this.#failures >= refusalsMax) {
      log.error({ channel: id, event: event.id }, `an alert is given up, because it is refused: ${event.summary}`);
      this.#failures = 0;
      this.#change(withoutEvent(this.#outbox, event.id, false));
    }
    return delayAfterMs(error, Math.max(1, this.#failures), policy, random);
  }

  #change(outbox: Outbox): void {
    this.#outbox = outbox;
    this.#deps.onChange();
  }

  /** Undefined: until there is something to do. */
  async #pause(delayMs: number | undefined): Promise<void> {
    const signal = AbortSignal.any([this.#end.signal, this.#wake.signal]);
    if (delayMs !== undefined) return this.#deps.clock.sleep(delayMs, signal).catch(() => {});
    if (signal.aborted) return;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
}
