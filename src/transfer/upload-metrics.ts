import { isOperatorError } from '../lib/errors.ts';
import { countFailure, type Metrics } from '../lib/metrics.ts';
import type { Metadata, ObjectEntry, ObjectSource } from '../storage/object-store.ts';
import type { UploadFileType } from './file-type.ts';
import type { TransferStats } from './transfer-stats.ts';

interface Kind {
  readonly site: string;
  readonly fileType: UploadFileType;
}

interface Upload extends Kind {
  readonly metadata: Metadata;
  readonly source: ObjectSource;
}

/** What uploads give to measure. */
export class UploadMetrics {
  readonly #metrics: Metrics;
  readonly #stats: Pick<TransferStats, 'uploaded'>;

  constructor(metrics: Metrics, stats: Pick<TransferStats, 'uploaded'>) {
    this.#metrics = metrics;
    this.#stats = stats;
  }

  sealed({ site, fileType: type, metadata, source }: Upload, plainBytes: number): void {
    const algorithm = metadata['compression-algorithm'];
    if (algorithm !== undefined && plainBytes > 0)
      this.#metrics.gauge('pghoard.compressed_size_ratio', source.size / plainBytes, { algorithm, site, type });
  }

  succeeded({ site, fileType: type }: Kind, { size }: ObjectEntry): void {
    const { bytes, walSinceBasebackup } = this.#stats.uploaded(site, type);
    this.#metrics.increase('pghoard.upload_size', size, { result: 'ok', site, type });
    this.#metrics.gauge('pghoard.total_upload_size', bytes, { site, type });
    this.#metrics.gauge('pghoard.xlogs_since_basebackup', walSinceBasebackup, { site });
  }

  /** One attempt; `isFirst`: of this upload. */
  failed({ site, fileType: type, source }: Upload, error: unknown, isFirst: boolean): void {
    this.#metrics.increase('pghoard.upload_size', source.size, { result: 'failed', site, type });
    if (!isFirst) countFailure(this.#metrics, 'handle_upload', error);
    if (!isOperatorError(error)) this.#metrics.increase('pghoard.transfer_operation_errors', 1, { site });
  }

  repeated({ site, fileType: type }: Kind): void {
    this.#metrics.increase('pghoard.upload_retries', 1, { site, type });
  }
}
