import type { Log } from '../lib/log.ts';
import type { PackResult, SkippedFile } from './tar-packer.ts';

/** Keeps count of what could not be copied as the walk saw it. That is normal for a running cluster, and WAL replay makes up for it. */
export class ShortfallNotes {
  readonly #log: Log;
  #skipped = 0;
  #shrunk = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  skipped({ path, why }: SkippedFile): void {
    this.#skipped++;
    this.#log.debug({ path, why }, 'left out of the base backup');
  }

  take(result: PackResult): void {
    for (const file of result.skipped) this.skipped(file);
    for (const path of result.shrunk) this.#log.debug({ path }, 'became shorter while it was read; the rest is zeros until WAL replay');
    this.#shrunk += result.shrunk.length;
  }

  summarize(): void {
    if (this.#skipped + this.#shrunk === 0) return;
    this.#log.info(
      { skipped: this.#skipped, shrunk: this.#shrunk },
      'files changed while the base backup was taken; WAL replay makes up for it',
    );
  }
}
