import type { Catalog } from '../catalog/catalog.ts';
import type { SiteConfig } from '../config/load.ts';
import { explain, type OperatorError } from '../lib/errors.ts';
import { shuttingDown } from '../lib/shutting-down.ts';
import type { PlanRequest } from '../restore/plan/plan-request.ts';
import type { RestorePlanDocument } from '../restore/plan/restore-plan-document.ts';
import type { Spool } from '../transfer/spool.ts';
import { readWalTimes } from '../wal/index/read-wal-times.job.ts';
import { findWalDirectory } from '../wal/wal-directory.ts';
import { Admission } from './admission.ts';
import type { ThrottleWatch } from './alerts/throttle-watch.ts';
import { ClusterWatch } from './cluster-watch.ts';
import type { DaemonParts } from './daemon-parts.ts';
import type { SiteDrills } from './drills/site-drills.ts';
import { drillsOf } from './drills-of-site.ts';
import { HealthWatch } from './health/health-watch.ts';
import { ProofWatch } from './health/proof-watch.ts';
import type { SiteHealth } from './health/site-health.ts';
import { SpoolWatch } from './health/spool-watch.ts';
import type { PlanHow, SiteServices } from './http/site-services.ts';
import type { LeasedReceiver } from './leased-receiver.ts';
import type { Ownership } from './ownership.ts';
import { ownershipOf } from './ownership-of-site.ts';
import type { ProgramWatch } from './program-watch.ts';
import { programWatchOf } from './program-watch-of-site.ts';
import { openServerWatch } from './servers/open-server-watch.ts';
import type { ServerWatch } from './servers/server-watch.ts';
import { openBelongings, type SiteBelongings, troubleOf } from './site-belongings.ts';
import { SiteDiary } from './site-diary.ts';
import { privateKeysOf } from './site-keys.ts';
import { SiteLoop } from './site-loop.ts';
import { SitePlans } from './site-plans.ts';
import { catalogsOfOneCluster, type SiteSources } from './site-sources.ts';
import type { SiteVerify, VerifyState } from './site-verify.ts';
import { damageInWords, siteVerifyOf } from './site-verify-of-site.ts';
import { SiteWal } from './site-wal.ts';
import type { WalGaps } from './wal-gaps.ts';

/** One site at work: everything that belongs to it, opened together and closed together. */
export class Site implements SiteServices {
  readonly config: SiteConfig;
  readonly loop: SiteLoop;
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
  /** Why it does nothing: its spool cannot be used. It stays so; another site takes its place once that is mended. */
  readonly trouble: OperatorError | undefined;
  readonly #spool: Spool;
  readonly #sources: SiteSources;
  readonly #wal: SiteWal;
  readonly #diary: SiteDiary;
  readonly #programs: ProgramWatch;
  readonly #verify: SiteVerify | undefined;
  readonly #verifyEnd = new AbortController();
  #verifying: Promise<void> = Promise.resolve();
  readonly #plans: SitePlans;
  readonly #drills: SiteDrills | undefined;
  /** Ends uploads; the loop has its own end. */
  readonly #stop: AbortController;

  static async open(parts: DaemonParts, site: SiteConfig): Promise<Site> {
    const stop = new AbortController();
    return new Site(parts, site, await openBelongings(parts, site, stop.signal), stop);
  }

  private constructor(parts: DaemonParts, site: SiteConfig, belongings: SiteBelongings, stop: AbortController) {
    const { sources, storeWatch, throttling, spool, spoolTrouble, keeper, requested, names } = belongings;
    const { alerts, clock, log } = parts;
    const [{ catalog }] = sources;
    this.config = site;
    this.throttling = throttling;
    this.trouble = spoolTrouble;
    this.#spool = spool;
    this.#sources = sources;
    this.#stop = stop;
    this.#diary = new SiteDiary({
      site: site.name,
      health: () => this.health,
      basebackups: () => this.loop.listing?.entries,
      segmentBytes: () => cluster.facts.segmentBytes,
      clock,
      log,
    });
    this.servers = openServerWatch(parts, site, {
      expected: () => keeper.identity ?? cluster.identity,
      alerts: alerts.from('servers'),
      onChange: () => {
        this.loop.lookAgain();
        this.#programs.lookAgain();
      },
    });
    const { servers } = this;
    const cluster = new ClusterWatch({ directory: site.pg_data_directory, serverVersion: () => servers.pgVersion });
    this.#programs = programWatchOf(parts, site, cluster);
    this.admission = new Admission({ site: site.name, keeper, cluster, alerts, clock, log });
    const { admission } = this;
    const onChange = () => {
      this.loop.ownershipChanged();
      this.receiver?.follow();
    };
    const ownership = ownershipOf({ parts, site, catalog, admission, cluster, onChange });
    this.ownership = site.active ? ownership : undefined;
    const relatives = this.relatives.bind(this);
    const common = { parts, site, catalog, relatives, spool, cluster, admission, ownership, servers, programs: this.#programs };
    this.loop = new SiteLoop({
      ...common,
      requested,
      names,
      walObstacle: () => this.#wal.obstacle,
      because: spoolTrouble && explain(spoolTrouble),
    });
    const { loop } = this;
    this.#wal = new SiteWal({ ...common, sources, loop, diary: this.#diary, closing: stop.signal });
    this.#verify = siteVerifyOf({ ...common, loop, signal: AbortSignal.any([stop.signal, this.#verifyEnd.signal]) });
    this.healthWatch = new HealthWatch({
      parts,
      site,
      loop,
      gaps: this.gaps,
      receiver: () => this.receiver,
      servers,
      isOwn: () => ownership.isHeld,
      store: storeWatch,
      spool: new SpoolWatch(spool, clock),
      book: parts.sampleBooks.of(site.name),
      proof: new ProofWatch({
        site: site.name,
        catalog,
        listing: () => loop.listing,
        archive: () => this.gaps?.view,
        readRestorePoints: (ending) => this.#wal.history?.restorePoints(ending) ?? Promise.resolve([]),
        readTimes: (wanted, segmentBytes, ending) => readTimes(parts, site, { names: wanted, segmentBytes, signal: ending }),
        log,
      }),
    });
    this.#plans = new SitePlans({
      parts,
      site,
      catalog,
      knowledge: () => this.healthWatch.planKnowledge,
      basebackups: () => loop.listing?.entries,
    });
    this.#drills = drillsOf({
      parts,
      site,
      catalog,
      ownership,
      isRestorable: () => this.health.restorable.is,
      onHeld: () => void this.loop.listAgain(),
    });
  }

  get name(): string {
    return this.config.name;
  }

  get catalogs(): readonly Catalog[] {
    return this.#sources.map(({ catalog }) => catalog);
  }

  get archiver(): SiteServices['archiver'] {
    const { trouble } = this;
    return trouble === undefined ? this.#wal.archiver : { archive: () => Promise.reject(trouble) };
  }

  get fetcher(): SiteServices['fetcher'] {
    const { trouble } = this;
    return trouble === undefined ? this.#wal.fetcher : { fetch: () => Promise.reject(trouble) };
  }

  get receiver(): LeasedReceiver | undefined {
    return this.#wal.receiver;
  }

  get gaps(): WalGaps | undefined {
    return this.#wal.gaps;
  }

  get health(): SiteHealth {
    return this.healthWatch.health;
  }

  /** What is known of what is stored. */
  get verified(): VerifyState['report'] {
    return this.#verify?.state.report;
  }

  /** Which of it is damaged, in words; null: nothing is, as far as it was read. Undefined: nobody knows, or does not ask. */
  get damaged(): string | null | undefined {
    return damageInWords(this.#verify);
  }

  get recoverability(): SiteServices['recoverability'] {
    return this.healthWatch.recoverability;
  }

  plan(request: PlanRequest, how: PlanHow, signal: AbortSignal): Promise<RestorePlanDocument> {
    return this.#plans.make(request, how, signal);
  }

  get history(): SiteServices['history'] {
    return this.#wal.history;
  }

  get retention(): SiteServices['retention'] {
    return { pending: this.loop.pendingDeletion, postponed: this.loop.retentionPostponed };
  }

  /** Begins what the site does by itself. */
  start(): void {
    this.servers.start();
    this.healthWatch.start();
    if (this.trouble !== undefined) return;
    this.ownership?.start();
    if (this.config.active) this.#programs.start();
    this.loop.start();
    this.#diary.start();
    this.#wal.start();
    this.#verifying = this.#verify?.run() ?? Promise.resolve();
    this.#drills?.start();
  }

  /** Whether what is the trouble has been mended. */
  async isMended(): Promise<boolean> {
    return (await troubleOf(this.#spool)) === undefined;
  }

  async requestBasebackup(): Promise<void> {
    await this.loop.requestBasebackup();
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
    this.#verifyEnd.abort(shuttingDown(`site ${this.name}`));
    await Promise.all([this.loop.stop(), this.#wal.stop(), this.#drills?.stop()]);
    await Promise.all([this.ownership?.stop(), this.#wal.settled(), this.#programs.stop(), this.servers.stop(), this.#verifying]);
  }

  /** Lets go of everything. What had not been stored waits in the spool. */
  async close(): Promise<void> {
    this.#stop.abort(shuttingDown(`site ${this.name}`));
    this.#diary.close();
    await Promise.all([this.drain(), this.healthWatch.stop()]);
    await this.#wal.fetcher.close();
    await Promise.all(this.catalogs.map((catalog) => catalog.store.close()));
  }
}

interface TimesWanted {
  readonly names: readonly string[];
  readonly segmentBytes: number;
  readonly signal: AbortSignal;
}

/** A segment that ends no transaction says nothing, nor does a run of idle ones. */
const indexesBackMax = 16;

function readTimes({ pool }: DaemonParts, site: SiteConfig, { names, segmentBytes, signal }: TimesWanted) {
  const source = { storage: site.object_storage, prefix: site.prefix, privateKeys: privateKeysOf(site) };
  return pool.run(readWalTimes, { source, segmentBytes, names, backMax: indexesBackMax }, { signal });
}
