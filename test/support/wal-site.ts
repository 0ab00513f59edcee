import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { CodecPool } from '../../src/codec/pool.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { noMetrics } from '../../src/lib/metrics.ts';
import { MemoryStore } from '../../src/storage/memory/driver.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { Spool } from '../../src/transfer/spool.ts';
import { UploadQueue } from '../../src/transfer/upload-queue.ts';
import { WalArchiver, type WalArchiverDeps } from '../../src/wal/archive.ts';
import { WalFetcher, type WalFetcherDeps } from '../../src/wal/fetch.ts';
import type { SourceCluster, WalSource } from '../../src/wal/stored-wal.ts';
import { WalBeginnings } from '../../src/wal/wal-beginnings.ts';
import type { WalSealing } from '../../src/wal/wal-sealing.ts';
import { FaultyStore } from './store.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts';
import { makeHistory, makeWalSegment, mebibyte, type WalSegmentOptions } from './wal-segment.ts';

export interface TestWalSiteOptions {
  readonly site?: string;
  /** Default: in memory. */
  readonly store?: ObjectStore;
  readonly sealing?: Partial<WalSealing>;
  readonly privateKeys?: Readonly<Record<string, string>>;
  readonly archiver?: Partial<WalArchiverDeps>;
  readonly fetcher?: Partial<WalFetcherDeps>;
  /** Of which cluster the site knows that it is. */
  readonly cluster?: SourceCluster;
  /** Asked after the site's own. */
  readonly movedFrom?: readonly WalSource[];
}

/** Archiving and fetching of one site over a store that can be told to fail, with a WAL directory to archive from. No PostgreSQL. */
export class TestWalSite implements AsyncDisposable {
  readonly name: string;
  readonly store: FaultyStore;
  readonly catalog: Catalog;
  readonly spool: Spool;
  readonly uploads: UploadQueue;
  readonly archiver: WalArchiver;
  readonly beginnings: WalBeginnings;
  readonly fetcher: WalFetcher;
  readonly walDirectory: string;
  readonly source: WalSource;
  readonly #directory: TemporaryDirectory;
  readonly #end: AbortController;

  private constructor(options: TestWalSiteOptions, pool: CodecPool, directory: TemporaryDirectory) {
    this.#directory = directory;
    this.#end = new AbortController();
    this.name = options.site ?? 'main';
    this.store = new FaultyStore(options.store ?? new MemoryStore());
    this.catalog = new Catalog(this.store, new SiteKeys(this.name));
    this.spool = new Spool(join(directory.path, 'spool'), this.name);
    this.walDirectory = join(directory.path, 'pgdata', 'pg_wal');
    this.uploads = makeUploads();
    const privateKeyOf = (keyId: string) => options.privateKeys?.[keyId];
    this.source = { site: this.name, catalog: this.catalog, privateKeyOf, cluster: async () => options.cluster };
    const archiving = {
      site: this.name,
      catalog: this.catalog,
      spool: this.spool,
      pool,
      uploads: this.uploads,
      sealing: { compression: { algorithm: 'snappy' as const, level: 0 }, hashAlgorithm: 'sha1' as const, ...options.sealing },
      privateKeyOf,
      host: 'test-host',
      cluster: () => ({}),
      admit: async () => {},
      clock: systemClock,
      metrics: noMetrics,
      log: silentLog,
      signal: this.#end.signal,
      ...options.archiver,
    };
    this.archiver = new WalArchiver(archiving);
    this.beginnings = new WalBeginnings(archiving);
    this.fetcher = new WalFetcher({
      sources: [this.source, ...(options.movedFrom ?? [])],
      pool,
      directory: this.spool.prefetchDirectory,
      segmentsAhead: { start: 0, max: 0 },
      transfersMax: 4,
      metrics: noMetrics,
      log: silentLog,
      retryPolicy: { attemptsMax: 3, delayMsFirst: 1, delayMsMax: 2 },
      ...options.fetcher,
    });
  }

  static async start(pool: CodecPool, options: TestWalSiteOptions = {}): Promise<TestWalSite> {
    const site = new TestWalSite(options, pool, await makeTemporaryDirectory());
    await site.spool.ensure();
    await mkdir(site.walDirectory, { recursive: true });
    return site;
  }

  get directory(): string {
    return this.#directory.path;
  }

  /** Puts a segment into the WAL directory; returns its path. */
  async write(name: string, options: WalSegmentOptions = {}): Promise<string> {
    return this.writeBytes(name, name.endsWith('.history') ? makeHistory(name) : makeWalSegment(name, options));
  }

  async writeBytes(name: string, bytes: Uint8Array): Promise<string> {
    const path = join(this.walDirectory, name);
    await writeFile(path, bytes);
    return path;
  }

  /** Writes and archives segments. */
  async archiveNew(names: readonly string[], options: WalSegmentOptions = {}): Promise<void> {
    for (const name of names) await this.archiver.archive(name, await this.write(name, options));
  }

  /** Fetches a file and lets go of it. */
  async fetchBytes(name: string): Promise<Buffer> {
    await using wal = await this.fetcher.fetch(name);
    return await readFile(wal.path);
  }

  /** Writes a segment that is not finished, with `bytes` of WAL and something else behind, and stores that beginning. */
  async storeBeginning(segment: string, bytes: number): Promise<Buffer> {
    const content = makeWalSegment(segment);
    const path = await this.writeBytes(
      `${segment}.partial`,
      Buffer.concat([content.subarray(0, bytes), Buffer.alloc(mebibyte - bytes, 'old')]),
    );
    await this.beginnings.store({ segment, bytes, path, segmentBytes: mebibyte }, this.#end.signal);
    return Buffer.concat([content.subarray(0, bytes), Buffer.alloc(mebibyte - bytes)]);
  }

  /** What the store has of unfinished segments. */
  async storedPartials(): Promise<string[]> {
    const names: string[] = [];
    for await (const { key } of this.store.list(this.catalog.keys.walPartialPrefix)) names.push(key.slice(key.lastIndexOf('/') + 1));
    return names;
  }

  /** What lies in the spool for upload, finished or not. */
  async spooled(): Promise<readonly string[]> {
    return [...(await readdir(this.spool.walDirectory)), ...(await readdir(this.spool.historyDirectory))];
  }

  async prefetched(): Promise<readonly string[]> {
    return (await readdir(this.spool.prefetchDirectory)).toSorted();
  }

  /** As a daemon that dies: nothing runs on, the spool stays. */
  async abort(): Promise<void> {
    this.#end.abort(new Error('the test ends'));
    await this.archiver.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
    await this.fetcher.close();
    await this.#directory[Symbol.asyncDispose]();
  }
}

function makeUploads(): UploadQueue {
  return new UploadQueue({
    threads: 4,
    log: silentLog,
    metrics: noMetrics,
    retry: { attemptsMax: Number.POSITIVE_INFINITY, delayMsFirst: 1, delayMsMax: 5 },
    warningLimit: 3,
    onTrouble: () => {},
    onRecovered: () => {},
  });
}
