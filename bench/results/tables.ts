import type { Ratio } from './statistics.ts';
import type { Row } from './summary.ts';

/** Head and lines of a table, in cells; the first `texts` columns are words, the rest figures. */
export interface Table {
  readonly texts: number;
  readonly head: readonly string[];
  readonly lines: readonly (readonly string[])[];
}

/** What each tool took, and how ours compares: below 1, ours takes less. */
export function tableOf(rows: readonly Row[]): Table {
  return {
    texts: 4,
    head: [
      'work',
      'packed',
      'cache',
      'tool',
      'wall',
      'CPU',
      'peak memory',
      'stored',
      'wall, ours : theirs',
      'CPU, ours : theirs',
      'stored',
    ],
    lines: rows.map((row) => [
      row.what,
      row.flavour,
      row.cache,
      row.tool,
      duration(row.seconds),
      duration(row.cpuSeconds),
      mebibytes(row.peakBytes),
      row.storedBytes === undefined ? '' : mebibytes(row.storedBytes),
      ratioText(row.ratios?.seconds),
      ratioText(row.ratios?.cpuSeconds),
      ratioText(row.ratios?.storedBytes),
    ]),
  };
}

/** In columns, for a terminal. */
export function plain({ texts, head, lines }: Table): string {
  const widths = head.map((cell, column) => Math.max(cell.length, ...lines.map((line) => (line[column] ?? '').length)));
  const pad = (cell: string, column: number) => (column < texts ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0));
  return [head, ...lines].map((line) => line.map(pad).join('  ').trimEnd()).join('\n');
}

export function markdown({ texts, head, lines }: Table): string {
  const rule = head.map((_, column) => (column < texts ? '---' : '---:'));
  return [head, rule, ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

/** Three digits that say something, in the unit that suits them. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  const milliseconds = seconds * 1000;
  return `${milliseconds.toFixed(milliseconds >= 20 ? 0 : 1)} ms`;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MiB`;
}

function ratioText(ratio: Ratio | undefined): string {
  if (!ratio || !Number.isFinite(ratio.median)) return '';
  const { median, min, max } = ratio;
  return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}
