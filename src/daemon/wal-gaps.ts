import type { SiteConfig } from '../config/load.ts';
import { explain } from '../lib/errors.ts';
import type { WalHole } from '../wal/receive/receiver.ts';
import type { DaemonParts } from './daemon-parts.ts';
import type { SiteLoop } from './site-loop.ts';

export interface WalGapsDeps {
  readonly parts: Pick<DaemonParts, 'alerts' | 'clock' | 'log'>;
  readonly site: SiteConfig;
  readonly loop: Pick<SiteLoop, 'listing' | 'requestBasebackup'>;
  /** Received files that were set aside. */
  readonly rejected: () => readonly string[];
}

const beatMs = 1000;

/** Keeps the holes of a site in view: an alert as long as what was written behind one cannot be restored, and a base backup that ends that. */
export class WalGaps {
  readonly #deps: WalGapsDeps;
  readonly #end = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #hole: WalHole | undefined;
  #isRequested = false;
  /** What was told last; null before anything was. */
  #told: string | undefined | null = null;

  constructor(deps: WalGapsDeps) {
    this.#deps = deps;
  }

  get hole(): WalHole | undefined {
    return this.#hole;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  /** A receiver had to leave out WAL. */
  report(hole: WalHole): void {
    const { parts, site } = this.#deps;
    // One that is still open reaches from its beginning to the end of this one.
    this.#hole = this.#hole === undefined ? hole : { ...hole, from: this.#hole.from };
    this.#isRequested = false;
    parts.log.error({ site: site.name, from: hole.from, to: hole.to }, `${inWords(this.#hole)}; receiving goes on behind it`);
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps.parts;
    while (!this.#end.signal.aborted) {
      await this.#look().catch((error: unknown) => log.error({ site: this.#deps.site.name }, explain(error)));
      await clock.sleep(beatMs, this.#end.signal).catch(() => {});
    }
  }

  async #look(): Promise<void> {
    if (this.#hole !== undefined) this.#lookAt(this.#hole);
    const because = this.#inWords();
    if (because === this.#told) return;
    const { parts, site } = this.#deps;
    this.#told = because;
    await (because === undefined ? parts.alerts.clear('wal_gap', site.name) : parts.alerts.raise('wal_gap', site.name, because));
  }

  #lookAt(hole: WalHole): void {
    const { parts, site, loop } = this.#deps;
    const isHarmless = loop.listing?.entries.some(({ startTime }) => startTime > hole.noticed);
    if (isHarmless) {
      this.#hole = undefined;
      parts.log.info({ site: site.name, ...hole }, 'a base backup from after the hole in the WAL is complete');
    } else if (isHarmless === false && !this.#isRequested) {
      this.#isRequested = true;
      this.#requestBasebackup();
    }
  }

  /** Whoever takes base backups by hand is told to. */
  #requestBasebackup(): void {
    const { parts, site, loop } = this.#deps;
    if (site.basebackup_interval_hours !== null) loop.requestBasebackup();
    else parts.log.error({ site: site.name }, 'take a base backup: WAL before it is missing, and basebackup_interval_hours is null');
  }

  #inWords(): string | undefined {
    const rejected = this.#deps.rejected();
    const parts = [
      ...(this.#hole === undefined ? [] : [inWords(this.#hole)]),
      ...(rejected.length === 0 ? [] : [`${rejected.length} received WAL files were set aside: ${rejected.slice(0, 5).join(', ')}`]),
    ];
    return parts.length === 0 ? undefined : parts.join('; ');
  }
}

function inWords({ from, to }: WalHole): string {
  return `WAL is missing from ${from ?? 'an unknown segment'} until ${to}: nothing between can be restored, until a new base backup is complete`;
}
