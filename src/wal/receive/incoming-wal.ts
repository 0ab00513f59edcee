import { watch } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { explain, isOperatorError, messageOf, OperatorError, systemErrorCode } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { countFailure, type Metrics } from '../../lib/metrics.ts';
import type { Random } from '../../lib/random.ts';
import { backoffMs } from '../../lib/retry.ts';
import { classifyWalFile } from '../../postgres/wal-name.ts';
import { sortedNames } from '../../storage/local/sorted-names.ts';
import { hasWal } from './partial-files.ts';
import { setAside } from './set-aside.ts';
import { compareWalPosition } from './wal-position.ts';

export interface IncomingWalDeps {
  readonly site: string;
  /** Where the receiver writes. */
  readonly directory: string;
  /** Resolves once the file is in the store. */
  readonly archive: (name: string, path: string) => Promise<unknown>;
  /** Told of every file that has been stored. */
  readonly onStored?: ((name: string) => void) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Ends everything; what is not stored stays where it is. */
  readonly signal: AbortSignal;
}

const atOnceMax = 8;
const listedMax = 1000;
/** Where the file system does not tell about new files. */
const lookEveryMs = 1000;
const retryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMsFirst: 1000, delayMsMax: 60_000 };

interface Waiting {
  readonly failures: number;
  readonly notBeforeMs: number;
  readonly because: string;
}

/**
 * Archives what a receiver has finished, oldest first, and removes it once it is stored. The last segment that was stored stays, because
 * pg_receivewal finds its place by it when it starts again. A file that cannot be what its name says is set aside into `rejected`; one that
 * cannot be stored for another reason is tried again. Neither holds up the others.
 */
export class IncomingWal {
  readonly #deps: IncomingWalDeps;
  readonly #busy = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, Waiting>();
  #rejected: readonly string[] = [];
  #lastStored: string | undefined;
  #removing: Promise<void> = Promise.resolve();
  #wake = Promise.withResolvers<void>();

  constructor(deps: IncomingWalDeps) {
    this.#deps = deps;
  }

  get waiting(): readonly { name: string; because: string }[] {
    return [...this.#waiting].map(([name, { because }]) => ({ name, because }));
  }

  get rejected(): readonly string[] {
    return this.#rejected;
  }

  /** Learns what was set aside before. */
  async open(): Promise<void> {
    this.#rejected = await readdir(this.#rejectedDirectory).catch(() => []);
  }

  /** Takes files as they appear until `signal` aborts; then takes one last look. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    using _watcher = this.#watch();
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers();
      await this.#lookSafely(signal);
      const idle = new AbortController();
      const pause = this.#deps.clock.sleep(lookEveryMs, AbortSignal.any([signal, idle.signal])).catch(() => {});
      await Promise.race([this.#wake.promise, pause]);
      idle.abort();
    }
    await this.#lookSafely();
  }

  /** Begins to archive all that is there. Resolves when the last file has been begun. */
  async look(signal?: AbortSignal): Promise<void> {
    await this.open();
    for (;;) {
      const names = await this.#list();
      for (const name of names) {
        await this.#slot();
        if (signal?.aborted || this.#deps.signal.aborted) return;
        if (name !== this.#lastStored) this.#begin(name);
      }
      if (names.length < listedMax) return;
    }
  }

  /** Archives everything, partial segments too, and leaves nothing behind. Rejects where something cannot be stored now. */
  async clear(): Promise<void> {
    await this.settled();
    const { directory } = this.#deps;
    for await (const { name } of sortedNames(directory, { wanted: isReceived })) {
      await this.#take(name);
      const waiting = this.#waiting.get(name);
      if (waiting) throw new OperatorError('wal-waiting', `${name} must be stored first: ${waiting.because}`, { retryable: true });
      await rm(join(directory, name), { force: true });
    }
    this.#lastStored = undefined;
  }

  /** Resolves once nothing is being archived. */
  async settled(): Promise<void> {
    while (this.#busy.size > 0) await Promise.all(this.#busy.values());
  }

  async #lookSafely(signal?: AbortSignal): Promise<void> {
    const { site, metrics, log } = this.#deps;
    await this.look(signal).catch((error: unknown) => {
      log.error({ site }, `cannot look for received WAL: ${explain(error)}`);
      countFailure(metrics, 'wal_file_deleter_run', error);
    });
  }

  get #rejectedDirectory(): string {
    return join(this.#deps.directory, 'rejected');
  }

  /** What is finished and neither done, under way nor to be tried later. */
  async #list(): Promise<string[]> {
    const now = this.#deps.clock.monotonicMs();
    const names: string[] = [];
    const partials: string[] = [];
    let last = '';
    for await (const { name } of sortedNames(this.#deps.directory, { wanted: isReceived })) {
      const kind = classifyWalFile(name);
      if (kind !== 'history' && (last === '' || compareWalPosition(name, last) > 0)) last = name;
      if (name === this.#lastStored || this.#busy.has(name) || (this.#waiting.get(name)?.notBeforeMs ?? 0) > now) continue;
      (kind === 'partial' ? partials : names).push(name);
      if (names.length >= listedMax) return names;
    }
    // Nobody continues a partial segment that something later follows: the end of a timeline, or the edge of a hole.
    return [...names, ...partials.filter((name) => compareWalPosition(name, last) < 0)];
  }

  async #slot(): Promise<void> {
    while (this.#busy.size >= atOnceMax) await Promise.race(this.#busy.values());
  }

  #begin(name: string): void {
    const work = this.#take(name).finally(() => this.#busy.delete(name));
    this.#busy.set(name, work);
  }

  /** Never rejects. */
  async #take(name: string): Promise<void> {
    const path = join(this.#deps.directory, name);
    try {
      // It may have been done between the listing and now.
      if (await isGone(path)) return void this.#waiting.delete(name);
      if (classifyWalFile(name) !== 'partial' || (await hasWal(path))) await this.#deps.archive(name, path);
      await this.#inTurn(() => this.#removeStored(name));
      this.#waiting.delete(name);
      this.#deps.onStored?.(name);
    } catch (error) {
      await this.#failed(name, error).catch((failure: unknown) => this.#postpone(name, failure));
    }
  }

  async #inTurn(remove: () => Promise<void>): Promise<void> {
    const removed = this.#removing.then(remove);
    this.#removing = removed.catch((error: unknown) => countFailure(this.#deps.metrics, 'wal_file_deleter_delete_unneeded_files', error));
    await removed;
  }

  /** One after the other, and the old last segment goes before the new one takes its place: what lies there and is not the last one is still to be archived. */
  async #removeStored(name: string): Promise<void> {
    const { directory } = this.#deps;
    if (classifyWalFile(name) !== 'segment') return rm(join(directory, name), { force: true });
    const last = this.#lastStored;
    const keep = last === undefined || compareWalPosition(name, last) > 0 ? name : last;
    const done = keep === name ? last : name;
    if (done !== undefined && done !== keep) await rm(join(directory, done), { force: true });
    this.#lastStored = keep;
  }

  /** Where a later segment waits, it tells as well where to go on; and a full disk becomes empty only if there is room to seal that one. */
  async #removeLast(waiting: string): Promise<void> {
    const last = this.#lastStored;
    if (last === undefined || classifyWalFile(waiting) !== 'segment' || compareWalPosition(waiting, last) < 0) return;
    await rm(join(this.#deps.directory, last), { force: true });
    this.#lastStored = undefined;
  }

  async #failed(name: string, error: unknown): Promise<void> {
    const { directory, site, log, signal } = this.#deps;
    if (signal.aborted) return;
    if (isOperatorError(error, 'disk-full')) await this.#inTurn(() => this.#removeLast(name));
    if (!isOperatorError(error, 'wal-invalid', 'wal-conflict', 'wal-file-missing', 'cluster-mismatch')) return this.#postpone(name, error);
    if (await isGone(join(directory, name))) return void this.#waiting.delete(name);
    const rejected = await setAside(join(directory, name), name, this.#rejectedDirectory);
    this.#waiting.delete(name);
    this.#rejected = [...this.#rejected, rejected];
    log.error({ site, file: rejected, directory: this.#rejectedDirectory }, `received WAL file set aside: ${explain(error)}`);
  }

  #postpone(name: string, error: unknown): void {
    const { clock, random, site, log } = this.#deps;
    const failures = (this.#waiting.get(name)?.failures ?? 0) + 1;
    const notBeforeMs = clock.monotonicMs() + backoffMs(Math.min(failures, 10), retryPolicy, random);
    this.#waiting.set(name, { failures, notBeforeMs, because: messageOf(error) });
    if (failures === 1) log.error({ site, wal: name }, `cannot archive received WAL file, trying again: ${explain(error)}`);
  }

  /** A hint to look at once; looking from time to time is what nothing escapes. */
  #watch(): Disposable {
    try {
      const watcher = watch(this.#deps.directory, (event, name) => {
        if (event === 'rename' && name !== null && ['segment', 'history'].includes(classifyWalFile(name) ?? '')) this.#wake.resolve();
      });
      watcher.on('error', () => watcher.close());
      return { [Symbol.dispose]: () => watcher.close() };
    } catch {
      return { [Symbol.dispose]: () => {} };
    }
  }
}

function isReceived(name: string): boolean {
  return ['segment', 'history', 'partial'].includes(classifyWalFile(name) ?? '');
}

/** A partial segment that was finished meanwhile has another name now. */
async function isGone(path: string): Promise<boolean> {
  return lstat(path).then(
    () => false,
    (error: unknown) => systemErrorCode(error) === 'ENOENT',
  );
}
