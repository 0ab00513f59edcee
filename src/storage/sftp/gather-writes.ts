import type { Socket } from 'node:net';

/**
 * Has a socket send in one go what is written to it in one go. ssh2 writes every packet in three pieces, two of them a few bytes long; each would be a system
 * call of its own, and together they took more processor time than the encryption.
 */
export function gatherWrites(socket: Socket): Socket {
  const write = socket.write.bind(socket) as (...call: unknown[]) => boolean;
  let isGathering = false;
  const send = () => {
    isGathering = false;
    socket.uncork();
  };
  const gather = (...call: unknown[]) => {
    if (!isGathering) {
      isGathering = true;
      socket.cork();
      process.nextTick(send);
    }
    return write(...call);
  };
  return Object.assign(socket, { write: gather });
}
