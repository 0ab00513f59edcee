export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

/** Of ours to that of another, each pair from the same round: below 1, ours takes less. */
export interface Ratio {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function ratioOf(ours: readonly number[], theirs: readonly number[]): Ratio {
  const ratios = ours.flatMap((own, round) => {
    const other = theirs[round];
    return other === undefined || other === 0 ? [] : [own / other];
  });
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}
