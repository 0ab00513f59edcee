import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { waitFor } from './wait-for.ts';

/** What comes while the test is busy must not get lost; the kernel gives as much of it as it allows. */
const recvBufferSize = 4 * 1024 * 1024;

/** A UDP port of this host, and what came to it. */
export class UdpListener {
  readonly messages: string[] = [];
  readonly #socket: Socket;

  static async open(host = '127.0.0.1'): Promise<UdpListener> {
    const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', recvBufferSize });
    socket.bind(0, host);
    await once(socket, 'listening');
    return new UdpListener(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (message) => this.messages.push(message.toString()));
  }

  get port(): number {
    return this.#socket.address().port;
  }

  async received(count: number): Promise<readonly string[]> {
    await waitFor(() => this.messages.length >= count, { withinMs: 30_000, what: () => `${count} datagrams: ${this.messages.join(' ')}` });
    return this.messages;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
  }
}
