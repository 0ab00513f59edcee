import type { Reading } from '../state.ts';

export interface Sample {
  readonly atMs: number;
  /** Undefined: not known then. */
  readonly value: number | undefined;
}

export function lagBytes(readings: readonly Reading[]): readonly Sample[] {
  return readings.map(({ atMs, lagBytes: value }) => ({ atMs, value }));
}

export function lagSeconds(readings: readonly Reading[]): readonly Sample[] {
  return readings.map(({ atMs, lagSeconds: value }) => ({ atMs, value }));
}

/** Bytes a second that were stored from each reading to the next. A counter that was set back tells nothing of that moment. */
export function storedPerSecond(readings: readonly Reading[], bytesOf: (reading: Reading) => number): readonly Sample[] {
  return readings.slice(1).map((reading, index) => {
    const before = readings[index];
    const seconds = before === undefined ? 0 : (reading.atMs - before.atMs) / 1000;
    const bytes = before === undefined ? -1 : bytesOf(reading) - bytesOf(before);
    return { atMs: reading.atMs, value: bytes < 0 || seconds <= 0 ? undefined : bytes / seconds };
  });
}

/** The largest value of each of `columns` equal parts of the time from `fromMs` to `toMs`; undefined where nothing is known. */
export function columnsOf(samples: readonly Sample[], fromMs: number, toMs: number, columns: number): readonly (number | undefined)[] {
  const found = Array.from<number | undefined>({ length: columns });
  for (const { atMs, value } of samples) {
    const column = Math.floor(((atMs - fromMs) / (toMs - fromMs)) * columns);
    if (value === undefined || column < 0 || column >= columns) continue;
    found[column] = Math.max(found[column] ?? 0, value);
  }
  return found;
}
