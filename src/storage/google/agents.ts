import { readFileSync } from 'node:fs';
import http, { type Agent } from 'node:http';
import https from 'node:https';
import { getCACertificates } from 'node:tls';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { SocksProxyAgent } from 'socks-proxy-agent';
import type { GoogleStorageOptions } from './options.ts';

/** An unused connection is closed before the servers on the way do it, who then might miss the next request. */
const idleMsMax = 30_000;
const keptAlive = { keepAlive: true, timeout: idleMsMax, scheduling: 'lifo' } as const;

/** Connections to the store, and to whoever gives out tokens. */
export class Agents {
  readonly #secure: Agent;
  readonly #plain: Agent;

  constructor({ cert_path, proxy_info }: Pick<GoogleStorageOptions, 'cert_path' | 'proxy_info'>) {
    const ca = cert_path === null ? undefined : [...getCACertificates('default'), readFileSync(cert_path, 'utf8')];
    const options = { ...keptAlive, ...(ca && { ca }) };
    if (proxy_info === null) {
      this.#secure = new https.Agent(options);
      this.#plain = new http.Agent(keptAlive);
      return;
    }
    const url = proxyUrl(proxy_info);
    this.#secure = proxy_info.type === 'http' ? new HttpsProxyAgent(url, options) : new SocksProxyAgent(url, options);
    this.#plain = this.#secure;
  }

  readonly of = (url: URL): Agent => (url.protocol === 'https:' ? this.#secure : this.#plain);

  close(): void {
    this.#secure.destroy();
    this.#plain.destroy();
  }
}

function proxyUrl({ type, host, port, user, pass }: NonNullable<GoogleStorageOptions['proxy_info']>): URL {
  // Names are resolved by the proxy, which may know what we do not.
  const url = new URL(`${type === 'socks5' ? 'socks5h' : 'http'}://${host}:${port}`);
  url.username = encodeURIComponent(user ?? '');
  url.password = encodeURIComponent(pass ?? '');
  return url;
}
