import { type Clock, systemClock } from '../lib/clock.ts';

export const transferOperations = ['upload', 'download', 'metadata', 'list'] as const;
export type TransferOperation = (typeof transferOperations)[number];

/** One leaf of the state file's transfer statistics; names as there. */
export interface TransferCounters {
  /** Bytes. */
  data: number;
  count: number;
  /** Seconds. */
  time_taken: number;
  failures: number;
  /** Meaningful under upload/xlog only. */
  xlogs_since_basebackup: number;
  /** Wall clock, epoch seconds. */
  last_success: number | null;
  /** After the first success. */
  latest_filename?: string;
}

/** Site → operation → file type. */
export type TransferState = Record<string, Record<string, Record<string, TransferCounters>>>;

export interface TransferSuccess {
  readonly site: string;
  readonly operation: TransferOperation;
  readonly fileType: string;
  readonly filename: string;
  readonly bytes: number;
  readonly seconds: number;
}

/** Before the year 2001 a `last_success` is no wall clock time: the original wrote its monotonic clock there. */
const wallClockSecondsMin = 1_000_000_000;

/** Transfer statistics since ever, as the state file keeps them over restarts. */
export class TransferStats {
  readonly #state: TransferState;
  readonly #clock: Clock;

  /** `previous`: what a state file had, from any version; what cannot be understood counts as zero. */
  constructor(previous?: unknown, clock: Clock = systemClock) {
    this.#state = restoreState(previous);
    this.#clock = clock;
  }

  succeeded(success: TransferSuccess): void {
    const counters = this.#counters(success.site, success.operation, success.fileType);
    counters.data += success.bytes;
    counters.count++;
    counters.time_taken += success.seconds;
    counters.last_success = this.#clock.now().getTime() / 1000;
    counters.latest_filename = success.filename;
    if (success.operation === 'upload') this.#countSinceBasebackup(success.site, success.fileType);
  }

  failed(site: string, operation: TransferOperation, fileType: string): void {
    this.#counters(site, operation, fileType).failures++;
  }

  /** What has been uploaded of a kind since ever, and how many WAL segments since the last base backup. */
  uploaded(site: string, fileType: string): { readonly bytes: number; readonly walSinceBasebackup: number } {
    const bytes = this.#counters(site, 'upload', fileType).data;
    return { bytes, walSinceBasebackup: this.#counters(site, 'upload', 'xlog').xlogs_since_basebackup };
  }

  /** A copy that does not change any more. */
  snapshot(): TransferState {
    return structuredClone(this.#state);
  }

  #countSinceBasebackup(site: string, fileType: string): void {
    const wal = this.#counters(site, 'upload', 'xlog');
    if (fileType === 'xlog') wal.xlogs_since_basebackup++;
    if (fileType === 'basebackup') wal.xlogs_since_basebackup = 0;
  }

  #counters(site: string, operation: string, fileType: string): TransferCounters {
    const operations = (this.#state[site] ??= emptyMap());
    const fileTypes = (operations[operation] ??= emptyMap());
    return (fileTypes[fileType] ??= noTransfers());
  }
}

function noTransfers(): TransferCounters {
  return { data: 0, count: 0, time_taken: 0, failures: 0, xlogs_since_basebackup: 0, last_success: null };
}

/** Without a prototype: names of sites come from outside. */
function emptyMap<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

function restoreState(previous: unknown): TransferState {
  return mapValues(previous, (operations) => mapValues(operations, (fileTypes) => mapValues(fileTypes, restoreCounters)));
}

function restoreCounters(previous: unknown): TransferCounters {
  const found = isMap(previous) ? previous : {};
  const count = (name: string) => {
    const value = found[name];
    return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0;
  };
  const lastSuccess = count('last_success');
  const filename = found['latest_filename'];
  return {
    data: count('data'),
    count: count('count'),
    time_taken: count('time_taken'),
    failures: count('failures'),
    xlogs_since_basebackup: count('xlogs_since_basebackup'),
    last_success: lastSuccess >= wallClockSecondsMin ? lastSuccess : null,
    ...(typeof filename === 'string' ? { latest_filename: filename } : {}),
  };
}

function mapValues<T>(value: unknown, change: (item: unknown) => T): Record<string, T> {
  const changed = emptyMap<T>();
  for (const [key, item] of Object.entries(isMap(value) ? value : {})) changed[key] = change(item);
  return changed;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
