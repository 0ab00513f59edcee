import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessStat {
  readonly parent: number;
  /** Ticks of its own, user and system. */
  readonly own: number;
  /** Ticks of children that have ended and were waited for, and of theirs. */
  readonly children: number;
}

export const ticksPerSecond = 100; // USER_HZ, on every architecture that Linux runs on today

/** Parents before what they start, save where the numbers have begun anew. */
export function allPids(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
    .toSorted((a, b) => a - b);
}

/** Fields 4 and 14 to 17 of /proc/PID/stat; undefined once it is gone. */
export function statOf(pid: number): ProcessStat | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const at = (field: number) => Number(fields[field - 3]);
    return { parent: at(4), own: at(14) + at(15), children: at(16) + at(17) };
  } catch {
    return undefined;
  }
}

export function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** `Pss` of /proc/PID/smaps_rollup: a page that n processes share counts 1/n for each. */
export function proportionalBytesOf(pid: number): number {
  try {
    const kibibytes = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0; // it has just ended
  }
}
