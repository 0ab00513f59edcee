import type { Catalog } from '../../catalog/catalog.ts';
import type { WalArchiveView } from '../../catalog/wal-archive-view.ts';
import { WalRanges } from '../../catalog/wal-ranges.ts';
import type { CodecPool } from '../../codec/pool.ts';
import type { Clock } from '../../lib/clock.ts';
import { explain, isOperatorError, messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { classifyWalFile, parseWalName } from '../../postgres/wal-name.ts';
import type { StorageOptions } from '../../storage/options.ts';
import { indexStoredWal } from './index-stored-wal.job.ts';
import { missingIndexes } from './missing-indexes.ts';
import type { WalIndexStorer } from './wal-index-storer.ts';
import { WalRollupMaker } from './wal-rollup-maker.ts';

export interface WalIndexerDeps {
  readonly site: string;
  readonly catalog: Catalog;
  /** The same store, for workers. */
  readonly storage: StorageOptions;
  readonly privateKeys: Readonly<Record<string, string>>;
  readonly publicKey: string | undefined;
  readonly storer: WalIndexStorer;
  /** That for base backups: WAL that somebody waits for is not held up. */
  readonly pool: Pick<CodecPool, 'run'>;
  /** Which segments are stored, or why that is not known. */
  readonly archive: () => Pick<WalArchiveView, 'ranges' | 'segmentBytes'> | string;
  /** When they were listed last. */
  readonly listed: () => Date | undefined;
  /** Nothing that somebody waits for is going on, and it is for this daemon to do. */
  readonly mayWork: () => boolean;
  /** Runs something that may hang, and gives it up where it makes no progress. */
  readonly watch: <T>(work: (signal: AbortSignal, progress: () => void) => Promise<T>) => Promise<T>;
  /** Bytes to fetch in an hour, at most. */
  readonly bytesPerHour: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Of an index as it is stored, roughly. */
const indexBytes = 4096;
const hourMs = 3_600_000;
const lookMs = 10_000;
/** After a failure that may pass. */
const failedMs = 60_000;

/**
 * Makes the indexes that are missing: of segments that were stored before there were any, and of those that a crash left without. One at a time, newest first,
 * and only while nothing else is to be done; then tells of many segments together. Where the segments are is known from listings that are made anyway; only the indexes are listed for it.
 */
export class WalIndexer {
  readonly #deps: WalIndexerDeps;
  readonly #rollups: WalRollupMaker;
  #indexed = new WalRanges();
  /** Of which listing of the segments this is. */
  #listedFor: Date | undefined;
  /** Not to be read; forgotten with each listing. */
  readonly #leftOut = new Set<string>();
  #keyMissing = false;
  #told = '';

  constructor(deps: WalIndexerDeps) {
    this.#deps = deps;
    const { catalog, storage, privateKeys } = deps;
    this.#rollups = new WalRollupMaker({ ...deps, source: { storage, prefix: catalog.keys.prefix, privateKeys } });
  }

  /** An index has certainly been stored. */
  stored(name: string): void {
    const archive = this.#deps.archive();
    if (typeof archive !== 'string') this.#add(this.#indexed, name, archive.segmentBytes);
  }

  /** Until its signal is aborted. Never rejects. */
  async run(): Promise<void> {
    const { clock, signal } = this.#deps;
    while (!signal.aborted) {
      const waitMs = await this.step().catch((error: unknown) => {
        this.#tell(error);
        return failedMs;
      });
      await clock.sleep(waitMs, signal).catch(() => {});
    }
  }

  /** Makes one index, where one is missing, or tells of one block of segments together. Resolves to how long to wait before the next look, in ms. */
  async step(): Promise<number> {
    const { archive, mayWork, bytesPerHour } = this.#deps;
    const view = archive();
    if (typeof view === 'string' || !mayWork()) return lookMs;
    const bytes = await this.#deps.watch(async (signal, progress) => {
      await this.#list(view.segmentBytes, signal);
      const name = this.#next(view);
      if (name !== undefined) return this.#index(name, signal, progress);
      const read = await this.#rollups.step(view, this.#indexed, signal, progress);
      return read === 0 ? undefined : read * indexBytes;
    });
    if (bytes === undefined) return lookMs;
    return bytes === 0 ? 0 : Math.max((bytes / bytesPerHour) * hourMs, 1);
  }

  /** After each listing of the segments: others may have stored segments and indexes. */
  async #list(segmentBytes: number, signal: AbortSignal): Promise<void> {
    const { catalog, listed } = this.#deps;
    const current = listed();
    if (current === this.#listedFor) return;
    const found = new WalRanges();
    const prefix = catalog.keys.walIndexPrefix;
    for await (const { key } of catalog.store.list(prefix, { signal })) this.#add(found, key.slice(prefix.length), segmentBytes);
    await this.#rollups.list(segmentBytes, signal);
    this.#indexed = found;
    this.#listedFor = current;
    this.#leftOut.clear();
    this.#keyMissing = false;
  }

  #next({ ranges, segmentBytes }: Pick<WalArchiveView, 'ranges' | 'segmentBytes'>): string | undefined {
    if (this.#keyMissing) return undefined;
    for (const name of missingIndexes(ranges, this.#indexed, segmentBytes)) {
      if (!this.#leftOut.has(name) && !this.#deps.storer.isWaiting(name)) return name;
    }
    return undefined;
  }

  /** Resolves to the bytes that were fetched. */
  async #index(name: string, signal: AbortSignal, progress: () => void): Promise<number> {
    const { site, catalog, storage, privateKeys, publicKey, pool, storer, log } = this.#deps;
    const object = { storage, key: catalog.walKey(name), privateKeys };
    try {
      const { index, storedBytes } = await pool.run(indexStoredWal, { name, object, publicKey }, { signal, onReport: progress });
      if (await storer.store(name, index, signal)) {
        this.stored(name);
        log.debug({ site, wal: name }, 'indexed WAL that had been stored without');
      } else this.#leftOut.add(name);
      return storedBytes;
    } catch (error) {
      if (signal.aborted || !isOperatorError(error) || error.retryable) throw error;
      this.#keyMissing = error.code === 'key-missing';
      this.#leftOut.add(name);
      // It may have been deleted by now, or be of a site that this one was moved from.
      if (error.code !== 'object-missing') this.#tell(error);
      return 0;
    }
  }

  #tell(error: unknown): void {
    const { site, log, signal } = this.#deps;
    const text = isOperatorError(error, 'key-missing') ? messageOf(error) : explain(error);
    if (!signal.aborted && text !== this.#told) log.info({ site }, `the index of the WAL stays incomplete for now: ${text}`);
    this.#told = text;
  }

  #add(ranges: WalRanges, name: string, segmentBytes: number): void {
    if (classifyWalFile(name) !== 'segment') return;
    try {
      ranges.add(parseWalName(name, segmentBytes), new Date(0));
    } catch {
      // Of another size of segments, as they were before.
    }
  }
}
