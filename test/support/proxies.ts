import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A proxy on this machine, with what it was asked to connect to, as `user:password host:port`. */
export interface TestProxy extends AsyncDisposable {
  readonly port: number;
  readonly asked: string[];
}

/** Resolves every name to this machine. */
function join(client: Socket, port: number, onConnect: () => void): void {
  const server = connect(port, '127.0.0.1', () => {
    onConnect();
    client.pipe(server).pipe(client);
  });
  server.on('error', () => client.destroy());
  client.on('error', () => server.destroy());
  client.on('close', () => server.destroy());
}

/** Speaks HTTP's CONNECT. With `refusal`, answers that status instead. */
export async function startConnectProxy(refusal?: number): Promise<TestProxy> {
  const asked: string[] = [];
  const server = createHttpServer();
  server.on('connect', (request, client: Socket) => {
    const [, basic = ''] = (request.headers['proxy-authorization'] ?? '').split(' ');
    asked.push(`${Buffer.from(basic, 'base64').toString()} ${request.url}`);
    if (refusal !== undefined) return void client.end(`HTTP/1.1 ${refusal} Refused\r\ncontent-length: 0\r\n\r\n`);
    join(client, Number(request.url?.split(':').at(-1)), () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
  });
  return listening(server, asked);
}

/** Speaks SOCKS 5 with a user and a password. */
export async function startSocksProxy(): Promise<TestProxy> {
  const asked: string[] = [];
  const server = createServer((client) => void serveSocks(client, asked).catch(() => client.destroy()));
  return listening(server, asked);
}

async function serveSocks(client: Socket, asked: string[]): Promise<void> {
  await once(client, 'readable');
  client.read();
  client.write(Buffer.from([5, 2]));
  await once(client, 'readable');
  const login = client.read() as Buffer;
  const userLength = login.readUInt8(1);
  const user = login.toString('utf8', 2, 2 + userLength);
  const password = login.toString('utf8', 3 + userLength);
  client.write(Buffer.from([1, 0]));
  await once(client, 'readable');
  const request = client.read() as Buffer;
  const isName = request.readUInt8(3) === 3;
  const host = isName ? request.toString('utf8', 5, 5 + request.readUInt8(4)) : request.subarray(4, 8).join('.');
  const port = request.readUInt16BE(request.length - 2);
  asked.push(`${user}:${password} ${host}:${port}`);
  join(client, port, () => client.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0])));
}

async function listening(server: Server, asked: string[]): Promise<TestProxy> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
