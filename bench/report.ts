import { type Discipline, disciplines, type Result } from './rounds.ts';

export interface Row {
  readonly discipline: Discipline;
  readonly contestant: string;
  /** Medians over the rounds. */
  readonly seconds: number;
  readonly peakBytes: number;
  /** How many times what pghoard takes; above 1: pghoard is better. */
  readonly timeRatio: number;
  readonly memoryRatio: number;
}

const ours = 'pghoard';

export function summarize(results: readonly Result[]): Row[] {
  return disciplines.flatMap((discipline) => {
    const here = results.filter((result) => result.discipline === discipline);
    const own = medians(here, ours);
    return [...new Set(here.map(({ contestant }) => contestant))].toSorted(oursFirst).map((contestant) => {
      const { seconds, peakBytes } = medians(here, contestant);
      return { discipline, contestant, seconds, peakBytes, timeRatio: seconds / own.seconds, memoryRatio: peakBytes / own.peakBytes };
    });
  });
}

/** A table for people. */
export function renderTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.discipline.padEnd(12),
    row.contestant.padEnd(14),
    `${row.seconds.toFixed(2).padStart(9)} s`,
    `${(row.peakBytes / 2 ** 20).toFixed(0).padStart(7)} MiB`,
    `${row.timeRatio.toFixed(2).padStart(7)} ×`,
    `${row.memoryRatio.toFixed(2).padStart(8)} ×`,
  ]);
  const head = [
    'what'.padEnd(12),
    'tool'.padEnd(14),
    'time'.padStart(11),
    'memory'.padStart(11),
    'time /'.padStart(9),
    'memory /'.padStart(10),
  ];
  const under = [''.padEnd(12), ''.padEnd(14), ''.padStart(11), '(peak)'.padStart(11), 'ours'.padStart(9), 'ours'.padStart(10)];
  return [head, under, ...lines].map((cells) => cells.join('  ')).join('\n');
}

function medians(results: readonly Result[], contestant: string): { seconds: number; peakBytes: number } {
  const own = results.filter((result) => result.contestant === contestant);
  return { seconds: median(own.map(({ seconds }) => seconds)), peakBytes: median(own.map(({ peakBytes }) => peakBytes)) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

function oursFirst(a: string, b: string): number {
  return Number(b === ours) - Number(a === ours) || a.localeCompare(b);
}
