import type { BasebackupProgress } from './job.ts';
import type { CopyReport } from './sealed-file.ts';

/** Adds up what the jobs of a backup report. */
export class ProgressCount {
  readonly #tell: ((progress: BasebackupProgress) => void) | undefined;
  #phase: BasebackupProgress['phase'] = 'starting';
  #bytesDone = 0;
  #filesDone = 0;
  #bytesTotal: number | undefined;

  constructor(tell: ((progress: BasebackupProgress) => void) | undefined) {
    this.#tell = tell;
    this.#show();
  }

  enter(phase: BasebackupProgress['phase'], bytesTotal?: number): void {
    this.#phase = phase;
    this.#bytesTotal = bytesTotal ?? this.#bytesTotal;
    this.#show();
  }

  /** It gets on in a way that cannot be counted. */
  readonly alive = (): void => this.#show();

  /** For `onReport` of a job; other messages are none of its business. */
  readonly add = (message: unknown): void => {
    if (!isCopyReport(message)) return;
    this.#bytesDone += message.bytes;
    this.#filesDone += message.files;
    this.#show();
  };

  #show(): void {
    this.#tell?.({ phase: this.#phase, bytesDone: this.#bytesDone, bytesTotal: this.#bytesTotal, filesDone: this.#filesDone });
  }
}

function isCopyReport(message: unknown): message is CopyReport {
  return typeof message === 'object' && message !== null && 'bytes' in message && 'files' in message;
}
