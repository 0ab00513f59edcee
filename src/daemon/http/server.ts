import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { systemClock } from '../../lib/clock.ts';
import { OperatorError, systemErrorCode } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { shuttingDown } from '../../lib/shutting-down.ts';
import { ownPostgresCommand } from '../../restore/own-postgres-command.ts';
import { reachableHost } from '../../restore/restore-command.ts';
import type { TransferState } from '../../transfer/transfer-stats.ts';
import type { Alert } from '../alerts/alert.ts';
import type { Credentials } from './basic-auth.ts';
import { limitConnections } from './limit-connections.ts';
import { Live } from './live.ts';
import { ReplyLog } from './reply-log.ts';
import { type Serving, serve } from './serve.ts';
import { type DaemonServices, type PlanHow, type SiteServices, type WaitLimits, waitLimitsDefault } from './site-services.ts';

export interface HttpServerOptions {
  /** `http_address`: a name or an address; empty for all IPv4 addresses, `::` for all of both kinds. */
  readonly address: string;
  /** `http_port`; 0 for any free one. */
  readonly port: number;
  /** `webserver_username`, `webserver_password`: where both are given, every request needs them. */
  readonly username?: string | null | undefined;
  readonly password?: string | null | undefined;
  /** `dashboard_actions` */
  readonly mayAct?: boolean;
}

export interface HttpServerDeps extends Pick<DaemonServices, 'readStatus' | 'metrics'> {
  /** For the header `Server`. */
  readonly version: string;
  readonly log: Log;
  readonly limits?: Partial<WaitLimits>;
  /** What was stored since ever, by site. */
  readonly transfers?: () => TransferState;
  /** What is wrong now. */
  readonly alerts?: () => readonly Alert[];
  /** For command lines that are shown. */
  readonly configFile?: string;
}

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
  /** Stops listening, gives running requests a moment, then answers 503 to those that still wait. What they have begun goes on. */
  close(graceMs?: number): Promise<void>;
}

const headerBytesMax = 16 * 1024;
const headersMsMax = 10_000;
const requestMsMax = 30_000;
/** Longer than any route waits in silence. */
const idleMsMax = 180_000;
const connectionsMax = 200;
const closeGraceMs = 5_000;
const lastWordsMs = 500;

/** Resolves once it listens. Rejects with `http-listen-failed`. */
export async function startHttpServer(
  options: HttpServerOptions,
  sites: ReadonlyMap<string, SiteServices>,
  deps: HttpServerDeps,
): Promise<HttpServer> {
  const end = new AbortController();
  const { log, version } = deps;
  const closing = new AbortController();
  const live = openLive(options, sites, deps, closing.signal);
  const planHow = () => planHowOf(options, (server.address() as AddressInfo).port, deps.configFile);
  const services: DaemonServices = { ...deps, sites, live, planHow, limits: { ...waitLimitsDefault, ...deps.limits } };
  const replyLog = new ReplyLog(log, systemClock);
  const serving: Serving = {
    credentials: credentialsOf(options),
    services,
    log,
    replyLog,
    version,
    mayAct: options.mayAct ?? false,
    end: end.signal,
  };
  const server = createServer(
    {
      maxHeaderSize: headerBytesMax,
      headersTimeout: headersMsMax,
      requestTimeout: requestMsMax,
      connectionsCheckingInterval: headersMsMax / 2,
    },
    (request, response) => void serve(request, response, serving),
  );
  limitConnections(server, connectionsMax);
  server.setTimeout(idleMsMax);
  server.on('clientError', refuseGibberish);
  await listen(server, options);
  const close = (graceMs = closeGraceMs) => {
    closing.abort();
    return closeServer(server, end, graceMs);
  };
  return { port: (server.address() as AddressInfo).port, close, [Symbol.asyncDispose]: () => close() };
}

/** Who follows is let go as soon as the server closes: what was asked for is what it waits for. */
function openLive(
  { mayAct = false }: HttpServerOptions,
  sites: ReadonlyMap<string, SiteServices>,
  { version, configFile, transfers = () => ({}), alerts = () => [] }: HttpServerDeps,
  closing: AbortSignal,
): DaemonServices['live'] {
  const daemon = { version, started_at: systemClock.now().toISOString(), config_file: configFile ?? null, may_act: mayAct };
  const live = new Live({ sites, daemon, transfers, alerts, clock: systemClock });
  return { answer: (method, signal) => live.answer(method, AbortSignal.any([signal, closing])) };
}

/** Rejects with `http-listen-failed` if the server could not listen there now. */
export async function checkAddress(options: HttpServerOptions): Promise<void> {
  const server = createServer();
  await listen(server, options);
  server.close();
  await once(server, 'close');
}

/** Restored servers on this host get their WAL here. */
function planHowOf(options: HttpServerOptions, port: number, configFile: string | undefined): PlanHow {
  const daemon = { program: ownPostgresCommand(), host: reachableHost(options.address), port, credentials: credentialsOf(options) };
  return { daemon, configFile };
}

function credentialsOf({ username, password }: HttpServerOptions): Credentials | undefined {
  return username && password ? { username, password } : undefined;
}

async function listen(server: Server, { address, port }: HttpServerOptions): Promise<void> {
  const host = address === '' ? '0.0.0.0' : address.replace(/^\[(.*)\]$/, '$1');
  try {
    server.listen({ host, port });
    await once(server, 'listening');
  } catch (error) {
    const isTaken = systemErrorCode(error) === 'EADDRINUSE';
    throw new OperatorError('http-listen-failed', `cannot listen at ${host} port ${port}`, {
      cause: error,
      hint: isTaken ? 'Another program listens there, maybe another pghoard. See http_port.' : 'Check http_address and http_port.',
    });
  }
}

function refuseGibberish(error: Error, socket: Socket): void {
  if (!socket.writable) return;
  const code = systemErrorCode(error);
  const status =
    code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

async function closeServer(server: Server, end: AbortController, graceMs: number): Promise<void> {
  const timers = new AbortController();
  const wait = (ms: number) => systemClock.sleep(ms, timers.signal).catch(() => {});
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  await Promise.race([closed, wait(graceMs)]);
  end.abort(shuttingDown());
  await Promise.race([closed, wait(lastWordsMs)]);
  server.closeAllConnections();
  await closed;
  timers.abort();
}
