import type { Catalog } from '../catalog/catalog.ts';
import { IdentityKeeper } from '../catalog/identity-keeper.ts';
import { SiteLease } from '../catalog/site-lease.ts';
import type { SiteConfig } from '../config/load.ts';
import { explain } from '../lib/errors.ts';
import { type RetryPolicy, retry } from '../lib/retry.ts';
import { shuttingDown } from '../lib/shutting-down.ts';
import { Spool } from '../transfer/spool.ts';
import { WalArchiver, type WalArchiverDeps } from '../wal/archive.ts';
import { WalFetcher } from '../wal/fetch.ts';
import { depthRange } from '../wal/prefetch-depth.ts';
import { filesAheadMax, ReadyAhead } from '../wal/ready-ahead.ts';
import type { WalReceiver } from '../wal/receive/receiver.ts';
import { clusterOfStoredWal } from '../wal/stored-cluster.ts';
import type { WalSource } from '../wal/stored-wal.ts';
import { WalBeginnings } from '../wal/wal-beginnings.ts';
import { findWalDirectory } from '../wal/wal-directory.ts';
import { Admission } from './admission.ts';
import { ThrottleWatch } from './alerts/throttle-watch.ts';
import { compressionOf } from './basebackup-job.ts';
import { ClusterWatch } from './cluster-watch.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { HealthWatch } from './health/health-watch.ts';
import type { SiteHealth } from './health/site-health.ts';
import { SpoolWatch } from './health/spool-watch.ts';
import { StoreWatch } from './health/store-watch.ts';
import type { SiteServices } from './http/site-services.ts';
import type { LeasedReceiver } from './leased-receiver.ts';
import { Ownership } from './ownership.ts';
import { RequestedBasebackup } from './requested-basebackup.ts';
import { openServerWatch } from './servers/open-server-watch.ts';
import type { ServerWatch } from './servers/server-watch.ts';
import { SiteDiary } from './site-diary.ts';
import { sealingKey } from './site-keys.ts';
import { SiteLoop } from './site-loop.ts';
import { catalogsOfOneCluster, openSources, type SiteSources, withClusters } from './site-sources.ts';
import type { WalGaps } from './wal-gaps.ts';
import { walGapsOf } from './wal-gaps-of-site.ts';
import { archiveLeftBehind, leasedReceiverOf, type ReceiverParts } from './wal-receiver.ts';

const resumePolicy: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMsFirst: 10_000, delayMsMax: 120_000 };

/** What a site is opened with. */
interface Belongings {
  readonly sources: SiteSources;
  readonly storeWatch: StoreWatch;
  readonly throttling: ThrottleWatch;
  readonly spool: Spool;
  readonly keeper: IdentityKeeper;
  readonly requested: RequestedBasebackup;
  readonly stop: AbortController;
}

/** One site at work: everything that belongs to it, opened together and closed together. */
export class Site implements SiteServices {
  readonly config: SiteConfig;
  readonly catalogs: readonly [Catalog, ...Catalog[]];
  readonly archiver: Pick<WalArchiver, 'archive'>;
  readonly fetcher: WalFetcher;
  readonly loop: SiteLoop;
  /** Where the site receives its WAL itself. */
  readonly receiver: LeasedReceiver | undefined;
  /** Where its WAL is archived. */
  readonly gaps: WalGaps | undefined;
  /** Who its servers are. */
  readonly servers: ServerWatch;
  /** How the site is. */
  readonly healthWatch: HealthWatch;
  /** What may come into the store. */
  readonly admission: Admission;
  /** Whether it is for this daemon to work on the site; undefined where it is not active. */
  readonly ownership: Ownership | undefined;
  /** Whether its store asks for fewer requests. */
  readonly throttling: ThrottleWatch;
  readonly #receiverParts: ReceiverParts;
  readonly #walArchiver: WalArchiver;
  readonly #readyAhead: ReadyAhead | undefined;
  readonly #parts: DaemonParts;
  readonly #diary: SiteDiary;
  readonly #cluster: ClusterWatch;
  readonly #sources: SiteSources;
  /** Ends uploads; the loop has its own end. */
  readonly #stop: AbortController;

  static async open(parts: DaemonParts, site: SiteConfig): Promise<Site> {
    const storeWatch = new StoreWatch(parts.clock);
    const throttling = new ThrottleWatch(parts.clock);
    const sources = await openSources(site, parts, [storeWatch, throttling]);
    const spool = new Spool(parts.config.backup_location, site.prefix, parts.random);
    await spool.ensure();
    await spool.removeDebris();
    const { walPool: pool, clock, log } = parts;
    const stop = new AbortController();
    const clusterOfStored = (source: WalSource, signal = stop.signal) =>
      clusterOfStoredWal(source, { pool, directory: spool.prefetchDirectory, hashAlgorithm: 'sha1', signal, log });
    const [own] = sources;
    const keeper = await IdentityKeeper.open({
      site: site.name,
      catalog: own.catalog,
      memoryFile: spool.identityFile,
      clusterOfStoredWal: (signal) => clusterOfStored(own, signal),
      clock,
      log,
    });
    const requested = await RequestedBasebackup.open({ site: site.name, file: spool.requestedBasebackupFile, clock, log });
    const known = withClusters(sources, () => keeper.identity, clusterOfStored, clock);
    return new Site(parts, site, { sources: known, storeWatch, throttling, spool, keeper, requested, stop });
  }

  private constructor(
    parts: DaemonParts,
    site: SiteConfig,
    { sources, storeWatch, throttling, spool, keeper, requested, stop }: Belongings,
  ) {
    const { config, walPool: pool, uploads, alerts, metrics, servedFiles, clock, log, host } = parts;
    const [{ catalog, privateKeyOf }, ...moved] = sources;
    const encryption = sealingKey(site);
    this.#parts = parts;
    this.#stop = stop;
    this.#sources = sources;
    this.throttling = throttling;
    this.#diary = new SiteDiary({
      site: site.name,
      health: () => this.health,
      basebackups: () => this.loop.listing?.entries,
      segmentBytes: () => this.#cluster.facts.segmentBytes,
      clock,
      log,
    });
    this.servers = openServerWatch(parts, site, {
      expected: () => keeper.identity ?? this.#cluster.identity,
      alerts: alerts.from('servers'),
      onChange: () => this.loop.lookAgain(),
    });
    this.#cluster = new ClusterWatch({ directory: site.pg_data_directory, serverVersion: () => this.servers.pgVersion });
    this.admission = new Admission({ site: site.name, keeper, cluster: this.#cluster, alerts, clock, log });
    this.config = site;
    this.catalogs = [catalog, ...moved.map((source) => source.catalog)];
    const { admission } = this;
    const archiving: WalArchiverDeps = {
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
      onStored: (file) => {
        this.gaps?.stored(file);
        this.#diary.walStored(file);
      },
      clock,
      metrics,
      log,
      signal: this.#stop.signal,
    };
    const archiver = new WalArchiver(archiving);
    if (site.active && site.active_backup_mode === 'archive_command') {
      const filesMax = filesAheadMax(pool.threads, uploads.threads);
      this.#readyAhead = new ReadyAhead({
        site: site.name,
        archiver,
        cluster: () => this.#cluster.facts,
        filesMax,
        log,
        clock: parts.clock,
      });
    }
    this.#walArchiver = archiver;
    this.archiver = this.#readyAhead ?? archiver;
    this.fetcher = new WalFetcher({
      sources,
      pool,
      directory: spool.prefetchDirectory,
      segmentsAhead: depthRange(config.restore_prefetch, uploads.threads),
      transfersMax: uploads.threads,
      onServed: (file) => {
        servedFiles.served(file);
        this.#diary.walServed(file);
      },
      metrics,
      log: log.child({ site: site.name }),
    });
    const walObstacle = () => obstacleOf(this.receiver);
    const ownership = this.#ownershipOf(catalog);
    this.ownership = site.active ? ownership : undefined;
    const relatives = this.relatives.bind(this);
    this.loop = new SiteLoop({
      parts,
      site,
      catalog,
      relatives,
      spool,
      cluster: this.#cluster,
      admission,
      ownership,
      servers: this.servers,
      requested,
      walObstacle,
    });
    const { loop } = this;
    const rejected = () => this.receiver?.status.rejected ?? [];
    const gapsParts = { parts, site, sources, spool, archiver, cluster: this.#cluster, loop, rejected, ownership };
    this.gaps = walGapsOf({ ...gapsParts, closing: this.#stop.signal });
    const { gaps } = this;
    const onHole: ReceiverParts['onHole'] = (hole) => gaps?.report(hole);
    this.#receiverParts = {
      parts,
      alerts: alerts.from('receiver'),
      servers: this.servers,
      site,
      catalog,
      relatives,
      spool,
      archiver,
      beginnings: new WalBeginnings(archiving),
      cluster: this.#cluster,
      admission,
      loop,
      onHole,
      signal: this.#stop.signal,
    };
    this.receiver = leasedReceiverOf(this.#receiverParts, ownership);
    this.healthWatch = new HealthWatch({
      parts,
      site,
      loop,
      gaps,
      receiver: () => this.receiver,
      servers: this.servers,
      isOwn: () => ownership.isHeld,
      store: storeWatch,
      spool: new SpoolWatch(spool, clock),
      book: parts.sampleBooks.of(site.name),
    });
  }

  get name(): string {
    return this.config.name;
  }

  /** Begins what the site does by itself. */
  start(): void {
    this.servers.start();
    this.ownership?.start();
    this.loop.start();
    this.gaps?.start();
    this.healthWatch.start();
    this.#diary.start();
    const tell = (error: unknown) => {
      if (!this.#stop.signal.aborted) this.#parts.log.error({ site: this.name }, explain(error));
    };
    this.#resumeSpool().catch(tell);
    if (this.receiver) this.receiver.start();
    else archiveLeftBehind(this.#receiverParts).catch(tell);
  }

  get health(): SiteHealth {
    return this.healthWatch.health;
  }

  async requestBasebackup(): Promise<void> {
    await this.loop.requestBasebackup();
  }

  get retention(): SiteServices['retention'] {
    return { pending: this.loop.pendingDeletion, postponed: this.loop.retentionPostponed };
  }

  confirmDeletion(digest: string): void {
    this.loop.confirmDeletion(digest);
  }

  relatives(signal: AbortSignal): Promise<readonly Catalog[]> {
    return catalogsOfOneCluster(this.#sources, signal);
  }

  async walDirectory(): Promise<string | undefined> {
    const directory = this.config.pg_data_directory;
    return directory === null ? undefined : findWalDirectory(directory);
  }

  /** Ends a running base backup, and waits until the WAL that is on its way has arrived. */
  async drain(): Promise<void> {
    this.#readyAhead?.stop();
    await Promise.all([this.loop.stop(), this.gaps?.stop(), this.receiver?.stop()]);
    await Promise.all([this.ownership?.stop(), this.#walArchiver.settled(), this.servers.stop()]);
  }

  /** Lets go of everything. What had not been stored waits in the spool. */
  async close(): Promise<void> {
    this.#stop.abort(shuttingDown(`site ${this.name}`));
    this.#diary.close();
    this.#readyAhead?.stop();
    await Promise.all([this.loop.stop(), this.gaps?.stop(), this.receiver?.stop()]);
    await Promise.all([this.ownership?.stop(), this.#walArchiver.settled(), this.healthWatch.stop(), this.servers.stop()]);
    await this.fetcher.close();
    await Promise.all(this.catalogs.map((catalog) => catalog.store.close()));
  }

  /** What a store refuses that somebody has to mend is tried again until it has been. */
  #resumeSpool(): Promise<void> {
    const { clock, random, log } = this.#parts;
    const { signal } = this.#stop;
    let told: string | undefined;
    const onRetry = (error: unknown) => {
      const text = explain(error);
      if (text !== told) log.error({ site: this.name }, text);
      told = text;
    };
    return retry(() => this.#walArchiver.resume(signal), resumePolicy, { signal, clock, random, onRetry });
  }

  #ownershipOf(catalog: Catalog): Ownership {
    const { host, version, place, clock, random, log } = this.#parts;
    const { admission, config: site } = this;
    const ttlMs = (site.lease_seconds ?? 60) * 1000;
    const beforeTaking = admission.confirmStore.bind(admission);
    const about = { host, pid: process.pid, version, place: place() };
    const lease = site.lease_seconds === null ? undefined : new SiteLease({ catalog, ttlMs, ...about, beforeTaking, clock, random });
    const onChange = () => {
      this.loop.ownershipChanged();
      this.receiver?.follow();
    };
    return new Ownership({ site: site.name, lease, ttlMs, admission, cluster: this.#cluster, onChange, clock, log });
  }
}

/** A base backup is worth nothing without the WAL that is written while it is taken. */
function obstacleOf(receiver: WalReceiver | undefined): string | undefined {
  if (receiver === undefined || receiver.status.running) return undefined;
  return `its WAL is not being received: ${receiver.status.because}`;
}
