import { readdirSync, readFileSync } from 'node:fs';
import { ticksPerSecond } from '../meter/processes.ts';

/** Seconds of processor time by kind of thread: `main`, and the others by the names that Node gives them. */
export function threadSeconds(pid: number): Readonly<Record<string, number>> {
  const seconds: Record<string, number> = {};
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const kind = Number(thread) === pid ? 'main' : name.replace(/[-\d]+$/, '');
    // Fields 14 and 15 of /proc/PID/task/TID/stat.
    seconds[kind] = (seconds[kind] ?? 0) + (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  }
  return seconds;
}

export function difference(after: Readonly<Record<string, number>>, before: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([key, seconds]) => [key, seconds - (before[key] ?? 0)]));
}
