import { readdirSync, readFileSync } from 'node:fs';

/** What this process holds: what grows here for days is a leak. */
export interface OwnProcess {
  readonly pid: number;
  /** Memory that is not swapped out, of all threads. */
  readonly memoryBytes: number;
  /** Objects of the main thread. */
  readonly heapBytes: number;
  /** Undefined, as `threads`, where the system does not tell. */
  readonly openFiles: number | undefined;
  readonly threads: number | undefined;
  /** What may wake the main thread up, counted by Node's names: `Timeout`, `TCPSocketWrap`, … */
  readonly resources: Readonly<Record<string, number>>;
}

export function lookAtOwnProcess(): OwnProcess {
  const { rss, heapUsed } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo().toSorted()) resources[name] = (resources[name] ?? 0) + 1;
  return { pid: process.pid, memoryBytes: rss, heapBytes: heapUsed, openFiles: openFiles(), threads: threads(), resources };
}

function openFiles(): number | undefined {
  return fromProc(() => readdirSync('/proc/self/fd').length - 1); // one of them is the look itself
}

function threads(): number | undefined {
  return fromProc(() => Number(/^Threads:\s+(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]));
}

function fromProc(look: () => number): number | undefined {
  try {
    return look();
  } catch {
    return undefined; // no such file on this system, or no file descriptor left for it
  }
}
