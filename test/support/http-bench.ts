import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { unknownRecoverability } from '../../src/catalog/recoverability/recoverability.ts';
import type { CodecPool } from '../../src/codec/pool.ts';
import { siteHealth } from '../../src/daemon/health/site-health.ts';
import { type HttpServer, type HttpServerDeps, type HttpServerOptions, startHttpServer } from '../../src/daemon/http/server.ts';
import type { SiteServices } from '../../src/daemon/http/site-services.ts';
import { OperatorError } from '../../src/lib/errors.ts';
import { silentLog } from '../../src/lib/log.ts';
import { findWalDirectory } from '../../src/wal/wal-directory.ts';
import { viewOf } from './health-view.ts';
import { TestWalSite, type TestWalSiteOptions } from './wal-site.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

/** The HTTP server of a daemon with the one site `main`. */
export interface HttpBench extends AsyncDisposable {
  readonly site: TestWalSite;
  readonly server: HttpServer;
  readonly requested: readonly string[];
  readonly ask: (method: string, path: string, headers?: Record<string, string>, body?: string) => Promise<Answer>;
  /** Sends these bytes and returns all that comes back. */
  readonly raw: (text: string) => Promise<string>;
}

export interface HttpBenchOptions {
  readonly site?: TestWalSiteOptions;
  readonly server?: Partial<HttpServerOptions>;
  readonly deps?: Partial<HttpServerDeps>;
  readonly services?: Partial<SiteServices>;
}

export async function startHttpBench(pool: CodecPool, options: HttpBenchOptions = {}): Promise<HttpBench> {
  const site = await TestWalSite.start(pool, options.site);
  const requested: string[] = [];
  const services: SiteServices = {
    name: 'main',
    archiver: site.archiver,
    fetcher: site.fetcher,
    catalogs: [site.catalog],
    relatives: async () => [site.catalog],
    retention: { pending: undefined, postponed: undefined },
    confirmDeletion: () => {},
    health: siteHealth(viewOf({})),
    recoverability: { at: new Date(0), found: unknownRecoverability('nothing is known yet') },
    plan: () => Promise.reject(new OperatorError('no-basebackup', 'there is none', { hint: 'Take one.' })),
    history: undefined,
    requestBasebackup: () => void requested.push('main'),
    walDirectory: () => findWalDirectory(join(site.directory, 'pgdata')),
    ...options.services,
  };
  const server = await startHttpServer({ address: '127.0.0.1', port: 0, ...options.server }, new Map([[services.name, services]]), {
    version: '9.9.9',
    log: silentLog,
    readStatus: async () => '{"state": 1}',
    ...options.deps,
  });
  const dispose = async () => {
    await server.close(0);
    await site[Symbol.asyncDispose]();
  };
  return {
    site,
    server,
    requested,
    ask: (method, path, headers = {}, body = '') => askServer(server.port, method, path, headers, body),
    raw: (text) => sendRaw(server.port, text),
    [Symbol.asyncDispose]: dispose,
  };
}

export async function askServer(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string,
): Promise<Answer> {
  const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const bytes = await buffer(incoming);
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: bytes, text: bytes.toString() };
}

async function sendRaw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(text, 'latin1');
  return (await buffer(socket)).toString('latin1');
}
