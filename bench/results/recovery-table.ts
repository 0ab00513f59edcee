import type { Row } from './summary.ts';
import { duration, type Table } from './tables.ts';

export const recoverWork = 'recover';

/** What PostgreSQL gets from each tool's restore_command while it recovers, and how much of the time it has something to replay. */
export function recoveryTable(rows: readonly Row[]): Table {
  return {
    texts: 1,
    head: ['restore_command of', 'segments each second', 'startup process busy', 'CPU for each', 'segments each second, ours : theirs'],
    lines: rows
      .filter(({ what }) => what === recoverWork)
      .map(({ tool, seconds, busyShare, cpuSeconds, ratios }) => [
        tool,
        (1 / seconds).toFixed(1),
        busyShare === undefined ? '' : `${(busyShare * 100).toFixed(0)} %`,
        duration(cpuSeconds),
        ratios ? (1 / ratios.seconds.median).toFixed(2) : '',
      ]),
  };
}
