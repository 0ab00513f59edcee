import type { LiveAlertDocument, LiveBeatDocument, LiveDaemonDocument, LiveSiteDocument } from '../src/daemon/http/api.ts';

/** Something of a site as it was at moments; for charts. */
export interface Reading {
  /** By this computer's clock. */
  readonly atMs: number;
  readonly lagBytes: number | undefined;
  readonly lagSeconds: number | undefined;
  readonly walBytes: number;
  readonly basebackupBytes: number;
}

export interface SiteState {
  readonly document: LiveSiteDocument;
  /** When it came, by this computer's clock. */
  readonly heardMs: number;
  /** Oldest first. */
  readonly readings: Reading[];
}

/** Half an hour, as they come every other second. */
const readingsMax = 900;

/** What the daemon has told so far. */
export class State {
  daemon: LiveDaemonDocument | undefined;
  readonly sites = new Map<string, SiteState>();
  alerts: readonly LiveAlertDocument[] = [];
  /** When the daemon was last heard, by this computer's clock; undefined: never. */
  heardMs: number | undefined;
  isConnected = false;

  heardDaemon(daemon: LiveDaemonDocument): void {
    this.daemon = daemon;
  }

  heardSite(document: LiveSiteDocument, nowMs: number): void {
    const readings = this.sites.get(document.site)?.readings ?? [];
    readings.push(readingOf(document, nowMs));
    if (readings.length > readingsMax) readings.shift();
    this.sites.set(document.site, { document, heardMs: nowMs, readings });
  }

  heardBeat({ sites, alerts }: LiveBeatDocument, nowMs: number): void {
    const present = new Set(sites);
    for (const name of this.sites.keys()) if (!present.has(name)) this.sites.delete(name);
    this.alerts = alerts;
    this.heardMs = nowMs;
    this.isConnected = true;
  }

  /** In the order of their names. */
  get names(): readonly string[] {
    return [...this.sites.keys()].toSorted((a, b) => a.localeCompare(b));
  }
}

function readingOf({ health, stored_bytes: stored }: LiveSiteDocument, atMs: number): Reading {
  return {
    atMs,
    lagBytes: health.wal_lag.bytes ?? undefined,
    lagSeconds: health.wal_lag.seconds ?? undefined,
    walBytes: stored.wal,
    basebackupBytes: stored.basebackups,
  };
}
