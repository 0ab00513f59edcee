import type { CodecPool } from '../codec/pool.ts';
import type { Clock } from '../lib/clock.ts';
import { isOperatorError } from '../lib/errors.ts';
import type { Metrics } from '../lib/metrics.ts';
import { type RetryPolicy, retry } from '../lib/retry.ts';
import { type Urgency, urgent } from '../lib/urgency.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { fileIdentity } from './file-identity.ts';
import type { PrefetchPace } from './prefetch-pace.ts';
import { type OpenedWal, openStoredWal, openUnfinishedWal, type ReceivedWal, receiveWal, type WalSource } from './stored-wal.ts';
import { verifyWal } from './unseal-wal.job.ts';
import { assertNoHole } from './wal-not-found.ts';

export interface LocalWalDeps {
  /** The site itself first, then the sites that it was moved from. */
  readonly sources: readonly [WalSource, ...WalSource[]];
  readonly pool: CodecPool;
  /** Where the files go. What an earlier process left there is removed by `Spool.removeDebris`. */
  readonly directory: string;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly retryPolicy: RetryPolicy;
  /** Told how long transfers take. */
  readonly pace: PrefetchPace;
  readonly signal: AbortSignal;
}

/** A fetched file, and how it was left. */
export interface LocalWal extends ReceivedWal {
  /** See {@link fileIdentity}. */
  readonly identity: string | undefined;
  readonly sinceMs: number;
}

export interface Receiving {
  /** Default: whole files only. */
  readonly open?: typeof openStoredWal;
  /** Told, before its bytes come, whether there is such an object. */
  readonly onOpened?: (exists: boolean) => void;
}

/** What was written longer ago is read again before it is handed out. */
const freshMsMax = 30_000;
/** Digest for checking files again where the store has none. */
const hashWhereUnknown = 'sha1';

/** Brings files from the sources to the local disk, checked by hash and header, and checks them again once they have lain there. */
export class LocalWalReceiver {
  readonly #deps: LocalWalDeps;

  constructor(deps: LocalWalDeps) {
    this.#deps = deps;
  }

  /** `undefined`: every source says that there is no such object. */
  async receive(name: string, urgency: Urgency, { open = openStoredWal, onOpened }: Receiving = {}): Promise<LocalWal | undefined> {
    const { sources, pool, directory, pace, clock, signal } = this.#deps;
    return pace.timing(async () => {
      const opened = await open(name, sources, signal);
      onOpened?.(opened !== undefined);
      if (opened === undefined) return undefined;
      const receiving = receiveWal(opened, { pool, directory, hashAlgorithm: hashWhereUnknown, signal, urgency });
      receiving.then(
        () => this.#measure('ok', opened),
        () => this.#measure('failed', opened),
      );
      const wal = await receiving;
      return { ...wal, identity: await fileIdentity(wal.path), sinceMs: clock.monotonicMs() };
    });
  }

  /** For somebody who waits: what may pass is tried again. Rejects with `wal-hole` for a segment behind which there are others. */
  async receiveAsked(name: string): Promise<LocalWal | undefined> {
    const isSegment = classifyWalFile(name) === 'segment';
    const { sources, signal } = this.#deps;
    const orNoHole = () => (isSegment ? assertNoHole(name, sources, signal) : undefined);
    return this.#retrying(async () => (await this.receive(name, urgent)) ?? orNoHole(), isRetryable);
  }

  /** What is found of a segment may make place for something longer before it is read. */
  async receiveUnfinished(name: string): Promise<LocalWal | undefined> {
    const mayPass = (error: unknown) => isRetryable(error) || isOperatorError(error, 'object-missing');
    const open: typeof openStoredWal = async (...args) => (await openUnfinishedWal(...args)) ?? openStoredWal(...args);
    return this.#retrying(() => this.receive(name, urgent, { open }), mayPass);
  }

  /**
   * Whether the file is what was written. It must be the very file, in the state it was left in, and if that is more than a moment ago its hash is computed
   * again. Before that, this would only read from memory what was just written there.
   */
  async isUnharmed({ path, bytes, hash, hashAlgorithm, identity, sinceMs }: LocalWal): Promise<boolean> {
    const { pool, clock, signal } = this.#deps;
    const isFresh = clock.monotonicMs() - sinceMs < freshMsMax;
    if (isFresh && identity !== undefined && (await fileIdentity(path)) === identity) return true;
    return pool.run(verifyWal, { path, bytes, hash, hashAlgorithm }, { signal, urgency: urgent });
  }

  #retrying<T>(work: () => Promise<T>, mayPass: (error: unknown) => boolean): Promise<T> {
    const { retryPolicy, signal, clock } = this.#deps;
    return retry(work, retryPolicy, { signal, isRetryable: mayPass, clock });
  }

  #measure(result: 'ok' | 'failed', { name, source: { site }, body }: OpenedWal): void {
    const type = classifyWalFile(name) === 'history' ? 'timeline' : 'xlog';
    const { metrics, signal } = this.#deps;
    if (!signal.aborted) metrics.increase('pghoard.download_size', body.entry.size, { result, site, type });
  }
}

function isRetryable(error: unknown): boolean {
  return isOperatorError(error) && error.retryable && error.code !== 'disk-full';
}
