import { access } from 'node:fs/promises';
import type { WalArchiveView } from '../../catalog/wal-archive-view.ts';
import type { DaemonConfig, SiteConfig } from '../../config/load.ts';
import type { Clock } from '../../lib/clock.ts';
import { explain } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { formatWalName } from '../../postgres/wal-name.ts';
import type { WalLag } from '../health/wal-lag.ts';
import type { Site } from '../site.ts';
import type { AlertName } from './alert-catalogue.ts';
import type { Alerts } from './alerts.ts';
import { Heartbeat, type HeartbeatView } from './heartbeat.ts';
import { heartbeatDecision } from './heartbeat-decision.ts';
import { type JudgedSite, judgeSite } from './judge-site.ts';
import type { Verdicts } from './verdicts.ts';

/** What is asked of a site. */
export type WatchedSite = Pick<Site, 'damaged' | 'gaps' | 'health' | 'loop' | 'name' | 'ownership' | 'throttling'>;

export interface SiteWatchDeps {
  readonly name: string;
  /** Undefined while it is being made anew. */
  readonly site: () => WatchedSite | undefined;
  readonly config: () => DaemonConfig;
  readonly alerts: Pick<Alerts, 'raise' | 'clear'>;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
}

const beatMs = 2_000;

/** Looks again and again at how a site is: raises the alerts that follow from that, and beats its heart. */
export class SiteWatch {
  readonly #deps: SiteWatchDeps;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  readonly #heartbeat: Heartbeat;
  readonly #startedMs: number;
  #certainAtMs: number;
  #stillSinceMs: number | undefined;
  #stored: string | undefined;
  #told: string | undefined;

  constructor(deps: SiteWatchDeps) {
    this.#deps = deps;
    const { clock, log, version, name } = deps;
    this.#startedMs = clock.monotonicMs();
    this.#certainAtMs = this.#startedMs;
    this.#heartbeat = new Heartbeat({
      site: name,
      options: () => this.#config,
      decide: () => this.#decideHeartbeat(),
      version,
      clock,
      log,
    });
    this.#running = this.#run();
  }

  get heartbeat(): HeartbeatView | undefined {
    return this.#heartbeat.view;
  }

  async close(): Promise<void> {
    this.#end.abort();
    await Promise.all([this.#running, this.#heartbeat.close()]);
  }

  get #config(): SiteConfig | undefined {
    return this.#deps.config().backup_sites[this.#deps.name];
  }

  async #run(): Promise<void> {
    const { clock, log, name } = this.#deps;
    while (!this.#end.signal.aborted) {
      await this.#look().catch((error: unknown) => {
        const trouble = explain(error);
        if (trouble !== this.#told) log.error({ site: name }, `a look at the site failed: ${trouble}`);
        this.#told = trouble;
      });
      await clock.sleep(beatMs, this.#end.signal).catch(() => {});
    }
  }

  async #look(): Promise<void> {
    const site = this.#deps.site();
    const config = this.#config;
    if (site === undefined || config?.active !== true) return;
    const judged = await this.#judged(site, config);
    await this.#apply(judgeSite(judged, config.alerts ?? this.#deps.config().alerts));
  }

  async #apply(verdicts: Verdicts): Promise<void> {
    const { alerts, name } = this.#deps;
    for (const [alert, because] of Object.entries(verdicts) as [AlertName, string | null][])
      await (because === null ? alerts.clear(alert, name) : alerts.raise(alert, name, because));
  }

  async #judged(site: WatchedSite, config: SiteConfig): Promise<JudgedSite> {
    const { health, gaps, loop, ownership, throttling } = site;
    const nowMs = this.#deps.clock.monotonicMs();
    const view = gaps?.view;
    const segmentBytes = typeof view === 'object' ? view.segmentBytes : undefined;
    if (health.restorable.state === 'yes') this.#certainAtMs = nowMs;
    const newest = typeof view === 'object' ? storedUntil(view) : undefined;
    const isFetched = newest !== undefined && newest === gaps?.fetched;
    return {
      health,
      intervalHours: config.basebackup_interval_hours,
      dueAt: loop.dueAt,
      leftAlone: await this.#leftAlone(site),
      lastFailure: loop.backupFailureBecause,
      segmentBytes,
      hasOnlyBasebackups: hasOnlyBasebackups(config),
      uncertainMs: nowMs - this.#certainAtMs,
      standstillMs: this.#standstill(
        newest,
        { isFetched, isBehind: isLate(health.walLag, segmentBytes), isOnNewTimeline: health.walLag.isOnNewTimeline === true },
        nowMs,
      ),
      isFetched,
      watchedMs: nowMs - this.#startedMs,
      throttledMs: throttling.throttledMs,
      damaged: site.damaged,
      lostTo: ownership?.lostTo,
    };
  }

  /** Counts from when a finished segment was missing, or the last one came. One that was fetched has not come, nor has one of a timeline that the server has left. */
  #standstill(newest: string | undefined, { isFetched, isBehind, isOnNewTimeline }: Behind, nowMs: number): number {
    if (isFetched && !isOnNewTimeline) return this.#stillSinceMs === undefined ? 0 : nowMs - this.#stillSinceMs;
    if (!isBehind || (newest !== this.#stored && !isOnNewTimeline)) this.#stillSinceMs = undefined;
    if (!isOnNewTimeline) this.#stored = newest;
    if (!isBehind) return 0;
    this.#stillSinceMs ??= nowMs;
    return nowMs - this.#stillSinceMs;
  }

  async #leftAlone({ ownership }: WatchedSite): Promise<string | undefined> {
    if (ownership?.standing === 'elsewhere') return ownership.hindrance;
    const isMaintained = await access(this.#deps.config().maintenance_mode_file).then(
      () => true,
      () => false,
    );
    return isMaintained ? 'maintenance mode is on' : undefined;
  }

  #decideHeartbeat() {
    const site = this.#deps.site();
    const config = this.#config;
    if (site === undefined || config === undefined) return { isWell: false, because: 'the site is not open' };
    return heartbeatDecision(site.health, {
      maxAgeSeconds: config.heartbeat_max_age_seconds,
      hasOnlyBasebackups: hasOnlyBasebackups(config),
    });
  }
}

function hasOnlyBasebackups({ active_backup_mode: mode }: SiteConfig): boolean {
  return mode === 'standalone_hot_backup';
}

interface Behind {
  /** The newest stored segment was fetched by this daemon. */
  readonly isFetched: boolean;
  /** A finished segment is not stored, or nothing of the timeline that the server is on now. */
  readonly isBehind: boolean;
  /** Nothing is stored of the timeline that the server is on now. */
  readonly isOnNewTimeline: boolean;
}

function isLate({ bytes = 0, isOnNewTimeline }: WalLag, segmentBytes = 1): boolean {
  return isOnNewTimeline === true || bytes >= segmentBytes;
}

/** The newest stored segment. */
function storedUntil({ ranges, segmentBytes }: WalArchiveView): string {
  const timeline = ranges.timelines.at(-1);
  const number = timeline === undefined ? undefined : ranges.of(timeline).at(-1)?.last;
  return timeline === undefined || number === undefined ? 'nothing' : formatWalName({ timeline, number }, segmentBytes);
}
