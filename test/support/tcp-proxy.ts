import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Stands between a client and a server on this machine, and has the network fail when told. */
export class TcpProxy implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs: { readonly client: Socket; readonly server: Socket }[] = [];
  #bytesLeft = Number.POSITIVE_INFINITY;
  #bytesPerSecond = Number.POSITIVE_INFINITY;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.#join(client, connect(target, '127.0.0.1')));
  }

  static async to(port: number): Promise<TcpProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(server, port);
  }

  /** Forwards nothing any more, though the connections stay. */
  stall(): void {
    for (const socket of this.#sockets()) socket.removeAllListeners('data').pause();
  }

  /** From now on each connection takes so much from its client. */
  slowDown(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Resets the connections. */
  cut(): void {
    for (const socket of this.#sockets()) socket.resetAndDestroy();
  }

  /** Resets the connections once the servers have said so much more. */
  resetAfter(bytes: number): void {
    this.#bytesLeft = bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets()) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #sockets(): Socket[] {
    return this.#pairs.flatMap(({ client, server }) => [client, server]);
  }

  #join(client: Socket, server: Socket): void {
    this.#pairs.push({ client, server });
    client.on('data', (chunk) => {
      server.write(chunk);
      if (this.#bytesPerSecond === Number.POSITIVE_INFINITY) return;
      client.pause();
      setTimeout(() => client.resume(), (1000 * chunk.length) / this.#bytesPerSecond);
    });
    server.on('data', (chunk) => this.#forward(client, chunk));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('end', () => other.end());
      one.on('error', () => other.destroy());
    }
  }

  #forward(client: Socket, chunk: Buffer): void {
    if (this.#bytesLeft <= 0) return;
    client.write(chunk.subarray(0, this.#bytesLeft));
    this.#bytesLeft -= chunk.length;
    if (this.#bytesLeft > 0) return;
    // What was forwarded must have left before the reset, which would overtake it.
    client.write('', () => setImmediate(() => this.#sockets().map((socket) => socket.resetAndDestroy())));
  }
}
