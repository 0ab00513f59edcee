import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A proxy on 127.0.0.1 that leads wherever it is asked to. */
export interface ForwardProxy extends AsyncDisposable {
  readonly port: number;
  /** `HOST:PORT` of every connection asked for. */
  readonly targets: readonly string[];
}

export interface ProxyLogin {
  readonly user: string;
  readonly pass: string;
}

export interface ProxyManner {
  /** Asked for where it is given. */
  readonly login?: ProxyLogin | undefined;
  /** The host that every name stands for. */
  readonly leadsTo?: string;
}

/** Takes CONNECT, as company proxies do; answers `refusal` to each, where there is one. */
export async function startHttpProxy({ login, leadsTo, refusal }: ProxyManner & { readonly refusal?: number } = {}): Promise<ForwardProxy> {
  const targets: string[] = [];
  const server = createHttpServer((_, response) => response.writeHead(405).end());
  const expected = login && `Basic ${Buffer.from(`${login.user}:${login.pass}`).toString('base64')}`;
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    client.on('error', () => {});
    if (expected !== undefined && request.headers['proxy-authorization'] !== expected) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="proxy"\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const target = request.url ?? '';
    targets.push(target);
    if (refusal !== undefined) return void client.end(`HTTP/1.1 ${refusal} Refused\r\nContent-Length: 0\r\n\r\n`);
    const at = target.lastIndexOf(':');
    join(client, leadsTo ?? target.slice(0, at), Number(target.slice(at + 1)), 'HTTP/1.1 200 Connection established\r\n\r\n');
  });
  return listening(server, targets);
}

/** SOCKS 5 (RFC 1928, 1929): one CONNECT per connection. */
export async function startSocksProxy(manner: ProxyManner = {}): Promise<ForwardProxy> {
  const targets: string[] = [];
  const server = createServer((client) => {
    client.on('error', () => {});
    serveSocks(client, manner, targets).catch(() => client.destroy());
  });
  return listening(server, targets);
}

async function serveSocks(client: Socket, { login, leadsTo }: ProxyManner, targets: string[]): Promise<void> {
  const take = (bytes: number) => takeBytes(client, bytes);
  const [, methods = 0] = await take(2);
  await take(methods);
  client.write(Buffer.from([5, login ? 2 : 0]));
  if (login && !(await isLogin(take, login))) {
    client.end(Buffer.from([1, 1]));
    return;
  }
  if (login) client.write(Buffer.from([1, 0]));
  const [, , , kind] = await take(4);
  const host = kind === 1 ? [...(await take(4))].join('.') : (await takeText(take)).toString();
  const port = (await take(2)).readUInt16BE();
  targets.push(`${host}:${port}`);
  join(client, leadsTo ?? host, port, Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
}

type Take = (bytes: number) => Promise<Buffer>;

async function isLogin(take: Take, { user, pass }: ProxyLogin): Promise<boolean> {
  await take(1);
  const [name, word] = [await takeText(take), await takeText(take)];
  return name.toString() === user && word.toString() === pass;
}

async function takeText(take: Take): Promise<Buffer> {
  return take((await take(1)).readUInt8());
}

async function takeBytes(client: Socket, bytes: number): Promise<Buffer> {
  for (;;) {
    const taken = bytes === 0 ? Buffer.alloc(0) : (client.read(bytes) as Buffer | null);
    if (taken) return taken;
    await once(client, 'readable');
  }
}

function join(client: Socket, host: string, port: number, greeting: string | Buffer): void {
  const upstream = connect(port, host, () => client.write(greeting));
  upstream.on('error', () => client.destroy());
  client.on('close', () => upstream.destroy());
  upstream.on('close', () => client.destroy());
  client.pipe(upstream).pipe(client);
}

async function listening(server: Server, targets: readonly string[]): Promise<ForwardProxy> {
  const clients = new Set<Socket>();
  server.on('connection', (client: Socket) => {
    clients.add(client);
    client.on('close', () => clients.delete(client));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    targets,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const client of clients) client.destroy();
      await once(server, 'close');
    },
  };
}
