import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { messageOf, systemErrorCode } from '../../lib/errors.ts';
import type { Spool } from '../../transfer/spool.ts';
import type { SpoolView } from './health-view.ts';

const measureMs = 10_000;
/** Counting a spool of very many files may take so much of the time at most. */
const shareMax = 0.01;

type Directories = Pick<
  Spool,
  'walDirectory' | 'historyDirectory' | 'walIncomingDirectory' | 'basebackupsDirectory' | 'basebackupsIncomingDirectory'
>;

/** What of a site waits on the disk until it is stored. */
export class SpoolWatch {
  readonly #directories: readonly string[];
  readonly #clock: Clock;
  #view: SpoolView = { because: 'it has not been counted yet' };
  #nextAtMs = Number.NEGATIVE_INFINITY;

  constructor(spool: Directories, clock: Clock) {
    const { walDirectory, historyDirectory, walIncomingDirectory, basebackupsDirectory, basebackupsIncomingDirectory } = spool;
    this.#directories = [walDirectory, historyDirectory, walIncomingDirectory, basebackupsDirectory, basebackupsIncomingDirectory];
    this.#clock = clock;
  }

  get view(): SpoolView {
    return this.#view;
  }

  /** Counts if it is time to. Never rejects. */
  async look(): Promise<void> {
    const begun = this.#clock.monotonicMs();
    if (begun < this.#nextAtMs) return;
    try {
      this.#view = await this.#count();
    } catch (error) {
      this.#view = { because: `it cannot be looked at: ${messageOf(error)}` };
    }
    const now = this.#clock.monotonicMs();
    this.#nextAtMs = now + Math.max(measureMs, (now - begun) / shareMax);
  }

  async #count(): Promise<SpoolView> {
    let files = 0;
    let bytes = 0;
    for (const directory of this.#directories) {
      for await (const size of sizesBelow(directory)) {
        files++;
        bytes += size;
      }
    }
    return { files, bytes };
  }
}

/** What goes meanwhile, or was never there, is nothing. */
async function* sizesBelow(directory: string): AsyncGenerator<number> {
  const entries = await orNothing(opendir(directory));
  if (entries === undefined) return;
  for await (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* sizesBelow(path);
    else if (!entry.name.endsWith('.metadata')) {
      const found = await orNothing(lstat(path));
      if (found !== undefined) yield found.size;
    }
  }
}

async function orNothing<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
