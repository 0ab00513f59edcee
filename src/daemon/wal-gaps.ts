import type { BasebackupListing } from '../catalog/catalog.ts';
import { needyBackups } from '../catalog/needy-backups.ts';
import { type WalArchiveView } from '../catalog/wal-archive-view.ts';
import type { SiteConfig } from '../config/load.ts';
import { explain, isOperatorError } from '../lib/errors.ts';
import type { ArchiveMap } from '../wal/gaps/archive-map.ts';
import type { ArchiveWatch } from '../wal/gaps/archive-watch.ts';
import { FetchedWal } from '../wal/gaps/fetched-wal.ts';
import { findGaps, type Gaps } from '../wal/gaps/gaps.ts';
import type { MendDeps } from '../wal/gaps/mend.ts';
import { Mender } from '../wal/gaps/mender.ts';
import { type Trouble, troublesOf } from '../wal/gaps/trouble.ts';
import { type KnownTrouble, TroubleBook } from '../wal/gaps/trouble-book.ts';
import type { WalHole } from '../wal/receive/receiver.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { LetGoWatch } from './let-go-watch.ts';
import type { SiteLoop } from './site-loop.ts';

export interface WalGapsDeps {
  readonly parts: Pick<DaemonParts, 'alerts' | 'clock' | 'jobs' | 'log'>;
  readonly site: Pick<SiteConfig, 'name' | 'basebackup_interval_hours' | 'basebackup_after_wal_gap'>;
  readonly loop: Pick<SiteLoop, 'listing' | 'listAgain' | 'isListingOld' | 'keptAlone' | 'requestBasebackup' | 'backupActivity'>;
  readonly map: ArchiveMap;
  readonly watch: ArchiveWatch;
  readonly mending: MendDeps;
  /** Names of files that are being archived, or wait here for it. */
  readonly here: () => Promise<readonly string[]>;
  /** Received files that were set aside. */
  readonly rejected: () => readonly string[];
  /** False: it is for another daemon to do something about it. */
  readonly mayAct: () => boolean;
  /** Ends everything that the others do here. */
  readonly end: AbortController;
}

const beatMs = 1000;
/** Looking for more suspects than this one by one costs more than listing everything. */
const lookAgainMax = 20;
const shownMax = 5;

/**
 * Keeps what is missing in a site's archive in view: as an alert and in the state as long as nothing written behind it can be restored; has it fetched from
 * wherever it still is; and where nobody has it, has a base backup taken.
 */
export class WalGaps {
  readonly #deps: WalGapsDeps;
  readonly #end: AbortController;
  readonly #book = new TroubleBook();
  readonly #letGo = new LetGoWatch();
  readonly #mender: Mender;
  readonly #fetched = new FetchedWal();
  #running: Promise<void> = Promise.resolve();
  #gaps: Gaps | undefined;
  #troubles: readonly Trouble[] = [];
  /** What these were found from. */
  #found: { readonly version: number; readonly listing: BasebackupListing } | undefined;
  /** Whether base backups have been listed since what seems to be missing was looked for in vain, by key. Void once everything has been listed anew. */
  #sought: { readonly surveyed: Date | undefined; readonly isListed: ReadonlyMap<string, () => boolean> } = {
    surveyed: undefined,
    isListed: new Map(),
  };
  /** Told by a receiver, and not to be seen in the store yet. */
  #reported: WalHole | undefined;
  #failure = '';
  /** The trouble for which a base backup was asked for last. */
  #requestedFor: string | undefined;
  /** What was told last; null before anything was. */
  #told: string | undefined | null = null;

  constructor(deps: WalGapsDeps) {
    const { parts, site, mending, end } = deps;
    this.#deps = deps;
    this.#end = end;
    const archive: MendDeps['archive'] = (name, path) => this.#fetched.fetch(name, () => mending.archive(name, path));
    this.#mender = new Mender({ ...mending, ...parts, archive, site: site.name, book: this.#book });
  }

  /** Undefined as long as it is not known what is stored. */
  get gaps(): Gaps | undefined {
    return this.#gaps;
  }

  /** What is stored, or why that is not known. */
  get view(): WalArchiveView | string {
    return this.#deps.map.view;
  }

  /** When the whole store was listed last. */
  get listed(): Date | undefined {
    return this.#deps.watch.surveyed;
  }

  get troubles(): readonly KnownTrouble[] {
    return this.#book.known;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
    await this.#mender.settled();
  }

  /** The newest WAL that this daemon has fetched itself, and nobody has handed over since. */
  get fetched(): string | undefined {
    return this.#fetched.newest;
  }

  /** A file has certainly been stored. */
  stored(name: string): void {
    this.#fetched.stored(name);
    this.#deps.map.stored(name, this.#deps.parts.clock.now());
  }

  /** A receiver had to leave out WAL: whatever the store has, the server had written all up to there. */
  report(hole: WalHole): void {
    const { parts, site, map } = this.#deps;
    parts.log.error({ site: site.name, from: hole.from, to: hole.to }, `${inWords(hole)}; receiving goes on behind it`);
    this.#reported = hole;
    map.reached(hole.to, new Date(0));
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps.parts;
    while (!this.#end.signal.aborted) {
      await this.#watchedLook().catch((error: unknown) => {
        const because = `a look for holes in the WAL failed: ${explain(error)}`;
        if (!this.#end.signal.aborted && because !== this.#failure) log.error({ site: this.#deps.site.name }, because);
        this.#failure = because;
      });
      await clock.sleep(beatMs, this.#end.signal).catch(() => {});
    }
  }

  #watchedLook(): Promise<void> {
    const { parts, site } = this.#deps;
    const job = { site: site.name, kind: 'wal_check', what: 'the look for holes in the WAL' } as const;
    return parts.jobs.run(job, this.#end.signal, () => this.#look());
  }

  async #look(): Promise<void> {
    const { watch, loop } = this.#deps;
    // What is not there any more must not be taken for something that can be restored.
    if (this.#letGo.hasLetGo(loop.listing, () => loop.keptAlone)) watch.outdate();
    await watch.refresh();
    await this.#weigh();
    await this.#tell();
    if (!this.#deps.mayAct()) return;
    this.#mender.begin();
    this.#requestIfLost();
  }

  async #weigh(): Promise<void> {
    const { parts, here } = this.#deps;
    let troubles = this.#find();
    // What is not known now is not gone.
    if (troubles === undefined) return;
    const at = { now: parts.clock.now(), monotonicMs: parts.clock.monotonicMs() };
    const unknown = this.#book.unknown(troubles, at);
    const suspects = unknown.length === 0 ? [] : this.#book.suspects(unknown, await here(), at);
    const certain = await this.#certain(suspects);
    if (suspects.length > 0) troubles = this.#find();
    if (troubles === undefined) return;
    const changes = this.#book.update(troubles, certain, parts.clock.now());
    const site = this.#deps.site.name;
    for (const { isOpen, words } of changes.noticed) parts.log[isOpen ? 'error' : 'warn']({ site }, words);
    for (const { words } of changes.harmless)
      parts.log.info({ site }, `a base backup from after the hole in the WAL is complete (${words})`);
    for (const { words } of changes.gone) parts.log.info({ site }, `not so any more: ${words}`);
    if (changes.noticed.length > 0) this.#mender.again();
  }

  /** Only what has changed is worth finding out again. */
  #find(): readonly Trouble[] | undefined {
    const { map, loop } = this.#deps;
    const { view, version } = map;
    const { listing } = loop;
    if (typeof view === 'string' || listing === undefined) return undefined;
    if (this.#gaps === undefined || this.#found?.version !== version || this.#found.listing !== listing) {
      this.#gaps = findGaps(view, needyBackups(listing.entries, view.segmentBytes, loop.keptAlone));
      this.#troubles = troublesOf(this.#gaps);
      this.#found = { version, listing };
      this.#reported = undefined;
    }
    return this.#troubles;
  }

  /**
   * Keys of those that are certainly missing. Somebody else may have stored it, so it is looked for again; or another daemon has deleted it, after the base
   * backup that needed it, so the base backups have to be listed since.
   */
  async #certain(suspects: readonly Trouble[]): Promise<ReadonlySet<string>> {
    const { watch, loop } = this.#deps;
    const before = this.#sought.surveyed === watch.surveyed ? this.#sought.isListed : new Map<string, () => boolean>();
    const unsought = suspects.filter(({ key }) => !before.has(key));
    if (unsought.length > 0) await this.#lookAgain(unsought);
    const isListedSince = unsought.length > 0 ? loop.listAgain() : () => false;
    const isListed = new Map(suspects.map(({ key }) => [key, before.get(key) ?? isListedSince]));
    this.#sought = { surveyed: watch.surveyed, isListed };
    return new Set([...isListed].filter(([, isSo]) => isSo()).map(([key]) => key));
  }

  /** Somebody else may have stored it. */
  async #lookAgain(suspects: readonly Trouble[]): Promise<void> {
    const { map, watch } = this.#deps;
    if (suspects.length > lookAgainMax) return watch.survey();
    for (const { missing } of suspects) {
      if (typeof missing === 'number') await map.lookForHistories();
      else if (missing !== undefined) await map.lookAgain(missing);
    }
  }

  async #tell(): Promise<void> {
    const because = this.#inWords();
    if (because === this.#told) return;
    const { parts, site } = this.#deps;
    this.#told = because;
    await (because === undefined ? parts.alerts.clear('wal_gap', site.name) : parts.alerts.raise('wal_gap', site.name, because));
  }

  #inWords(): string | undefined {
    const open = this.#book.known.map(({ trouble }) => trouble).filter(({ isOpen }) => isOpen);
    const late = open.filter(({ kind }) => kind === 'end').map(({ words }) => words);
    const holes = open.filter(({ kind }) => kind !== 'end').map(({ words }) => words);
    if (this.#reported) holes.push(inWords(this.#reported));
    const rejected = this.#deps.rejected();
    const parts = [
      ...(holes.length === 0
        ? []
        : [`${listOf(holes)}: what was written behind it cannot be restored until a new base backup is complete`]),
      ...late,
      ...(rejected.length === 0 ? [] : [`${rejected.length} received WAL files were set aside: ${listOf(rejected)}`]),
    ];
    return parts.length === 0 ? undefined : parts.join('; ');
  }

  /** Once for each: what was asked for is the site loop's business from then on. */
  #requestIfLost(): void {
    const { loop } = this.#deps;
    const lost = this.#book.known.filter(({ trouble, sought }) => {
      const mayCome = trouble.kind === 'end' || (trouble.missing !== undefined && sought?.isLost !== true);
      return trouble.isOpen && !mayCome;
    });
    const newest = lost.at(-1)?.trouble;
    if (newest === undefined || newest.key === this.#requestedFor) return;
    // It may be what is wanted.
    if (loop.backupActivity?.running === true || loop.isListingOld) return;
    this.#requestedFor = newest.key;
    this.#requestBasebackup(newest);
  }

  /** Whoever takes base backups by hand is told to. */
  #requestBasebackup({ words }: Trouble): void {
    const { parts, site, loop } = this.#deps;
    const setting = site.basebackup_after_wal_gap ? 'basebackup_interval_hours is null' : 'basebackup_after_wal_gap is false';
    if (!site.basebackup_after_wal_gap || site.basebackup_interval_hours === null) {
      parts.log.error({ site: site.name }, `take a base backup: ${words}, and ${setting}`);
      return;
    }
    parts.log.info({ site: site.name }, `a base backup is taken because ${words}`);
    loop.requestBasebackup().catch((error: unknown) => {
      if (isOperatorError(error) && error.retryable) this.#requestedFor = undefined;
      parts.log.error({ site: site.name }, explain(error));
    });
  }
}

function inWords({ from, to }: WalHole): string {
  return `WAL is missing from ${from ?? 'an unknown segment'} until ${to}`;
}

function listOf(texts: readonly string[]): string {
  const shown = texts.slice(-shownMax).join('; ');
  return texts.length > shownMax ? `${shown} and ${texts.length - shownMax} more` : shown;
}
