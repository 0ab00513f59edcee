/** How much room there was at a time. */
export interface DiskSample {
  readonly atMs: number;
  readonly freeBytes: number;
}

/** "Not soon": a number, because not everything that takes metrics knows infinity. */
export const forecastSecondsMax = 365 * 86_400;

const samplesMin = 6;
const spanMsMin = 60_000;

/** When a disk will be full, in seconds from the last sample, if it goes on filling as the straight line tells that fits the samples best. */
export function secondsUntilFull(samples: readonly DiskSample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (last === undefined || first === undefined) return forecastSecondsMax;
  if (last.freeBytes <= 0) return 0;
  if (samples.length < samplesMin || last.atMs - first.atMs < spanMsMin) return forecastSecondsMax;
  const bytesPerMs = slopeOf(samples);
  if (bytesPerMs >= 0) return forecastSecondsMax;
  return Math.min(last.freeBytes / -bytesPerMs / 1000, forecastSecondsMax);
}

/** Of the line of least squares; relative to the first sample and the mean, because squares of bytes are more than a number holds exactly. */
function slopeOf(samples: readonly DiskSample[]): number {
  const startMs = samples[0]?.atMs ?? 0;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanMs = mean(samples.map(({ atMs }) => atMs - startMs));
  const meanBytes = mean(samples.map(({ freeBytes }) => freeBytes));
  let covariance = 0;
  let variance = 0;
  for (const { atMs, freeBytes } of samples) {
    const ms = atMs - startMs - meanMs;
    covariance += ms * (freeBytes - meanBytes);
    variance += ms * ms;
  }
  return variance === 0 ? 0 : covariance / variance;
}
