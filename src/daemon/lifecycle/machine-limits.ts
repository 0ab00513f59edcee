import { readFile } from 'node:fs/promises';

/** Connections, chunks and WAL of a busy site, and twenty restores at once. */
const openFilesMin = 1024;

/** What the limits of this process (`/proc/self/limits`) will not allow, for the log at the start: later it would be a failure somewhere. */
export function limitWarnings(limits: string): string[] {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  if (soft === undefined || Number(soft) >= openFilesMin) return [];
  return [`only ${soft} files may be open at once, and ${openFilesMin} should be: set LimitNOFILE=65536 in the unit, or raise "ulimit -n"`];
}

/** Where the system does not tell them, nothing is said. */
export async function readLimits(): Promise<string> {
  return readFile('/proc/self/limits', 'utf8').catch(() => '');
}
