import { duration, mebibytes, type Table } from '../results/tables.ts';

/** What one work took at one size. */
export interface ScaleRow {
  /** `walk and pack files`, `list segments`, … */
  readonly what: string;
  readonly unit: 'file' | 'segment' | 'GiB';
  readonly count: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** The most that the process held. */
  readonly peakBytes: number;
}

export function renderScale(rows: readonly ScaleRow[]): Table {
  return {
    texts: 1,
    head: ['work', 'size', 'wall', 'CPU', 'CPU for each', 'peak memory'],
    lines: rows.map(({ what, unit, count, seconds, cpuSeconds, peakBytes }) => [
      what,
      `${count} ${unit === 'GiB' ? 'GiB' : `${unit}s`}`,
      duration(seconds),
      duration(cpuSeconds),
      each(cpuSeconds / count),
      mebibytes(peakBytes),
    ]),
  };
}

function each(seconds: number): string {
  return seconds < 0.001 ? `${(seconds * 1e6).toFixed(0)} µs` : duration(seconds);
}
