import type { Clock } from '../../lib/clock.ts';
import { explain, isOperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { WalSegment } from '../../postgres/wal-name.ts';
import type { ArchiveMap, WalPosition } from './archive-map.ts';
import { archivedUpTo } from './local-wal.ts';

export interface ArchiveWatchDeps {
  readonly site: string;
  readonly map: ArchiveMap;
  /** Of a server on this host that archives to the site with archive_command: it knows what it has handed over. */
  readonly archivingDirectory: string | undefined;
  /** Up to where the primary has written, as it said last. */
  readonly written: () => WalPosition | undefined;
  /** See `wal_listing_seconds`. */
  readonly partSeconds: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The store is listed as a whole so often; what we store ourselves is known at once, what vanishes by parts. */
const surveyMs = 6 * 3_600_000;
/** At first, and twice as long after each that failed: a new site's bucket is made in a moment. */
const surveyRetryMs = 5_000;
const surveyRetryMsMax = 3_600_000;
/** Listed again in between: the newest ones, and of the others a part after the other. */
const partSegmentsMax = 10_000;
const historiesMs = 60_000;
const localMs = 60_000;
/** WAL that another daemon stores is not to be taken for missing until the next survey. */
const aheadMs = 60_000;

/** Keeps an {@link ArchiveMap} current. */
export class ArchiveWatch {
  readonly #deps: ArchiveWatchDeps;
  #surveyAtMs = Number.NEGATIVE_INFINITY;
  #historiesAtMs = Number.NEGATIVE_INFINITY;
  #localAtMs = Number.NEGATIVE_INFINITY;
  #aheadAtMs = Number.NEGATIVE_INFINITY;
  #partAtMs = Number.NEGATIVE_INFINITY;
  /** With which the next part begins; undefined: the first one. */
  #partFrom: WalSegment | undefined;
  #surveyed: Date | undefined;
  /** Surveys in a row that told nothing. */
  #failures = 0;
  /** Why it could not be found out, the last time it could not. */
  #told = '';

  constructor(deps: ArchiveWatchDeps) {
    this.#deps = deps;
  }

  /** When everything was listed last. */
  get surveyed(): Date | undefined {
    return this.#surveyed;
  }

  /** Has everything listed at the next look. */
  outdate(): void {
    this.#surveyAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Does what is due. What fails is told, and tried again after a while. */
  async refresh(): Promise<void> {
    const { map, clock } = this.#deps;
    const now = clock.monotonicMs();
    // Where it cannot be found out now nothing has changed.
    const isOfOthers = await map.isOfOthers().catch(() => false);
    if (now >= this.#surveyAtMs || isOfOthers) {
      const hasSucceeded = (await this.#attempt(() => this.survey())) && typeof map.view !== 'string';
      this.#failures = hasSucceeded ? 0 : this.#failures + 1;
      this.#partAtMs = now + this.#deps.partSeconds * 1000;
      this.#surveyAtMs = now + (hasSucceeded ? surveyMs : Math.min(surveyRetryMs * 2 ** (this.#failures - 1), surveyRetryMsMax));
    }
    if (typeof map.view === 'string') return;
    if (now >= this.#partAtMs) {
      await this.#attempt(() => this.#listParts());
      this.#partAtMs = now + this.#deps.partSeconds * 1000;
    }
    await this.#lookAhead(now);
    if (map.hasNewHistory || now >= this.#historiesAtMs) {
      await this.#attempt(() => map.readHistories());
      this.#historiesAtMs = now + historiesMs;
    }
    if (now >= this.#localAtMs) {
      await this.#attempt(() => this.#lookAtServer());
      this.#localAtMs = now + localMs;
    }
  }

  async #lookAhead(now: number): Promise<void> {
    const { map, written } = this.#deps;
    const position = written();
    if (position === undefined || now < this.#aheadAtMs || !map.isBehind(position)) return;
    await this.#attempt(() => map.lookAhead(position.timeline));
    this.#aheadAtMs = now + aheadMs;
  }

  /** What vanishes from the store is to be noticed soon, whatever the size of it. */
  async #listParts(): Promise<void> {
    const { map } = this.#deps;
    const from = this.#partFrom;
    this.#partFrom = await map.listPart(from, partSegmentsMax);
    const isWhole = from === undefined && this.#partFrom === undefined;
    if (!isWhole) await map.listPart(map.newestPart(partSegmentsMax), partSegmentsMax);
  }

  async survey(): Promise<void> {
    const { map, clock, log, site } = this.#deps;
    const begun = clock.monotonicMs();
    await map.survey();
    this.#surveyed = clock.now();
    log.debug({ site, ms: Math.round(clock.monotonicMs() - begun) }, 'listed the WAL that is stored');
  }

  async #lookAtServer(): Promise<void> {
    const { archivingDirectory, map } = this.#deps;
    const archived = archivingDirectory === undefined ? undefined : await archivedUpTo(archivingDirectory);
    if (archived !== undefined) map.reached(archived.next, archived.since);
  }

  /** The bucket of a new site, which is made before the first object goes there. */
  #mayBeMadeYet(error: unknown): boolean {
    return isOperatorError(error, 'store-missing') && this.#surveyed === undefined && this.#failures === 0;
  }

  async #attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const { log, site, signal } = this.#deps;
      const because = explain(error);
      if (this.#mayBeMadeYet(error)) {
        log.debug({ site }, `nothing is stored yet: ${because}`);
        return false;
      }
      if (!signal.aborted && because !== this.#told) log.warn({ site }, `cannot find out which WAL is stored: ${because}`);
      this.#told = because;
      return false;
    }
  }
}
