import { basename } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { isOperatorError, OperatorError } from '../lib/errors.ts';
import { forEachLimited } from '../lib/limiter.ts';
import type { Log } from '../lib/log.ts';
import { type Urgency, urgent } from '../lib/urgency.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import type { ObjectEntry } from '../storage/object-store.ts';
import type { WalIndexStorer } from './index/wal-index-storer.ts';
import { type SealToSpoolDeps, sealToSpool, spoolPathOf } from './seal-to-spool.ts';
import { SharedRuns } from './shared-runs.ts';
import { readSpooledWal } from './spooled-wal.ts';
import { untilAborted } from './until-aborted.ts';
import { type UploadSpooledDeps, type UploadWishes, uploadSpooled } from './upload-spooled.ts';
import { expectSameWal, leftWal, type OurWal, plainWal, sealedWal } from './wal-conflict.ts';

export interface WalArchiverDeps extends SealToSpoolDeps, UploadSpooledDeps {
  readonly sealing: SealToSpoolDeps['sealing'];
  readonly clock: Clock;
  readonly log: Log;
  /** Where what happens in the WAL is noted beside it. */
  readonly index?: WalIndexStorer | undefined;
  /** Told of every file that is certainly stored. */
  readonly onStored?: ((name: string) => void) | undefined;
  /** Ends everything that runs; spooled files stay for {@link WalArchiver.resume}. */
  readonly signal: AbortSignal;
}

export type ArchiveResult = 'stored' | 'already-stored' | 'ignored';

/** A file to archive, and for whom. */
interface Order extends UploadWishes {
  readonly name: string;
  readonly path: string;
}

/** How many spooled files are handed to the upload queue at once. */
const resumedAtOnceMax = 8;

/**
 * Takes finished WAL files into the store.
 *
 * PostgreSQL repeats archive_command until it succeeds, so a file may come twice, also while its first upload still runs:
 * the same content is a success, other content under the same name is refused (`wal-conflict`) and what is stored stays.
 */
export class WalArchiver {
  readonly #deps: WalArchiverDeps;
  readonly #archives = new SharedRuns<ArchiveResult>();
  readonly #resumes = new SharedRuns<void>();

  constructor(deps: WalArchiverDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves once the file at `path` is whole in the store. `signal` ends only the waiting: the upload goes on, and asking again joins it.
   *
   * Rejects with `wal-name-invalid`, `wal-file-missing`, `wal-file-unreadable`, `wal-invalid` (not what its name says), `cluster-mismatch`, `wal-changed`,
   * `wal-conflict`, `disk-full` and the store's errors.
   */
  async archive(name: string, path: string, signal?: AbortSignal): Promise<ArchiveResult> {
    const kind = classifyWalFile(name);
    if (kind === undefined) throw new OperatorError('wal-name-invalid', `${JSON.stringify(name)} is not the name of a WAL file`);
    if (kind === 'backup-label') return 'ignored';
    const order: Order = { name, path, urgency: urgent, isRepeated: true, signal: this.#deps.signal };
    return untilAborted(this.#run(order), signal);
  }

  /**
   * The same for a segment that nobody has asked for yet: it waits for what is urgent until `urgency` is hurried, and rejects also with the first
   * failure of the store. `signal` ends it, and nothing of it stays.
   */
  async archiveAhead(name: string, path: string, urgency: Urgency, signal: AbortSignal): Promise<ArchiveResult> {
    return this.#run({ name, path, urgency, isRepeated: false, signal: AbortSignal.any([this.#deps.signal, signal]) });
  }

  /**
   * Uploads what a crash left in the spool. A file that contradicts the store, or cannot be read, stays where it is and is named in the error
   * at the end (`spool-stuck`), after everything else has been stored. It is retryable where the store itself refuses.
   */
  async resume(signal?: AbortSignal): Promise<void> {
    const stuck: { name: string; error: unknown }[] = [];
    const pending = this.#deps.spool.pendingWal(({ path, error }) => stuck.push({ name: basename(path), error }));
    await forEachLimited(pending, resumedAtOnceMax, async ({ name }) => {
      signal?.throwIfAborted();
      try {
        // A file that is being archived right now took care of what was left before it.
        if (!this.#archives.has(name)) await untilAborted(this.#uploadLeft(name), signal);
      } catch (error) {
        if (signal?.aborted || this.#deps.signal.aborted) throw error;
        stuck.push({ name, error });
      }
    });
    const [first] = stuck;
    if (first === undefined) return;
    throw new OperatorError('spool-stuck', `cannot store what waits in the spool: ${stuck.map(({ name }) => name).join(', ')}`, {
      cause: first.error,
      retryable: stuck.some(({ error }) => isStoreRefusal(error)),
      hint: 'The files stay in the spool. Everything else that waited there has been stored.',
    });
  }

  /** Names of the files that are being archived. */
  get underWay(): readonly string[] {
    return [...this.#archives.names, ...this.#resumes.names];
  }

  /** Resolves once nothing runs any more. */
  async settled(): Promise<void> {
    await this.#archives.settled();
    await this.#resumes.settled();
    await this.#deps.index?.settled();
  }

  #run(order: Order): Promise<ArchiveResult> {
    order.signal.throwIfAborted();
    return this.#archives.run(order.name, () => this.#measured(order), order.path);
  }

  async #measured(order: Order): Promise<ArchiveResult> {
    const { site, clock, metrics } = this.#deps;
    const startMs = clock.monotonicMs();
    const ended = (result: 'ok' | 'failed') =>
      metrics.observe('pghoard.wal_archive_seconds', (clock.monotonicMs() - startMs) / 1000, { result, site });
    try {
      const result = await this.#archive(order);
      ended('ok');
      return result;
    } catch (error) {
      if (!order.signal.aborted) ended('failed');
      throw error;
    }
  }

  async #archive(order: Order): Promise<ArchiveResult> {
    const { name } = order;
    await this.#uploadLeft(name);
    const ours = plainWal(order, this.#deps);
    const stored = await this.#alreadyStored(order);
    if (stored) await expectSameWal(name, ours, stored, this.#deps);
    const result = stored ? 'already-stored' : await this.#sealAndUpload(order, ours);
    this.#deps.log.debug({ site: this.#deps.site, wal: name, result }, 'archived WAL file');
    this.#deps.onStored?.(name);
    return result;
  }

  /** Uploads what an earlier process left in the spool under this name. */
  async #uploadLeft(name: string): Promise<void> {
    const { spool, signal, log, site, onStored } = this.#deps;
    await this.#resumes.run(name, async () => {
      const left = await readSpooledWal(name, spoolPathOf(name, spool));
      if (!left) return;
      const wishes = { urgency: urgent, isRepeated: true, isLeftover: true, signal };
      const result = await uploadSpooled(left, wishes, leftWal(left), this.#deps);
      log.info({ site, wal: name, result }, 'archived WAL file that an earlier run left in the spool');
      onStored?.(name);
    });
  }

  /** A store that does not answer, or refuses, is the business of the upload, which goes on trying or raises the alert: it finds out by itself. */
  async #alreadyStored({ name, signal }: Order): Promise<ObjectEntry | undefined> {
    try {
      return await this.#deps.catalog.findWal(name, signal);
    } catch (error) {
      if (isStoreRefusal(error)) return undefined;
      throw error;
    }
  }

  async #sealAndUpload(order: Order, ours: OurWal): Promise<ArchiveResult> {
    const isIndexed = this.#deps.index !== undefined;
    const { index, ...spooled } = await sealToSpool({ ...order, isIndexed }, this.#deps);
    try {
      const result = await uploadSpooled(spooled, order, sealedWal(spooled, ours), this.#deps);
      // What was stored before may differ behind the end of its timeline.
      if (index !== undefined && result === 'stored') this.#deps.index?.add(order.name, index);
      return result;
    } catch (error) {
      // PostgreSQL still has the file; what contradicts the store must not wait in the spool to be tried again at each start.
      if (!this.#deps.signal.aborted) await this.#deps.spool.remove(spooled.path);
      throw error;
    }
  }
}

/** Says nothing of the file; somebody has to mend the store, or what may be done there. */
function isStoreRefusal(error: unknown): boolean {
  return isOperatorError(error) && (error.retryable || ['store-denied', 'store-missing', 'store-failed'].includes(error.code));
}
