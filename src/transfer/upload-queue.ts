import { type Clock, systemClock } from '../lib/clock.ts';
import { inWords, isOperatorError } from '../lib/errors.ts';
import { Limiter } from '../lib/limiter.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { type Random, systemRandom } from '../lib/random.ts';
import { type RetryPolicy, retry } from '../lib/retry.ts';
import type { Urgency } from '../lib/urgency.ts';
import type { Metadata, ObjectEntry, ObjectSource, ObjectStore } from '../storage/object-store.ts';
import type { UploadFileType } from './file-type.ts';
import { SealingStats } from './sealing-stats.ts';
import { TransferStats } from './transfer-stats.ts';
import { TroubleWatch } from './trouble-watch.ts';
import { UploadMetrics } from './upload-metrics.ts';

/** Never gives up: an object that waits here is in no store yet. */
export const uploadRetryPolicy: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMsFirst: 500, delayMsMax: 20_000 };

export interface UploadQueueOptions {
  /** Uploads at once. */
  readonly threads: number;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly retry?: RetryPolicy;
  /** After more failures than this in a row {@link onTrouble} is told of each. */
  readonly warningLimit: number;
  readonly onTrouble: (site: string, key: string, failures: number, error: unknown) => void;
  /** Uploads of a site succeed again, and none is left that still fails. */
  readonly onRecovered: (site: string) => void;
  /** Runs an attempt, and gives it up where it makes no progress. Default: it is waited for. */
  readonly watch?: WatchUpload;
  /** Transfer statistics of a previous life, as {@link UploadQueue.stats} had them. */
  readonly previousStats?: unknown;
  readonly clock?: Clock;
  readonly random?: Random;
}

export type WatchUpload = <T>(
  upload: { readonly site: string; readonly key: string },
  signal: AbortSignal,
  attempt: (signal: AbortSignal, progress: () => void) => Promise<T>,
) => Promise<T>;

export interface UploadRequest {
  readonly site: string;
  readonly store: ObjectStore;
  readonly key: string;
  readonly source: ObjectSource;
  readonly metadata: Metadata;
  readonly createOnly?: boolean;
  readonly isShortLived?: boolean;
  readonly fileType: UploadFileType;
  readonly signal?: AbortSignal | undefined;
  /** Default: not urgent. */
  readonly urgency?: Urgency | undefined;
  /** Sealed by an earlier process, and so not counted as sealed. */
  readonly isLeftover?: boolean;
  /** Told as the store takes it, and of each failure that is repeated. */
  readonly onProgress?: (() => void) | undefined;
  /** False: the first failure is the end of it, and raises no alert. Default: true. */
  readonly isRepeated?: boolean;
}

/**
 * Everything that goes to a store goes through here: a limited number at once, first come first served, but urgent ones before others (see
 * {@link Limiter}), and one of each site whatever those of others do: a store that hangs holds up its own site only. A retryable failure is repeated until it succeeds or its signal is aborted; while an upload waits for its next attempt it
 * holds no place, and then it queues at the end.
 */
export class UploadQueue {
  /** Uploads at once. */
  readonly threads: number;
  readonly stats: TransferStats;
  readonly sealing = new SealingStats();
  readonly #options: UploadQueueOptions;
  readonly #limiter: Limiter;
  readonly #clock: Clock;
  readonly #trouble: TroubleWatch;
  readonly #metrics: UploadMetrics;
  readonly #pending = new Set<Promise<unknown>>();

  constructor(options: UploadQueueOptions) {
    this.#options = options;
    this.threads = options.threads;
    this.#clock = options.clock ?? systemClock;
    this.#limiter = new Limiter(options.threads, Number.POSITIVE_INFINITY);
    this.#trouble = new TroubleWatch(options);
    this.stats = new TransferStats(options.previousStats, this.#clock);
    this.#metrics = new UploadMetrics(options.metrics, this.stats);
  }

  /** Uploads that have not ended. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Rejects with the signal's reason, or with the first failure that is not retryable. */
  async upload(request: UploadRequest): Promise<ObjectEntry> {
    this.#countSealed(request);
    const run = this.#repeat(request);
    this.#pending.add(run);
    try {
      return await run;
    } finally {
      this.#pending.delete(run);
    }
  }

  /** Resolves once nothing is pending, also what comes in meanwhile. Failures are told to those who asked for the upload. */
  async drain(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
  }

  #countSealed(request: UploadRequest): void {
    const { site, fileType, metadata, source, isLeftover = false } = request;
    if (isLeftover) return;
    const told = Number(metadata['original-file-size']);
    const plainBytes = Number.isSafeInteger(told) ? told : source.size;
    this.sealing.count(site, fileType, plainBytes, source.size);
    this.#metrics.sealed(request, plainBytes);
  }

  async #repeat(request: UploadRequest): Promise<ObjectEntry> {
    const { site, key, signal, urgency, isRepeated = true } = request;
    const upload = this.#trouble.begin(site, key);
    const { retry: repeating = uploadRetryPolicy, random = systemRandom, log } = this.#options;
    const policy = isRepeated ? repeating : { ...repeating, attemptsMax: 1 };
    let failures = 0;
    const onRetry = (error: unknown, attempt: number, delayMs: number) => {
      log.warn({ site, key, attempt, delayMs: Math.round(delayMs), because: inWords(error) }, 'upload failed, will be repeated');
      this.#metrics.repeated(request);
      request.onProgress?.();
    };
    const onFailure = (error: unknown) => {
      this.stats.failed(site, 'upload', request.fileType);
      this.#metrics.failed(request, error, failures++ === 0);
      if (isRepeated && isOperatorError(error) && error.retryable) upload.failed(error);
    };
    try {
      const work = () => this.#limiter.run(() => this.#attempt(request, onFailure), signal, urgency, site);
      const entry = await retry(work, policy, { signal, clock: this.#clock, random, onRetry });
      upload.succeeded();
      return entry;
    } catch (error) {
      upload.gaveUp(isOrdinary(error, signal) || !isRepeated ? undefined : error);
      throw error;
    }
  }

  async #attempt(request: UploadRequest, onFailure: (error: unknown) => void): Promise<ObjectEntry> {
    const { site, store, key, source, metadata, createOnly = false, isShortLived = false, fileType, signal } = request;
    const startMs = this.#clock.monotonicMs();
    const { watch = unwatched } = this.#options;
    try {
      const entry = await watch({ site, key }, signal ?? new AbortController().signal, (ended, progress) => {
        const tell = () => {
          progress();
          request.onProgress?.();
        };
        return store.put(key, withProgress(source, tell), { metadata, createOnly, isShortLived, signal: ended });
      });
      const seconds = (this.#clock.monotonicMs() - startMs) / 1000;
      const filename = key.slice(key.lastIndexOf('/') + 1);
      this.stats.succeeded({ site, operation: 'upload', fileType, filename, bytes: entry.size, seconds });
      this.#metrics.succeeded(request, entry);
      return entry;
    } catch (error) {
      if (!isOrdinary(error, signal)) onFailure(error);
      throw error;
    }
  }
}

const unwatched: WatchUpload = (_upload, signal, attempt) => attempt(signal, () => {});

function withProgress(source: ObjectSource, progress: () => void): ObjectSource {
  return {
    ...source,
    onProgress: progress,
    async *open() {
      for await (const chunk of source.open()) {
        progress();
        yield chunk;
      }
    },
  };
}

/** Ends that say nothing against the store: somebody stopped the upload, or the object is there already. */
function isOrdinary(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true || isOperatorError(error, 'object-exists');
}
