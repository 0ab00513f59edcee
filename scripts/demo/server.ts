import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../../test/support/wait-for.ts';
import type { Place } from './place.ts';
import type { Processes } from './processes.ts';

/** A PostgreSQL server that the demo starts. It listens on a socket in a private directory only, so that nobody else on the machine gets in. */
export interface Server {
  readonly name: string;
  readonly bin: string;
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly logFile: string;
  readonly settings: Readonly<Record<string, string>>;
}

export const socketPort = 5432;
const readyMsMax = 120_000;

/** Starts it and waits until it accepts connections. */
export async function startServer(server: Server, place: Place, processes: Processes): Promise<void> {
  const settings = { listen_addresses: '', unix_socket_directories: server.socketDirectory, port: String(socketPort), ...server.settings };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  processes.start({
    name: server.name,
    command: [join(server.bin, 'postgres'), '-D', server.dataDirectory, ...flags],
    logFile: server.logFile,
    cwd: server.socketDirectory,
    stopSignal: 'SIGINT',
    user: place.user,
  });
  const ready = waitFor(() => isReady(server.dataDirectory), { withinMs: readyMsMax, what: `${server.name} accepts connections` });
  await Promise.race([ready, processes.lost]);
}

/** Line 8 of postmaster.pid tells the state of the server (utils/pidfile.h). */
function isReady(dataDirectory: string): boolean {
  return readFileSync(join(dataDirectory, 'postmaster.pid'), 'utf8').split('\n')[7]?.trim() === 'ready';
}
