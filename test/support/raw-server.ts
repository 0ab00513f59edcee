import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A server that reads one request head per connection and then does as it is told. Counts the requests. */
export interface RawServer extends AsyncDisposable {
  readonly port: number;
  readonly requests: () => number;
}

export async function startRawServer(onRequest: (socket: Socket, head: string) => void, host = '127.0.0.1'): Promise<RawServer> {
  let requests = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let head = '';
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const isWhole = head.includes('\r\n\r\n');
      head += bytes.toString('latin1');
      if (isWhole || !head.includes('\r\n\r\n')) return;
      requests++;
      onRequest(socket, head);
    });
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
