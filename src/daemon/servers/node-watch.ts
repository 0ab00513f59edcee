import type { Clock } from '../../lib/clock.ts';
import { explain, isOperatorError, messageOf, OperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { countFailure, type Metrics } from '../../lib/metrics.ts';
import type { Random } from '../../lib/random.ts';
import { backoffMs, type RetryPolicy } from '../../lib/retry.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { nodeLabel } from '../../postgres/node-label.ts';
import { majorOf } from '../../postgres/versions.ts';
import { untilAborted } from '../../wal/until-aborted.ts';
import type { ServerProbe } from './server-probe.ts';
import type { NodeView, ServerAnswer, ServerSample } from './server-sample.ts';

export interface NodeWatchDeps {
  readonly site: string;
  readonly index: number;
  readonly node: PostgresNode;
  readonly probe: ServerProbe;
  /** Called after each question, answered or not. */
  readonly onAsked: () => void;
  /** Whether the log gets it with an alert. */
  readonly isToldByAlert: (error: OperatorError) => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** Why a server cannot be used. */
export interface NodeFailure {
  readonly error: OperatorError;
  /** Of `Clock.monotonicMs`: since when no question was answered. */
  readonly sinceMs: number;
}

const askEveryMs = 3_000;
/** A server that takes longer to say who it is does nothing else in time either. */
const answerMsMax = 15_000;
const failingPolicy: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMsFirst: 1_000, delayMsMax: 30_000 };

/** Asks one server who it is, again and again, whatever becomes of the others. */
export class NodeWatch {
  readonly label: string;
  readonly #deps: NodeWatchDeps;
  readonly #end = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #sample: ServerSample | undefined;
  #failure: NodeFailure | undefined;
  #failuresInRow = 0;
  #told: string | undefined;

  constructor(deps: NodeWatchDeps) {
    this.#deps = deps;
    this.label = nodeLabel(deps.node.conninfo);
  }

  get view(): NodeView {
    const { index } = this.#deps;
    const obstacle = this.#failure ? messageOf(this.#failure.error) : this.#sample ? undefined : 'it has not answered yet';
    return { index, label: this.label, sample: this.#sample, obstacle };
  }

  /** Whether its first question has come to anything. */
  get isAsked(): boolean {
    return this.#sample !== undefined || this.#failure !== undefined;
  }

  get failure(): NodeFailure | undefined {
    return this.#failure;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, random, onAsked } = this.#deps;
    const { signal } = this.#end;
    while (!signal.aborted) {
      await this.#ask();
      if (signal.aborted) return;
      onAsked();
      const delayMs = this.#failure === undefined ? askEveryMs : backoffMs(Math.min(this.#failuresInRow, 10), failingPolicy, random);
      await clock.sleep(delayMs, signal).catch(() => {});
    }
  }

  async #ask(): Promise<void> {
    const { probe, node, clock } = this.#deps;
    const sampledAt = clock.now();
    try {
      const answer = await this.#within(answerMsMax, (signal) => probe.ask(node, signal));
      this.#answered({ ...answer, sampledAt });
    } catch (error) {
      if (!this.#end.signal.aborted) this.#failed(error);
    }
  }

  async #within(ms: number, ask: (signal: AbortSignal) => Promise<ServerAnswer>): Promise<ServerAnswer> {
    const { clock } = this.#deps;
    const limit = new AbortController();
    const answered = new AbortController();
    clock.sleep(ms, answered.signal).then(
      () => limit.abort(noAnswer(this.label, ms)),
      () => {},
    );
    const signal = AbortSignal.any([this.#end.signal, limit.signal]);
    try {
      return await untilAborted(ask(signal), signal);
    } finally {
      answered.abort();
    }
  }

  #answered(sample: ServerSample): void {
    this.#failure = undefined;
    this.#failuresInRow = 0;
    this.#sample = sample;
    const { site, log } = this.#deps;
    const { role, timeline, pgVersion } = sample;
    const text = `the server ${this.label} is a ${role} of PostgreSQL ${majorOf(pgVersion)}, on timeline ${timeline}`;
    if (text !== this.#told) log.info({ site, pgVersion }, text);
    this.#told = text;
  }

  #failed(error: unknown): void {
    const { site, clock, metrics, isToldByAlert, log } = this.#deps;
    // Whatever it was, it must not end the watch, nor go unseen.
    const known = isOperatorError(error)
      ? error
      : new OperatorError('postgres-unreachable', `asking the server ${this.label} failed`, { cause: error, retryable: true });
    this.#failure = { error: known, sinceMs: this.#failure?.sinceMs ?? clock.monotonicMs() };
    this.#failuresInRow++;
    countFailure(metrics, 'check_pg_server_version', known);
    const isNew = known.code !== this.#told;
    if (isNew && !isToldByAlert(known)) log.warn({ site }, `the server ${this.label} cannot be asked: ${explain(known)}`);
    this.#told = known.code;
  }
}

function noAnswer(label: string, ms: number): OperatorError {
  return new OperatorError('postgres-unreachable', `the server ${label} did not answer within ${ms / 1000} seconds`, {
    retryable: true,
    hint: 'Does it hang, or does the network drop what is sent?',
  });
}
