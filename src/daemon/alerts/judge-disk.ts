import { type DiskSample, secondsUntilFull } from '../metrics/disk-forecast.ts';
import type { AlertOptions } from './options.ts';

/** A disk that must not become full. */
export interface JudgedDisk {
  /** For people: `the disk of backup_location (/var/lib/pghoard)`. */
  readonly what: string;
  readonly sizeBytes: number;
  /** Of the last half hour, oldest first. */
  readonly samples: readonly DiskSample[];
}

type Limits = Pick<AlertOptions, 'disk_free_percent' | 'disk_full_hours'>;

/** What a base backup writes for some minutes, and takes away again, is no trend. */
const trendMsMin = 600_000;

/** Why somebody must make room; null where nobody must. */
export function whyNearlyFull(
  { what, sizeBytes, samples }: JudgedDisk,
  { disk_free_percent: percent, disk_full_hours: hours }: Limits,
): string | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || sizeBytes <= 0) return null;
  const free = (last.freeBytes / sizeBytes) * 100;
  const left = `${what} has ${inMebibytes(last.freeBytes)} free, ${free.toFixed(1)} %`;
  if (free < percent) return left;
  const seconds = secondsUntilFull(samples);
  if (last.atMs - first.atMs < trendMsMin || seconds >= hours * 3600) return null;
  return `${left}; if it goes on as in the last ${Math.round((last.atMs - first.atMs) / 60_000)} minutes it is full in ${inHours(seconds)}`;
}

function inMebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}

function inHours(seconds: number): string {
  return seconds < 7200 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`;
}
