import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Catalog } from '../catalog/catalog.ts';
import type { Applicant } from '../catalog/identity-keeper.ts';
import { parseWalMetadata } from '../catalog/wal-entry.ts';
import type { CodecPool } from '../codec/pool.ts';
import { cannotWrite } from '../codec/sink-file.ts';
import type { Clock } from '../lib/clock.ts';
import { isOperatorError, OperatorError } from '../lib/errors.ts';
import { hashAlgorithms, nodeHashName } from '../lib/hash-algorithms.ts';
import { forEachLimited } from '../lib/limiter.ts';
import type { Log } from '../lib/log.ts';
import { countFailure, type Metrics } from '../lib/metrics.ts';
import { type Urgency, urgent } from '../lib/urgency.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { sourceOfFile } from '../storage/object-source.ts';
import type { ObjectEntry } from '../storage/object-store.ts';
import { withChecks } from '../storage/with-checks.ts';
import type { UploadFileType } from '../transfer/file-type.ts';
import type { Spool } from '../transfer/spool.ts';
import type { UploadQueue } from '../transfer/upload-queue.ts';
import type { WalIndexStorer } from './index/wal-index-storer.ts';
import { requireRoom } from './require-room.ts';
import { type HashOfOurs, sameContent } from './same-content.ts';
import { sameUntilSwitch } from './same-until-switch.ts';
import { hashWal, type SealedWal, sealWal } from './seal-wal.job.ts';
import { SharedRuns } from './shared-runs.ts';
import { readSpooledWal, type SpooledWal } from './spooled-wal.ts';
import type { WalSource } from './stored-wal.ts';
import { untilAborted } from './until-aborted.ts';
import { sealedWalMetadata, sealOptionsOf, type WalSealing } from './wal-sealing.ts';
import type { ClusterFacts } from './wal-source.ts';

export interface WalArchiverDeps {
  readonly site: string;
  readonly catalog: Catalog;
  readonly spool: Spool;
  readonly pool: CodecPool;
  readonly uploads: UploadQueue;
  readonly sealing: WalSealing;
  /** Needed only to compare with what an older version stored without a hash. PEM. */
  readonly privateKeyOf: (keyId: string) => string | undefined;
  /** Name of this host, for the metadata. */
  readonly host: string;
  /** What is known of the cluster by now; asked anew for each file. */
  readonly cluster: () => ClusterFacts;
  /** Asked before each attempt to store a file; rejects where the store is not for the cluster that the file says it is of. */
  readonly admit: (applicant: Applicant, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly metrics: Metrics;
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
interface Order {
  readonly name: string;
  readonly path: string;
  readonly urgency: Urgency;
  /** Whether the upload is repeated until it succeeds. */
  readonly isRepeated: boolean;
  /** Of an earlier process. */
  readonly isLeftover?: boolean;
  readonly signal: AbortSignal;
}

/** What is to be compared with what is stored. */
interface Ours {
  readonly hash: HashOfOurs;
  /** The plain file, or the one in the spool. */
  readonly content: string | SpooledWal;
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
  readonly #source: WalSource;
  readonly #archives = new SharedRuns<ArchiveResult>();
  readonly #resumes = new SharedRuns<void>();

  constructor(deps: WalArchiverDeps) {
    this.#deps = deps;
    this.#source = { site: deps.site, catalog: deps.catalog, privateKeyOf: deps.privateKeyOf };
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
    const ours: HashOfOurs = (algorithm) => this.#hash(order, algorithm);
    const stored = await this.#alreadyStored(order);
    if (stored) await this.#expectSame(name, { hash: ours, content: order.path }, stored);
    const result = stored ? 'already-stored' : await this.#sealAndUpload(order, ours);
    this.#deps.log.debug({ site: this.#deps.site, wal: name, result }, 'archived WAL file');
    this.#deps.onStored?.(name);
    return result;
  }

  /** Uploads what an earlier process left in the spool under this name. */
  async #uploadLeft(name: string): Promise<void> {
    await this.#resumes.run(name, async () => {
      const left = await readSpooledWal(name, this.#spoolPath(name));
      if (!left) return;
      const { signal } = this.#deps;
      const order = { urgency: urgent, isRepeated: true, isLeftover: true, signal };
      const result = await this.#upload(left, order, { hash: (algorithm) => this.#hashOfSpooled(left, algorithm), content: left });
      this.#deps.log.info({ site: this.#deps.site, wal: name, result }, 'archived WAL file that an earlier run left in the spool');
      this.#deps.onStored?.(name);
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

  async #sealAndUpload(order: Order, ours: HashOfOurs): Promise<ArchiveResult> {
    const { index, ...spooled } = await this.#seal(order);
    try {
      const hash: HashOfOurs = async (algorithm) => hashInMetadata(spooled, algorithm) ?? (await ours(algorithm));
      const result = await this.#upload(spooled, order, { hash, content: order.path });
      // What was stored before may differ behind the end of its timeline.
      if (index !== undefined && result === 'stored') this.#deps.index?.add(order.name, index);
      return result;
    } catch (error) {
      // PostgreSQL still has the file; what contradicts the store must not wait in the spool to be tried again at each start.
      if (!this.#deps.signal.aborted) await this.#deps.spool.remove(spooled.path);
      throw error;
    }
  }

  /** Resolves once the file is in the spool with its metadata, durably. */
  async #seal({ name, path, urgency, signal }: Order): Promise<SpooledWal & Pick<SealedWal, 'index'>> {
    const { pool, spool, sealing, host, metrics } = this.#deps;
    const cluster = this.#deps.cluster();
    const spoolPath = this.#spoolPath(name);
    const sealedPath = spool.temporaryFor(spoolPath);
    const isIndexed = this.#deps.index !== undefined && classifyWalFile(name) !== 'history';
    const input = { name, path, cluster, sealedPath, seal: sealOptionsOf(sealing), isIndexed };
    await requireRoom(spoolPath, path);
    const result = await pool.run(sealWal, input, { signal, urgency }).catch(async (error: unknown) => {
      const isDead = isOperatorError(error, 'worker-died');
      if (!signal.aborted) countFailure(metrics, isDead ? 'compressor_run_critical' : 'compressor_run', error);
      // It could not do that itself any more.
      if (isDead) await rm(sealedPath, { force: true });
      throw error;
    });
    const metadata = sealedWalMetadata(sealing, result, { host, pgVersion: cluster.pgVersion });
    try {
      await spool.publish(sealedPath, spoolPath, metadata);
    } catch (error) {
      await rm(sealedPath, { force: true });
      throw cannotWrite(spoolPath, error);
    }
    const { seen, index, sealedBytes: size } = result;
    return { name, path: spoolPath, size, metadata, seen, ...(index && { index }) };
  }

  async #upload(spooled: SpooledWal, how: Omit<Order, 'name' | 'path'>, ours: Ours): Promise<ArchiveResult> {
    const { site, uploads, catalog, admit } = this.#deps;
    const { name, path, size, metadata } = spooled;
    const { urgency, isRepeated, isLeftover = false, signal } = how;
    const store = withChecks(catalog.store, { beforePut: () => admit({ what: name, ...spooled.seen }, signal) });
    const target = { site, store, key: catalog.walKey(name), fileType: fileTypeOf(name) };
    let result: ArchiveResult = 'stored';
    try {
      const source = sourceOfFile(path, size);
      await uploads.upload({ ...target, source, metadata, createOnly: true, urgency, isRepeated, isLeftover, signal });
    } catch (error) {
      if (!isOperatorError(error, 'object-exists')) throw error;
      await this.#expectSame(name, ours, await catalog.store.head(target.key, { signal }));
      result = 'already-stored';
    }
    await this.#removeStored(path);
    return result;
  }

  async #removeStored(path: string): Promise<void> {
    const { spool, metrics } = this.#deps;
    try {
      await spool.remove(path);
    } catch (error) {
      countFailure(metrics, 'handle_upload_unlink', error);
      throw error;
    }
  }

  async #expectSame(name: string, { hash, content }: Ours, stored: ObjectEntry): Promise<void> {
    if (await sameContent(name, hash, stored, this.#source, this.#receiving())) return;
    if (await sameUntilSwitch(name, content, this.#source, this.#receiving())) return;
    throw new OperatorError(
      'wal-conflict',
      `${name} is already stored with other content: ${stored.key} in ${this.#deps.catalog.store.name}`,
      { hint: `${whyConflict(name)} What is stored was not changed.` },
    );
  }

  async #hash({ name, path, urgency, signal }: Order, algorithm: string): Promise<string> {
    return this.#deps.pool.run(hashWal, { name, path, cluster: this.#deps.cluster(), hash: algorithm }, { signal, urgency });
  }

  async #hashOfSpooled(spooled: SpooledWal, algorithm: string): Promise<string> {
    const known = hashInMetadata(spooled, algorithm);
    if (known !== undefined) return known;
    throw new OperatorError('wal-conflict', `${spooled.name} is stored already, and the copy in the spool cannot be compared with it`, {
      hint: `If PostgreSQL still has the segment in pg_wal, remove ${spooled.path} and its .metadata; it will be archived again.`,
    });
  }

  #receiving() {
    const { pool, spool, sealing, signal } = this.#deps;
    return { pool, signal, directory: spool.prefetchDirectory, hashAlgorithm: hashAlgorithms[sealing.hashAlgorithm] };
  }

  #spoolPath(name: string): string {
    const { spool } = this.#deps;
    return classifyWalFile(name) === 'history' ? spool.historyFile(name) : spool.walFile(name);
  }
}

/** Says nothing of the file; somebody has to mend the store, or what may be done there. */
function isStoreRefusal(error: unknown): boolean {
  return isOperatorError(error) && (error.retryable || ['store-denied', 'store-missing', 'store-failed'].includes(error.code));
}

function hashInMetadata({ metadata }: SpooledWal, algorithm: string): string | undefined {
  const { hash, hashAlgorithm } = parseWalMetadata(metadata);
  return hashAlgorithm !== undefined && nodeHashName(hashAlgorithm) === algorithm ? hash : undefined;
}

function whyConflict(name: string): string {
  const copy = 'Give the one that does not replace the other a site of its own ("A new cluster" in docs/guide.md).';
  if (classifyWalFile(name) === 'history')
    return `Two servers were promoted to this timeline, such as a restored copy beside its original. ${copy}`;
  return `Two servers write to the same site: a restored copy, a clone, or an old primary that came back. ${copy}`;
}

function fileTypeOf(name: string): UploadFileType {
  switch (classifyWalFile(name)) {
    case 'history':
      return 'timeline';
    case 'partial':
      return 'xlog_partial';
    default:
      return 'xlog';
  }
}
