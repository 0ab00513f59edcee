import type { Catalog } from '../catalog/catalog.ts';
import type { SiteConfig } from '../config/load.ts';
import { explain } from '../lib/errors.ts';
import { type RetryPolicy, retry } from '../lib/retry.ts';
import type { Spool } from '../transfer/spool.ts';
import { WalArchiver, type WalArchiverDeps } from '../wal/archive.ts';
import { WalFetcher } from '../wal/fetch.ts';
import { readWalActivity } from '../wal/index/read-wal-activity.job.ts';
import { WalHistory } from '../wal/index/wal-history.ts';
import { WalIndexStorer } from '../wal/index/wal-index-storer.ts';
import { WalIndexer } from '../wal/index/wal-indexer.ts';
import { depthRange } from '../wal/prefetch-depth.ts';
import { filesAheadMax, ReadyAhead } from '../wal/ready-ahead.ts';
import { WalBeginnings } from '../wal/wal-beginnings.ts';
import type { Admission } from './admission.ts';
import { compressionOf } from './basebackup-job.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import type { DaemonParts } from './daemon-parts.ts';
import type { LeasedReceiver } from './leased-receiver.ts';
import type { Ownership } from './ownership.ts';
import type { ProgramWatch } from './program-watch.ts';
import type { ServerWatch } from './servers/server-watch.ts';
import type { SiteDiary } from './site-diary.ts';
import { privateKeysOf, sealingKey } from './site-keys.ts';
import type { SiteLoop } from './site-loop.ts';
import type { SiteSources } from './site-sources.ts';
import type { WalGaps } from './wal-gaps.ts';
import { walGapsOf } from './wal-gaps-of-site.ts';
import { archiveLeftBehind, leasedReceiverOf, type ReceiverParts } from './wal-receiver.ts';

const resumePolicy: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMsFirst: 10_000, delayMsMax: 120_000 };

export interface SiteWalDeps {
  readonly parts: DaemonParts;
  readonly site: SiteConfig;
  readonly sources: SiteSources;
  /** See `SiteServices`. */
  readonly relatives: (signal: AbortSignal) => Promise<readonly Catalog[]>;
  readonly spool: Spool;
  readonly cluster: ClusterWatch;
  readonly admission: Admission;
  readonly servers: ServerWatch;
  readonly programs: Pick<ProgramWatch, 'lookAgain'>;
  readonly ownership: Ownership;
  readonly loop: SiteLoop;
  readonly diary: SiteDiary;
  /** Ends uploads. */
  readonly closing: AbortSignal;
}

/** What a site does with WAL: it comes in by `archiver` or `receiver`, goes out by `fetcher`, and is missed by `gaps`. */
export class SiteWal {
  readonly archiver: Pick<WalArchiver, 'archive'>;
  readonly fetcher: WalFetcher;
  /** Where the site receives its WAL itself. */
  readonly receiver: LeasedReceiver | undefined;
  /** Where its WAL is archived. */
  readonly gaps: WalGaps | undefined;
  readonly #deps: SiteWalDeps;
  readonly #walArchiver: WalArchiver;
  /** Where what happens in the WAL is noted. */
  readonly #index: WalIndexStorer | undefined;
  /** Where it is read again. */
  readonly history: WalHistory | undefined;
  /** Where there may be WAL without that. */
  readonly #indexer: WalIndexer | undefined;
  readonly #indexerEnd = new AbortController();
  #indexing: Promise<void> = Promise.resolve();
  readonly #readyAhead: ReadyAhead | undefined;
  readonly #receiverParts: ReceiverParts;

  constructor(deps: SiteWalDeps) {
    const { parts, sources, ownership, closing } = deps;
    this.#deps = deps;
    this.#index = this.#openIndex();
    const archiving = this.#archiving();
    this.#walArchiver = new WalArchiver(archiving);
    this.#readyAhead = this.#openReadyAhead();
    this.archiver = this.#readyAhead ?? this.#walArchiver;
    this.fetcher = this.#openFetcher();
    this.#receiverParts = {
      ...deps,
      alerts: parts.alerts.from('receiver'),
      catalog: sources[0].catalog,
      archiver: this.#walArchiver,
      beginnings: new WalBeginnings(archiving),
      onHole: (hole) => this.gaps?.report(hole),
      signal: closing,
    };
    const rejected = () => this.receiver?.status.rejected ?? [];
    this.gaps = walGapsOf({ ...deps, archiver: this.#walArchiver, rejected });
    this.receiver = leasedReceiverOf(this.#receiverParts, ownership);
    this.#indexer = this.#openIndexer();
    this.history = this.#openHistory();
  }

  /** A base backup is worth nothing without the WAL that is written while it is taken. */
  get obstacle(): string | undefined {
    if (this.receiver === undefined || this.receiver.status.running) return undefined;
    return `its WAL is not being received: ${this.receiver.status.because}`;
  }

  start(): void {
    const { parts, site, closing } = this.#deps;
    this.gaps?.start();
    const tell = (error: unknown) => {
      if (!closing.aborted) parts.log.error({ site: site.name }, explain(error));
    };
    this.#resumeSpool().catch(tell);
    this.#indexing = this.#indexer?.run() ?? Promise.resolve();
    if (this.receiver) this.receiver.start();
    else archiveLeftBehind(this.#receiverParts).catch(tell);
  }

  /** No new work. */
  async stop(): Promise<void> {
    this.#readyAhead?.stop();
    this.#indexerEnd.abort();
    await Promise.all([this.gaps?.stop(), this.receiver?.stop(), this.#indexing]);
  }

  /** Resolves once the WAL that is on its way has arrived, or was given up. */
  settled(): Promise<void> {
    return this.#walArchiver.settled();
  }

  #archiving(): WalArchiverDeps {
    const { parts, site, sources, spool, admission, diary, closing: signal } = this.#deps;
    const { config, walPool: pool, uploads, host, clock, metrics, log } = parts;
    const [{ catalog, privateKeyOf }] = sources;
    const encryption = sealingKey(site);
    return {
      site: site.name,
      catalog,
      spool,
      pool,
      uploads,
      sealing: { compression: compressionOf(config), hashAlgorithm: config.hash_algorithm, ...(encryption && { encryption }) },
      privateKeyOf,
      host,
      cluster: () => admission.facts,
      admit: admission.admit.bind(admission),
      index: this.#index,
      onStored: (file) => {
        this.gaps?.stored(file);
        diary.walStored(file);
      },
      clock,
      metrics,
      log,
      signal,
    };
  }

  #openIndex(): WalIndexStorer | undefined {
    const { parts, site, sources, closing: signal } = this.#deps;
    if (!site.wal_index) return undefined;
    const { uploads, host, log } = parts;
    const about = { site: site.name, catalog: sources[0].catalog, uploads, host, log, encryptionKeyId: sealingKey(site)?.keyId };
    return new WalIndexStorer({ ...about, onStored: (name) => this.#indexer?.stored(name), signal });
  }

  #openIndexer(): WalIndexer | undefined {
    const { parts, site, sources, ownership, admission, loop, closing } = this.#deps;
    const { pool, walPool, uploads, clock, log } = parts;
    const [storer, gaps, bytesPerHour] = [this.#index, this.gaps, site.wal_index_backfill_bytes_per_hour];
    if (storer === undefined || gaps === undefined || bytesPerHour === 0) return undefined;
    const signal = AbortSignal.any([closing, this.#indexerEnd.signal]);
    const job = { site: site.name, kind: 'wal_index', what: 'the making of an index of WAL' } as const;
    const isQuiet = () => uploads.pending === 0 && walPool.pending === 0 && loop.backupActivity?.running !== true;
    return new WalIndexer({
      site: site.name,
      catalog: sources[0].catalog,
      storage: site.object_storage,
      privateKeys: privateKeysOf(site),
      publicKey: sealingKey(site)?.publicKey,
      storer,
      pool,
      archive: () => gaps.view,
      listed: () => gaps.listed,
      mayWork: () => ownership.isHeld && admission.obstacle === undefined && isQuiet(),
      bytesPerHour,
      clock,
      log,
      watch: (work) => parts.jobs.run(job, signal, work),
      signal,
    });
  }

  #openHistory(): WalHistory | undefined {
    const { parts, site, sources } = this.#deps;
    const { gaps } = this;
    if (this.#index === undefined || gaps === undefined) return undefined;
    const source = { storage: site.object_storage, prefix: site.prefix, privateKeys: privateKeysOf(site) };
    return new WalHistory({
      catalog: sources[0].catalog,
      archive: () => gaps.view,
      read: (wanted, signal) => parts.pool.run(readWalActivity, { source, ...wanted }, { signal }),
      clock: parts.clock,
    });
  }

  /** Only what PostgreSQL asks for can be archived before it asks. */
  #openReadyAhead(): ReadyAhead | undefined {
    const { parts, site, cluster } = this.#deps;
    if (!site.active || site.active_backup_mode !== 'archive_command') return undefined;
    const { walPool: pool, uploads, clock, log } = parts;
    const filesMax = filesAheadMax(pool.threads, uploads.threads);
    return new ReadyAhead({ site: site.name, archiver: this.#walArchiver, cluster: () => cluster.facts, filesMax, log, clock });
  }

  #openFetcher(): WalFetcher {
    const { parts, site, sources, spool, diary } = this.#deps;
    const { config, walPool: pool, uploads, servedFiles, metrics, log } = parts;
    return new WalFetcher({
      sources,
      pool,
      directory: spool.prefetchDirectory,
      segmentsAhead: depthRange(config.restore_prefetch, uploads.threads),
      transfersMax: uploads.threads,
      onServed: (file) => {
        servedFiles.served(file);
        diary.walServed(file);
      },
      metrics,
      log: log.child({ site: site.name }),
    });
  }

  /** What a store refuses that somebody has to mend is tried again until it has been. */
  #resumeSpool(): Promise<void> {
    const { parts, site, closing: signal } = this.#deps;
    const { clock, random, log } = parts;
    let told: string | undefined;
    const onRetry = (error: unknown) => {
      const text = explain(error);
      if (text !== told) log.error({ site: site.name }, text);
      told = text;
    };
    return retry(() => this.#walArchiver.resume(signal), resumePolicy, { signal, clock, random, onRetry });
  }
}
