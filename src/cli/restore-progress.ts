import { writeFileAtomic } from '../lib/atomic-file.ts';
import { systemClock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { formatJson } from '../lib/json.ts';
import type { Progress, ProgressReport } from '../transfer/progress.ts';

/** Where progress is shown. */
export interface ProgressOutput {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

const mebibyte = 1024 * 1024;
const tickMs = 1000;
/** Where no terminal overwrites the line, it comes more seldom. */
const lineEveryMs = 10_000;

/** Shows how far a restore has come, on a terminal in one line, otherwise in a line now and then; and in a file for programs. */
export class RestoreProgress implements AsyncDisposable {
  readonly #progress: Progress;
  readonly #output: ProgressOutput;
  readonly #statusFile: string | undefined;
  readonly #line: (report: ProgressReport) => string;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #lineOpen = false;
  #started = false;
  #lastLine = '';

  /** `line`: in which words. */
  constructor(progress: Progress, output: ProgressOutput, statusFile: string | undefined, line = progressLine) {
    this.#line = line;
    this.#progress = progress;
    this.#output = output;
    this.#statusFile = statusFile;
  }

  /** Begins to show; until then there is nothing to tell. */
  start(): void {
    this.#started = true;
    this.#running = this.#run();
  }

  /** Prints a line of its own. */
  say(message: string): void {
    this.#closeLine();
    this.#output.write(`${message}\n`);
  }

  /** Shows the last state and ends. What ends it before its scope does has shown it already. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (!this.#started) return;
    this.#started = false;
    this.#show();
    this.#closeLine();
    await this.#writeStatus();
  }

  async #run(): Promise<void> {
    let shownMs = systemClock.monotonicMs();
    try {
      for (;;) {
        await this.#writeStatus();
        await systemClock.sleep(tickMs, this.#stop.signal);
        const nowMs = systemClock.monotonicMs();
        if (!this.#output.isTTY && nowMs - shownMs < lineEveryMs) continue;
        shownMs = nowMs;
        this.#show();
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    }
  }

  #show(): void {
    const line = this.#line(this.#progress.report());
    if (line === this.#lastLine) return;
    this.#lastLine = line;
    if (!this.#output.isTTY) {
      this.#output.write(`${line}\n`);
      return;
    }
    this.#output.write(`\r${line}\u001b[K`);
    this.#lineOpen = true;
  }

  #closeLine(): void {
    if (this.#lineOpen) this.#output.write('\n');
    this.#lineOpen = false;
  }

  /** A status file that cannot be written must not end a restore. */
  async #writeStatus(): Promise<void> {
    if (this.#statusFile === undefined) return;
    try {
      await writeFileAtomic(this.#statusFile, statusText(this.#progress.report()), { mode: 0o644 });
    } catch (error) {
      this.say(`WARNING: cannot write ${this.#statusFile}: ${messageOf(error)}`);
    }
  }
}

export function progressLine(report: ProgressReport): string {
  const { bytes, totalBytes = 0, bytesPerSecond, secondsRemaining } = report;
  const amount = `${(fractionOf(report) * 100).toFixed(2)}% (${inMib(bytes)} / ${inMib(totalBytes)} MiB)`;
  const rate = bytesPerSecond > 0 ? `, ${inMib(bytesPerSecond)} MiB/s` : '';
  const left = secondsRemaining === undefined || bytes >= totalBytes ? '' : `, ${clockText(secondsRemaining)} left`;
  return `Download progress: ${amount}${rate}${left}`;
}

/** As other programs read it: `progress_percent` is a fraction of one, whatever its name says. */
export function statusText(report: ProgressReport): string {
  return formatJson({ downloaded_bytes: report.bytes, progress_percent: fractionOf(report), total_bytes: report.totalBytes ?? 0 });
}

function fractionOf({ bytes, totalBytes = 0 }: ProgressReport): number {
  return totalBytes === 0 ? 0 : Math.min(1, bytes / totalBytes);
}

function inMib(bytes: number): string {
  return (bytes / mebibyte).toFixed(1);
}

function clockText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const minutesAndSeconds = `${String(Math.floor(whole / 60) % 60).padStart(2, '0')}:${String(whole % 60).padStart(2, '0')}`;
  return whole < 3600 ? minutesAndSeconds : `${Math.floor(whole / 3600)}:${minutesAndSeconds}`;
}
