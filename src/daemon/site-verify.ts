import type { Catalog } from '../catalog/catalog.ts';
import type { CodecPool } from '../codec/pool.ts';
import type { Clock } from '../lib/clock.ts';
import { explain, messageOf, OperatorError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { countFailure, type Metrics } from '../lib/metrics.ts';
import type { StorageOptions } from '../storage/options.ts';
import { DailyBudget } from '../verify/budget.ts';
import type { Finding } from '../verify/finding.ts';
import type { VerifyOptions } from '../verify/options.ts';
import type { VerifyReport } from '../verify/report.ts';
import { verifySite } from '../verify/verify-site.ts';

export interface SiteVerifyDeps {
  readonly site: string;
  readonly catalog: Catalog;
  /** The same store, for workers. */
  readonly storage: StorageOptions;
  readonly privateKeys: Readonly<Record<string, string>>;
  readonly options: VerifyOptions;
  /** That for base backups: WAL that somebody waits for is not held up. */
  readonly pool: Pick<CodecPool, 'run' | 'threads'>;
  /** It is for this daemon to do. */
  readonly isOwn: () => boolean;
  /** Nothing that somebody waits for is going on. */
  readonly isQuiet: () => boolean;
  /** Runs something that may hang, and gives it up where it makes no progress. */
  readonly watch: <T>(work: (signal: AbortSignal, progress: () => void) => Promise<T>) => Promise<T>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What is known of a site's objects. */
export interface VerifyState {
  /** Undefined until something was found out. */
  readonly report: Pick<VerifyReport, 'damaged' | 'oldestProof' | 'unproven' | 'ended'> | undefined;
}

const dayMs = 86_400_000;
const lookMs = 60_000;
/** Each pass lists what is stored. */
const passMs = 15 * 60_000;
const quietMs = 1_000;

/** Reads again what a site has stored, a budget a day, for as long as nothing else is to be done. */
export class SiteVerify {
  readonly #deps: SiteVerifyDeps;
  readonly #budget: DailyBudget;
  #report: VerifyReport | undefined;
  #passedMs = Number.NEGATIVE_INFINITY;
  #told = '';
  readonly #toldOf = new Set<string>();

  constructor(deps: SiteVerifyDeps) {
    this.#deps = deps;
    this.#budget = new DailyBudget(deps.options.bytes_per_day, deps.clock.monotonicMs());
  }

  get state(): VerifyState {
    return { report: this.#report };
  }

  /** Until its signal is aborted. Never rejects. */
  async run(): Promise<void> {
    const { clock, signal } = this.#deps;
    while (!signal.aborted) {
      await clock.sleep(lookMs, signal).catch(() => {});
      if (!signal.aborted) await this.step();
    }
  }

  /** A pass over the site, where one is due. Never rejects. */
  async step(): Promise<void> {
    const { clock, isOwn, isQuiet, watch, signal } = this.#deps;
    this.#budget.passTo(clock.monotonicMs());
    // What was damaged may be gone, which a listing tells.
    const isOfUse = !this.#budget.isUsedUp || (this.#report?.damaged.length ?? 0) > 0;
    if (!isOwn() || !isQuiet() || !isOfUse || clock.monotonicMs() - this.#passedMs < passMs) return;
    try {
      this.#report = await watch((limited, progress) => this.#pass(limited, progress));
      this.#tell(this.#report);
      this.#told = '';
    } catch (error) {
      if (!signal.aborted) this.#complain(error);
    }
    this.#passedMs = clock.monotonicMs();
  }

  async #pass(signal: AbortSignal, progress: () => void): Promise<VerifyReport> {
    const { site, catalog, storage, privateKeys, options, pool, metrics, clock } = this.#deps;
    const before = clock.now().getTime() - options.again_after_days * dayMs;
    return verifySite(
      { again: (provenAt) => provenAt.getTime() < before },
      {
        site,
        catalog,
        storage,
        privateKeys,
        pool,
        budget: this.#budget,
        whenQuiet: () => this.#whenQuiet(signal, progress),
        onFinding: (finding) => this.#found(finding),
        onBytes: (bytes) => {
          progress();
          metrics.increase('pghoard.verify_bytes', bytes, { site });
        },
        clock,
        signal,
      },
    );
  }

  async #whenQuiet(signal: AbortSignal, progress: () => void): Promise<void> {
    const { isOwn, isQuiet, clock, site } = this.#deps;
    for (;;) {
      progress();
      if (!isOwn()) throw new OperatorError('lease-elsewhere', `site ${site} is for another daemon to verify now`);
      if (isQuiet()) return;
      await clock.sleep(quietMs, signal);
    }
  }

  /** Each is told once, as long as it lasts. */
  #found({ severity, object, what, code }: Finding): void {
    const { site, log } = this.#deps;
    const text = `${object}: ${what}`;
    if (this.#toldOf.has(text)) return;
    this.#toldOf.add(text);
    if (severity === 'damaged') log.error({ site, object, code }, `something that is stored is damaged: ${text}`);
    else log.warn({ site, object, code }, `something that is stored is not as it should be: ${text}`);
  }

  #tell({ read, damaged, stoppedBy, because }: VerifyReport): void {
    const { site, log } = this.#deps;
    const known = new Set(damaged.map(({ object, what }) => `${object}: ${what}`));
    if (stoppedBy === undefined) for (const text of this.#toldOf) if (!known.has(text)) this.#toldOf.delete(text);
    if (read.bytes > 0) log.debug({ site, objects: read.objects, bytes: read.bytes }, 'read again what is stored');
    if (stoppedBy === 'store' && because !== undefined) this.#complain(new Error(because));
  }

  #complain(error: unknown): void {
    const { site, log, metrics } = this.#deps;
    const text = explain(error);
    countFailure(metrics, 'handle_download', error);
    if (text !== this.#told) log.warn({ site }, `what is stored could not be read again: ${messageOf(error)}`);
    this.#told = text;
  }
}
