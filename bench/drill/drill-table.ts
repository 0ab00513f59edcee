import type { Machine } from '../machine.ts';
import { median } from '../results/statistics.ts';
import { duration, mebibytes, type Table } from '../results/tables.ts';

export type DrillMode = 'stepping back' | 'as any process';

/** A drill beside pgbench, and pgbench alone before and after it. */
export interface DrillSample {
  readonly round: number;
  readonly mode: DrillMode;
  /** Transactions per second. */
  readonly alonePerSecond: number;
  readonly duringPerSecond: number;
  readonly drillSeconds: number;
  readonly restoredBytes: number;
  readonly replayedSegments: number;
}

export interface DrillResults {
  readonly machine: Machine;
  readonly data: { readonly scale: number; readonly bytes: number; readonly clients: number };
  readonly samples: readonly DrillSample[];
}

/** What a drill costs the cluster that works beside it. */
export function drillTable(samples: readonly DrillSample[]): Table {
  const modes: readonly DrillMode[] = ['stepping back', 'as any process'];
  const line = (mode: DrillMode) => {
    const all = samples.filter((sample) => sample.mode === mode);
    const of = (figure: (sample: DrillSample) => number) => median(all.map(figure));
    const lost = all.map(({ alonePerSecond, duringPerSecond }) => 100 * (1 - duringPerSecond / alonePerSecond));
    return [
      mode,
      String(all.length),
      of(({ alonePerSecond }) => alonePerSecond).toFixed(0),
      of(({ duringPerSecond }) => duringPerSecond).toFixed(0),
      `${median(lost).toFixed(1)} % (${Math.min(...lost).toFixed(1)}–${Math.max(...lost).toFixed(1)})`,
      duration(of(({ drillSeconds }) => drillSeconds)),
      mebibytes(of(({ restoredBytes }) => restoredBytes)),
      of(({ replayedSegments }) => replayedSegments).toFixed(0),
    ];
  };
  const head = ['drill', 'rounds', 'alone, tps', 'during, tps', 'throughput lost', 'a drill takes', 'restored', 'segments replayed'];
  return { texts: 1, head, lines: modes.filter((mode) => samples.some((sample) => sample.mode === mode)).map(line) };
}
