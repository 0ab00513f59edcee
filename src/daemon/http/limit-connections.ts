import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Keeps at most `max` connections open. Where there is one too many, the one goes that has waited longest without having sent a whole request
 * head, so that connections which say nothing cannot keep archive_command out: it sends its request at once.
 * Where all have sent theirs, the new one goes.
 */
export function limitConnections(server: Server, max: number): void {
  const open = new Set<Socket>();
  const silent = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    silent.add(socket);
    socket.once('close', () => {
      open.delete(socket);
      silent.delete(socket);
    });
    if (open.size <= max) return;
    const [longest] = silent;
    longest?.destroy();
  });
  server.on('request', ({ socket }) => silent.delete(socket));
}
