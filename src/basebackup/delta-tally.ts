import type { Metrics, MetricTags } from '../lib/metrics.ts';

/** Adds up what a backup that shares files with earlier ones has, and what of it was not stored before. */
export class DeltaTally {
  #totalFiles = 0;
  #totalBytes = 0;
  #storedFiles = 0;
  #storedBytes = 0;

  /** A file that no earlier backup had, or that is stored anew with each. */
  stored(bytes: number): void {
    this.#totalFiles++;
    this.#totalBytes += bytes;
    this.#storedFiles++;
    this.#storedBytes += bytes;
  }

  shared(bytes: number): void {
    this.#totalFiles++;
    this.#totalBytes += bytes;
  }

  /** `names`: what the metrics begin with, and what that of the shared bytes is called. `isFirst`: there was nothing to compare with. */
  tell(metrics: Metrics, names: { readonly prefix: string; readonly remained: string }, tags: MetricTags, isFirst: boolean): void {
    const { prefix, remained } = names;
    metrics.increase(`${prefix}_total_size`, this.#totalBytes, tags);
    metrics.increase(`${prefix}_total_files`, this.#totalFiles, tags);
    metrics.gauge(`${prefix}_upload_size`, this.#storedBytes, tags);
    metrics.gauge(`${prefix}_upload_files`, this.#storedFiles, tags);
    if (isFirst) return;
    metrics.gauge(`${prefix}_changed_data_files_ratio`, ratio(this.#storedFiles, this.#totalFiles), tags);
    metrics.gauge(`${prefix}_changed_data_size_ratio`, ratio(this.#storedBytes, this.#totalBytes), tags);
    metrics.gauge(`${prefix}_${remained}`, this.#totalBytes - this.#storedBytes, tags);
  }
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
