import type { Clock } from '../../lib/clock.ts';
import { explain, messageOf, type OperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { countFailure, type Metrics } from '../../lib/metrics.ts';

export interface ReceiverStandingDeps {
  readonly site: string;
  /** A failure that a person should know of; it is repeated as long as it lasts. Returns whether the log has it by that. */
  readonly onTrouble: (error: OperatorError) => boolean;
  readonly onRunning: () => void;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** What may pass by itself is worth an alert when it has not by then. */
const failuresBeforeAlert = 3;

/** Whether WAL arrives and why it does not, and who is told of that. */
export class ReceiverStanding {
  readonly #deps: ReceiverStandingDeps;
  #lastFailure: OperatorError | undefined;
  #isRunning = false;
  #failures = 0;
  #latestActivity: Date;
  #because = 'just started';

  constructor(deps: ReceiverStandingDeps) {
    this.#deps = deps;
    this.#latestActivity = deps.clock.now();
  }

  /** WAL arrives, or would if the server wrote any. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** In a row, without WAL having arrived in between. */
  get failures(): number {
    return this.#failures;
  }

  /** When it was last seen running, or was made. */
  get latestActivity(): Date {
    return this.#latestActivity;
  }

  get because(): string {
    return this.#because;
  }

  /** WAL arrives, `from` there on, in words. */
  settled(from: string): void {
    const { log, site, onRunning } = this.#deps;
    this.#isRunning = true;
    this.#failures = 0;
    this.#lastFailure = undefined;
    this.#because = `receiving since ${from}`;
    log.info({ site }, `receiving WAL from ${from}`);
    onRunning();
  }

  /** It is running, and has just been looked at. */
  seen(): void {
    if (this.#isRunning) this.#latestActivity = this.#deps.clock.now();
  }

  /** An attempt to receive has ended, for whatever reason. */
  ended(): void {
    this.#isRunning = false;
  }

  failed(): void {
    this.#failures++;
  }

  /** It cannot begin yet. */
  waits(why: OperatorError): void {
    this.#because = messageOf(why);
    this.#deps.onTrouble(why);
  }

  paused(isPaused: boolean, because: string): void {
    this.#isRunning = !isPaused;
    this.#because = because;
  }

  /** Once in the log for each cause; the alert is kept up. */
  report(failure: OperatorError): void {
    const { log, site, metrics, onTrouble } = this.#deps;
    countFailure(metrics, 'walreceiver_run', failure);
    const isNew = this.#lastFailure?.code !== failure.code;
    this.#lastFailure = failure;
    this.#because = messageOf(failure);
    const isWorthAlert = !failure.retryable || this.#failures >= failuresBeforeAlert;
    const isTold = isWorthAlert && onTrouble(failure);
    if (isNew && !isTold) log.error({ site }, `WAL is not being received: ${explain(failure)}`);
  }
}
