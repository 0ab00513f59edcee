import type { Clock } from '../../lib/clock.ts';
import { OperatorError } from '../../lib/errors.ts';
import type { TransferState } from '../../transfer/transfer-stats.ts';
import type { Alert } from '../alerts/alert.ts';
import type { Severity } from '../alerts/alert-catalogue.ts';
import { type HealthDocument, healthAsDocument } from '../health/health-document.ts';
import type { Reply } from './reply.ts';
import { describeRetention, type RetentionDocument } from './retention.ts';
import type { SiteServices } from './site-services.ts';

/** Event `daemon` of `GET /events`: the first one of a stream. */
export interface LiveDaemonDocument {
  readonly version: string;
  /** When this process has started to listen. */
  readonly started_at: string;
  /** For command lines; null where it is not known. */
  readonly config_file: string | null;
  /** Whether the dashboard may do more than look (`dashboard_actions`). */
  readonly may_act: boolean;
}

export interface LiveAlertDocument {
  readonly name: string;
  readonly severity: Severity;
  readonly since: string;
  readonly because: string;
  /** What to do next. */
  readonly hint: string;
}

/** Event `site`: a site as it is now, whenever that is not as it was. */
export interface LiveSiteDocument {
  readonly site: string;
  readonly health: HealthDocument;
  readonly retention: RetentionDocument;
  readonly alerts: readonly LiveAlertDocument[];
  /** Bytes stored since ever; only ever grows, but for a state file that was lost. */
  readonly stored_bytes: { readonly wal: number; readonly basebackups: number };
}

/** Event `beat`: how things stand is as told so far. Comes after each round, `everyMs` apart. */
export interface LiveBeatDocument {
  readonly at: string;
  /** All that there are. */
  readonly sites: readonly string[];
  /** Those that are of no site. */
  readonly alerts: readonly LiveAlertDocument[];
}

export interface LiveDeps {
  /** Changes as sites come and go. */
  readonly sites: ReadonlyMap<string, Pick<SiteServices, 'name' | 'health' | 'retention'>>;
  readonly daemon: LiveDaemonDocument;
  readonly transfers: () => TransferState;
  readonly alerts: () => readonly Alert[];
  readonly clock: Clock;
}

const followersMax = 20;
const everyMs = 2_000;

/**
 * `GET /events`: how all sites are, as server-sent events: everything first, then what changes. A reader gets what is newest once it has taken what came before, so
 * nothing piles up for a slow one. Whoever comes back gets everything again: nothing need be remembered for it.
 */
export class Live {
  readonly #deps: LiveDeps;
  #followers = 0;
  #round: { readonly atMs: number; readonly texts: ReadonlyMap<string, string> } = { atMs: Number.NEGATIVE_INFINITY, texts: new Map() };

  constructor(deps: LiveDeps) {
    this.#deps = deps;
  }

  /** Throws `too-many-followers`. The signal ends the stream. */
  answer(method: string, signal: AbortSignal): Reply {
    const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' };
    if (method === 'HEAD') return { status: 200, headers, body: '' };
    if (this.#followers >= followersMax) {
      throw new OperatorError('too-many-followers', `${followersMax} dashboards follow this daemon already`, {
        retryable: true,
        hint: 'Close some of them: each open page is one.',
      });
    }
    return { status: 200, headers, body: { pieces: this.#follow(signal) } };
  }

  async *#follow(signal: AbortSignal): AsyncGenerator<string> {
    this.#followers++;
    try {
      const told = new Map<string, string>();
      yield `retry: 1000\n${eventOf('daemon', this.#deps.daemon)}`;
      while (!signal.aborted) {
        yield this.#news(told);
        await this.#deps.clock.sleep(everyMs, signal).catch(() => {});
      }
    } finally {
      this.#followers--;
    }
  }

  #news(told: Map<string, string>): string {
    const { clock, sites, alerts } = this.#deps;
    const texts = this.#current();
    const changed = [...texts].filter(([name, text]) => told.get(name) !== text);
    for (const [name, text] of changed) told.set(name, text);
    for (const name of told.keys()) if (!texts.has(name)) told.delete(name);
    const beat: LiveBeatDocument = { at: clock.now().toISOString(), sites: [...sites.keys()], alerts: alertsOf(null, alerts()) };
    return changed.map(([, text]) => text).join('') + eventOf('beat', beat);
  }

  /** Found once for all who follow. */
  #current(): ReadonlyMap<string, string> {
    const { clock, sites } = this.#deps;
    const atMs = clock.monotonicMs();
    if (atMs - this.#round.atMs < everyMs / 2) return this.#round.texts;
    const shared = { stored: this.#deps.transfers(), alerts: this.#deps.alerts() };
    const texts = new Map([...sites.values()].map((site) => [site.name, eventOf('site', describeLive(site, shared))]));
    this.#round = { atMs, texts };
    return texts;
  }
}

function describeLive(
  { name, health, retention }: Pick<SiteServices, 'name' | 'health' | 'retention'>,
  { stored, alerts }: { readonly stored: TransferState; readonly alerts: readonly Alert[] },
): LiveSiteDocument {
  const uploads = Object.entries(stored[name]?.['upload'] ?? {});
  const bytesOf = (kind: string) => uploads.reduce((sum, [fileType, { data }]) => (fileType.startsWith(kind) ? sum + data : sum), 0);
  return {
    site: name,
    health: healthAsDocument(health),
    retention: describeRetention(retention),
    alerts: alertsOf(name, alerts),
    stored_bytes: { wal: bytesOf('xlog'), basebackups: bytesOf('basebackup') },
  };
}

function alertsOf(of: string | null, alerts: readonly Alert[]): LiveAlertDocument[] {
  return alerts
    .filter(({ site }) => site === of)
    .map(({ name, severity, since, because, hint }) => ({ name, severity, since: since.toISOString(), because, hint }));
}

/** JSON has no line breaks, so that one line holds it. */
function eventOf(kind: string, document: LiveDaemonDocument | LiveSiteDocument | LiveBeatDocument): string {
  return `event: ${kind}\ndata: ${JSON.stringify(document)}\n\n`;
}
