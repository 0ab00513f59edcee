import { unknownRecoverability } from '../../src/catalog/recoverability/recoverability.ts';
import { type SiteHealth, siteHealth } from '../../src/daemon/health/site-health.ts';
import { type HttpServer, type HttpServerOptions, startHttpServer } from '../../src/daemon/http/server.ts';
import type { SiteServices } from '../../src/daemon/http/site-services.ts';
import { silentLog } from '../../src/lib/log.ts';
import { viewOf } from './health-view.ts';

const elsewhere = () => Promise.reject(new Error('nobody asks for that here'));

export interface MadeUpSite {
  readonly name: string;
  /** Has a deletion wait for its confirmation. */
  readonly pending?: { readonly digest: string; readonly because: string; readonly doomed: readonly string[] };
  /** Otherwise nothing of it is known. */
  readonly health?: SiteHealth;
  readonly alert?: { readonly because: string; readonly hint: string };
}

/** `version` and `configFile`: as it tells them. */
export type MadeUpDaemonOptions = Partial<HttpServerOptions> & { readonly version?: string; readonly configFile?: string };

export interface MadeUpDaemon extends AsyncDisposable {
  readonly url: string;
  readonly server: HttpServer;
  readonly sites: Map<string, SiteServices>;
  /** What was asked for: `SITE basebackup`, `SITE DIGEST`. */
  readonly asked: readonly string[];
}

/** The real HTTP server, with sites that are made up: for what a real daemon is only once in its life, or must never be. */
export async function startMadeUpDaemon(madeUp: readonly MadeUpSite[], options: MadeUpDaemonOptions = {}): Promise<MadeUpDaemon> {
  const { version = '9.9.9', configFile = '/etc/pg hoard.json', ...listening } = options;
  const asked: string[] = [];
  const sites = new Map(madeUp.map((site) => [site.name, servicesOf(site, asked)]));
  const server = await startHttpServer({ address: '127.0.0.1', port: 0, ...listening }, sites, {
    version,
    log: silentLog,
    readStatus: async () => '{}',
    configFile,
    alerts: () =>
      madeUp.flatMap(({ name, alert }) =>
        alert === undefined ? [] : [{ name: 'wal_gap', severity: 'critical', site: name, since: new Date(0), times: 1, ...alert }],
      ),
  });
  return { url: `http://127.0.0.1:${server.port}/`, server, sites, asked, [Symbol.asyncDispose]: () => server.close(0) };
}

function servicesOf({ name, pending, health = { ...siteHealth(viewOf({})), site: name } }: MadeUpSite, asked: string[]): SiteServices {
  return {
    name,
    archiver: { archive: elsewhere },
    fetcher: { fetch: elsewhere },
    catalogs: [],
    relatives: async () => [],
    health,
    recoverability: { at: health.at, found: unknownRecoverability('nothing is known yet') },
    plan: elsewhere,
    history: undefined,
    requestBasebackup: () => void asked.push(`${name} basebackup`),
    retention: { pending: pending && { wal: '', ...pending }, postponed: undefined },
    confirmDeletion: (digest) => void asked.push(`${name} ${digest}`),
    walDirectory: async () => undefined,
  };
}
