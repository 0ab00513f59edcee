import { Catalog } from '../catalog/catalog.ts';
import { SiteKeys } from '../catalog/keys.ts';
import type { SiteConfig } from '../config/load.ts';
import { explain } from '../lib/errors.ts';
import { shuttingDown } from '../lib/shutting-down.ts';
import { openStore } from '../storage/drivers.ts';
import { Spool } from '../transfer/spool.ts';
import { WalArchiver, type WalArchiverDeps } from '../wal/archive.ts';
import { WalFetcher } from '../wal/fetch.ts';
import { depthRange } from '../wal/prefetch-depth.ts';
import { filesAheadMax, ReadyAhead } from '../wal/ready-ahead.ts';
import type { WalReceiver } from '../wal/receive/receiver.ts';
import type { WalSource } from '../wal/stored-wal.ts';
import { WalBeginnings } from '../wal/wal-beginnings.ts';
import { findWalDirectory } from '../wal/wal-directory.ts';
import { compressionOf } from './basebackup-job.ts';
import { ClusterWatch } from './cluster-watch.ts';
import type { DaemonParts, SettingsForSites } from './daemon-parts.ts';
import type { SiteServices } from './http/site-services.ts';
import { privateKeyFinder, relatedSites, sealingKey } from './site-keys.ts';
import { SiteLoop } from './site-loop.ts';
import type { WalGaps } from './wal-gaps.ts';
import { walGapsOf } from './wal-gaps-of-site.ts';
import { archiveLeftBehind, type ReceiverParts, receiverOf } from './wal-receiver.ts';

/** One site at work: everything that belongs to it, opened together and closed together. */
export class Site implements SiteServices {
  readonly config: SiteConfig;
  readonly catalogs: readonly [Catalog, ...Catalog[]];
  readonly archiver: Pick<WalArchiver, 'archive'>;
  readonly fetcher: WalFetcher;
  readonly loop: SiteLoop;
  /** Where the site receives its WAL itself. */
  readonly receiver: WalReceiver | undefined;
  /** Where its WAL is archived. */
  readonly gaps: WalGaps | undefined;
  readonly #receiverParts: ReceiverParts;
  readonly #walArchiver: WalArchiver;
  readonly #readyAhead: ReadyAhead | undefined;
  readonly #parts: DaemonParts;
  readonly #cluster: ClusterWatch;
  /** Ends uploads; the loop has its own end. */
  readonly #stop: AbortController;

  static async open(parts: DaemonParts, site: SiteConfig): Promise<Site> {
    const sources = await openSources(parts.config, site);
    const spool = new Spool(parts.config.backup_location, site.prefix, parts.random);
    await spool.ensure();
    await spool.removeDebris();
    return new Site(parts, site, sources, spool);
  }

  private constructor(parts: DaemonParts, site: SiteConfig, sources: readonly [WalSource, ...WalSource[]], spool: Spool) {
    const { config, walPool: pool, uploads, alerts, servedFiles, log, host } = parts;
    const [{ catalog, privateKeyOf }, ...moved] = sources;
    const encryption = sealingKey(site);
    this.#parts = parts;
    this.#stop = new AbortController();
    this.#cluster = new ClusterWatch({ site, alerts, log });
    this.config = site;
    this.catalogs = [catalog, ...moved.map((source) => source.catalog)];
    const archiving: WalArchiverDeps = {
      site: site.name,
      catalog,
      spool,
      pool,
      uploads,
      sealing: { compression: compressionOf(config), hashAlgorithm: config.hash_algorithm, ...(encryption && { encryption }) },
      privateKeyOf,
      host,
      cluster: () => this.#cluster.facts,
      onStored: (file) => this.gaps?.stored(file),
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
      onServed: (file) => servedFiles.served(file),
      log,
    });
    const walObstacle = () => obstacleOf(this.receiver);
    this.loop = new SiteLoop({ parts, site, catalogs: this.catalogs, spool, cluster: this.#cluster, walObstacle });
    const { loop } = this;
    const rejected = () => this.receiver?.status.rejected ?? [];
    this.gaps = walGapsOf({ parts, site, sources, spool, archiver, cluster: this.#cluster, loop, rejected, closing: this.#stop.signal });
    const { gaps } = this;
    const onHole: ReceiverParts['onHole'] = (hole) => gaps?.report(hole);
    this.#receiverParts = {
      parts,
      site,
      catalogs: this.catalogs,
      spool,
      archiver,
      beginnings: new WalBeginnings(archiving),
      cluster: this.#cluster,
      loop,
      onHole,
      signal: this.#stop.signal,
    };
    this.receiver = receiverOf(this.#receiverParts);
  }

  get name(): string {
    return this.config.name;
  }

  /** Begins what the site does by itself. */
  start(): void {
    this.loop.start();
    this.gaps?.start();
    const tell = (error: unknown) => {
      if (!this.#stop.signal.aborted) this.#parts.log.error({ site: this.name }, explain(error));
    };
    this.#walArchiver.resume(this.#stop.signal).catch(tell);
    if (this.receiver) this.receiver.start();
    else archiveLeftBehind(this.#receiverParts).catch(tell);
  }

  requestBasebackup(): void {
    this.loop.requestBasebackup();
  }

  async walDirectory(): Promise<string | undefined> {
    const directory = this.config.pg_data_directory;
    return directory === null ? undefined : findWalDirectory(directory);
  }

  /** Ends a running base backup, and waits until the WAL that is on its way has arrived. */
  async drain(): Promise<void> {
    this.#readyAhead?.stop();
    await Promise.all([this.loop.stop(), this.gaps?.stop(), this.receiver?.stop()]);
    await this.#walArchiver.settled();
  }

  /** Lets go of everything. What had not been stored waits in the spool. */
  async close(): Promise<void> {
    this.#stop.abort(shuttingDown(`site ${this.name}`));
    this.#readyAhead?.stop();
    await Promise.all([this.loop.stop(), this.gaps?.stop(), this.receiver?.stop()]);
    await this.#walArchiver.settled();
    await this.fetcher.close();
    await Promise.all(this.catalogs.map((catalog) => catalog.store.close()));
  }
}

/** A base backup is worth nothing without the WAL that is written while it is taken. */
function obstacleOf(receiver: WalReceiver | undefined): string | undefined {
  if (receiver === undefined || receiver.status.running) return undefined;
  return `its WAL is not being received: ${receiver.status.because}`;
}

async function openSources(config: SettingsForSites, site: SiteConfig): Promise<[WalSource, ...WalSource[]]> {
  const [own, ...moved] = relatedSites(config, site);
  return [await openSource(own), ...(await Promise.all(moved.map(openSource)))];
}

async function openSource(site: SiteConfig): Promise<WalSource> {
  const store = await openStore(site.object_storage);
  return { site: site.name, catalog: new Catalog(store, new SiteKeys(site.prefix)), privateKeyOf: privateKeyFinder(site) };
}
