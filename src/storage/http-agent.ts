import { type AgentOptions, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, checkServerIdentity, TLSSocket } from 'node:tls';
import type { ProxyOptions } from './common-options.ts';

export interface HttpAgentOptions {
  readonly secure: boolean;
  /** Certificates to trust in place of those that Node knows. */
  readonly ca?: string | undefined;
  /** Whether the certificate of the store is checked, as it should be. */
  readonly verifiesTls?: boolean;
  /** `of-environment`: as `HTTPS_PROXY` and its likes name it. */
  readonly proxy: ProxyOptions | 'of-environment' | null;
  /** A connection on which nothing moves for so long is given up, with ETIMEDOUT for who waits for it. */
  readonly idleMs: number;
  /** For how long one that is not used is kept; as long, where nothing is said. */
  readonly keptMs?: number;
}

/** Connections to one store: kept for the next request, and never waited for without end. */
export async function openHttpAgent(asked: HttpAgentOptions): Promise<HttpAgent> {
  const { secure, ca, verifiesTls = true, proxy, idleMs, keptMs = idleMs } = asked;
  const options = { keepAlive: true, timeout: keptMs, rejectUnauthorized: verifiesTls, ...(ca !== undefined && { ca }) };
  if (typeof proxy === 'object' && proxy)
    return limitSilence(await openProxyAgent(proxy, secure, { ...options, timeout: idleMs }), false, idleMs);
  const direct = { ...options, ...(proxy && { proxyEnv: process.env }) };
  return limitSilence(secure ? new HttpsAgent(direct) : new HttpAgent(direct), secure && proxy !== null, idleMs);
}

async function openProxyAgent(proxy: ProxyOptions, secure: boolean, options: AgentOptions & { timeout: number }): Promise<HttpAgent> {
  const url = new URL(`${proxy.type === 'http' ? 'http' : 'socks5h'}://${hostInUrl(proxy.host)}:${proxy.port}`);
  if (proxy.user !== null) url.username = encodeURIComponent(proxy.user);
  if (proxy.pass !== null) url.password = encodeURIComponent(proxy.pass);
  const openAgent = await proxyAgents(proxy.type, url);
  const agent = openAgent();
  // For the connection behind the proxy; the constructors take what they get for that to the proxy. `secureEndpoint` spares
  // them guessing from the stack, by which they would not find an encrypted connection again.
  Object.assign(agent.options, options, { secureEndpoint: secure });
  agent.connect = (request, target) => {
    const giveUp = new AbortController();
    const connecting = openAgent(giveUp.signal).connect(request, Object.assign(target, addressChecked(target.host)));
    return inTime(connecting, options.timeout, giveUp);
  };
  return agent;
}

/** Agents of one kind; what they connect to a proxy that says nothing is closed by the signal. The SOCKS library does so itself, after 30 seconds. */
async function proxyAgents(type: ProxyOptions['type'], url: URL) {
  const kept = { keepAlive: true };
  if (type === 'http') {
    const { HttpsProxyAgent } = await import('https-proxy-agent');
    return (signal?: AbortSignal) => new HttpsProxyAgent(url, signal ? { ...kept, signal } : kept);
  }
  const { SocksProxyAgent } = await import('socks-proxy-agent');
  return () => new SocksProxyAgent(url, kept);
}

/** A proxy may take a connection and then say nothing. */
async function inTime<T extends Duplex>(connecting: Promise<T>, idleMs: number, giveUp: AbortController): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(silence(idleMs)), idleMs);
  try {
    return await Promise.race([connecting, late]);
  } catch (error) {
    connecting.then((connection) => connection.destroy()).catch(() => {});
    giveUp.abort();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The agents leave out the address of a host that has no name, and its certificate would be compared with `localhost`. */
function addressChecked(host: string | undefined): ConnectionOptions {
  if (host === undefined || isIP(host) === 0) return {};
  return { checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate) };
}

/** IPv6 addresses stand in brackets. */
function hostInUrl(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

/** Node only tells of a connection without movement; whoever waits for it would do so for ever. */
function limitSilence(agent: HttpAgent, mayTunnel: boolean, idleMs: number): HttpAgent {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback = () => {}) => {
    const later = new LaterConnection(callback, idleMs);
    const connection = connect(options, (error, secured) => later.give(error, secured));
    // It leads to a proxy that the environment names: the one to the store is given later.
    const isTunnel = mayTunnel && connection instanceof Socket && !(connection instanceof TLSSocket);
    if (isTunnel) later.limit(connection);
    else if (connection) giveUpWhenSilent(connection, idleMs);
    return connection;
  };
  return agent;
}

type Give = (error: Error | null, connection: Duplex) => void;

class LaterConnection {
  readonly #give: Give;
  readonly #idleMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(give: Give, idleMs: number) {
    this.#give = give;
    this.#idleMs = idleMs;
  }

  /** Gives it up, with the way to it, where it does not come in time. */
  limit(tunnel: Duplex): void {
    this.#timer = setTimeout(() => {
      tunnel.destroy();
      this.#give(silence(this.#idleMs), tunnel);
    }, this.#idleMs);
  }

  give(error: Error | null, connection: Duplex): void {
    clearTimeout(this.#timer);
    if (this.#timer && !error) giveUpWhenSilent(connection, this.#idleMs);
    this.#give(error, connection);
  }
}

function giveUpWhenSilent(connection: Duplex, idleMs: number): void {
  connection.on('timeout', () => connection.destroy(silence(idleMs)));
  if ('setTimeout' in connection && typeof connection.setTimeout === 'function') connection.setTimeout(idleMs);
}

function silence(idleMs: number): Error {
  return Object.assign(new Error(`nothing moved for ${idleMs / 1000} s`), { code: 'ETIMEDOUT' });
}
