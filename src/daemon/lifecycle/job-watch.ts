import type { Clock } from '../../lib/clock.ts';
import { OperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Alerts } from '../alerts/alerts.ts';
import type { JobKind, StalledAfterOptions } from './options.ts';
import { afterBeat, noSilence, type Silence } from './silence.ts';

export interface JobWatchDeps {
  readonly alerts: Pick<Alerts, 'raise' | 'clear'>;
  readonly metrics: Metrics;
  /** As they are now: a reload may change them. */
  readonly deadlines: () => StalledAfterOptions;
  readonly clock: Clock;
  readonly log: Log;
}

export interface JobInBrief {
  readonly site: string;
  readonly kind: JobKind;
  /** For people: `the listing of base backups`. */
  readonly what: string;
}

/** Something that is watched from its beginning to its end. */
export interface WatchedJob {
  /** It got on. */
  readonly progress: () => void;
  readonly end: () => void;
}

interface Watched extends JobInBrief {
  readonly onStall: (why: OperatorError) => void;
  heard: boolean;
  silence: Silence;
  deadlineMs: number;
}

const beatMs = 1000;
/** How long a job that hangs may take to stop until it is left to itself. */
const stalledMsMax = 5_000;
/** The same for one that may be well: who wants it to stop waits for what it is doing just now. */
const stoppedMsMax = 30_000;

/**
 * Watches over everything that may hang: on a dead disk or NFS server, a stopped process, a store. A job without progress is told of (`job_stalled`) until it goes on or
 * ends, and is asked to stop; one that does not even do that is left to itself, so that whoever waits for it can go on with something else.
 */
export class JobWatch {
  readonly #deps: JobWatchDeps;
  readonly #jobs = new Set<Watched>();
  readonly #end = new AbortController();
  #told = new Map<string, string>();
  #beating: Promise<void> = Promise.resolve();

  constructor(deps: JobWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#beating = this.#beat();
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#beating;
  }

  /** What hangs so that only a restart helps, in words. */
  get hanging(): string | undefined {
    const job = this.#stalled.find(({ kind }) => kind === 'site');
    return job && inWords(job);
  }

  /** `onStall`: called at the deadline with the error that is to end the job. */
  begin(job: JobInBrief, onStall: (why: OperatorError) => void = () => {}): WatchedJob {
    const watched: Watched = { ...job, onStall, heard: false, silence: noSilence, deadlineMs: 0 };
    this.#jobs.add(watched);
    return {
      progress: () => void (watched.heard = true),
      end: () => void this.#jobs.delete(watched),
    };
  }

  /**
   * Runs something that may hang. At its deadline its signal is aborted, and soon after this rejects with `job-stalled`, whether or not it has stopped. As long as it has
   * not, another of its kind is not begun for the site, but rejects at once. An abort by the caller is waited for in the same way, but longer.
   */
  async run<T>(about: JobInBrief, signal: AbortSignal, work: (signal: AbortSignal, progress: () => void) => Promise<T>): Promise<T> {
    const left = this.#stalled.find(({ site, kind }) => site === about.site && kind === about.kind);
    if (left) throw stalled(left);
    const stall = new AbortController();
    const job = this.begin(about, (why) => stall.abort(why));
    const working = work(AbortSignal.any([signal, stall.signal]), job.progress).finally(job.end);
    return Promise.race([working, this.#leftAlone(stall.signal, stalledMsMax, working), this.#leftAlone(signal, stoppedMsMax, working)]);
  }

  get #stalled(): readonly Watched[] {
    return [...this.#jobs].filter(({ silence }) => silence.isTold);
  }

  /** Rejects a while after the signal is aborted; never settles before. */
  #leftAlone(signal: AbortSignal, afterMs: number, working: Promise<unknown>): Promise<never> {
    const ended = new AbortController();
    const left = Promise.withResolvers<never>();
    const leave = async () => {
      await this.#deps.clock.sleep(afterMs, ended.signal);
      left.reject(signal.reason);
    };
    const onAbort = () => void leave().catch(() => {});
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const settled = () => {
      ended.abort();
      signal.removeEventListener('abort', onAbort);
    };
    working.then(settled, settled);
    return left.promise;
  }

  async #beat(): Promise<void> {
    const { clock } = this.#deps;
    for (let lastMs = clock.monotonicMs(); !this.#end.signal.aborted; ) {
      await clock.sleep(beatMs, this.#end.signal).catch(() => {});
      const nowMs = clock.monotonicMs();
      this.#look(nowMs - lastMs);
      await this.#tell();
      lastMs = nowMs;
    }
  }

  #look(elapsedMs: number): void {
    const { deadlines, log, metrics } = this.#deps;
    for (const job of this.#jobs) {
      job.deadlineMs = deadlines()[job.kind] * 1000;
      const { silence, step } = afterBeat(job.silence, { elapsedMs, heard: job.heard, deadlineMs: job.deadlineMs }, 2 * beatMs);
      job.silence = silence;
      job.heard = false;
      if (step === 'take-back') log.info({ site: job.site }, `${job.what} goes on`);
      if (step !== 'tell') continue;
      metrics.increase('pghoard.job_stalled', 1, { site: job.site, job: job.kind });
      job.onStall(stalled(job));
    }
  }

  /** Alerts that have changed. */
  async #tell(): Promise<void> {
    const { alerts } = this.#deps;
    const causes = Map.groupBy(this.#stalled, ({ site }) => site);
    const now = new Map([...causes].map(([site, jobs]) => [site, jobs.map(({ what }) => what).join(', ')]));
    for (const site of new Set([...now.keys(), ...this.#told.keys()])) {
      const what = now.get(site);
      if (what === this.#told.get(site)) continue;
      if (what === undefined) await alerts.clear('job_stalled', site);
      else await alerts.raise('job_stalled', site, `no progress any more: ${what}`);
    }
    this.#told = now;
  }
}

function stalled(job: Watched): OperatorError {
  return new OperatorError('job-stalled', inWords(job), {
    retryable: true,
    hint: 'Look for a disk, a mount, a server or a process that does not answer. Everything else goes on; see stalled_after_seconds.',
  });
}

/** The same words as long as it hangs. */
function inWords({ what, deadlineMs }: Watched): string {
  return `${what} has made no progress for ${deadlineMs / 1000} s and more`;
}
