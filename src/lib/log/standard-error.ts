import { fstatSync, writeSync } from 'node:fs';
import { systemErrorCode } from '../errors.ts';

const descriptor = 2;
/** A reader that lags behind is waited for so long, once. */
const patienceMs = 100;
const stepMs = 5;

/** Written at once, so that the last words of a dying process are not lost. A log that nobody takes, or that lies on a full disk, stops no daemon. */
export class StandardError {
  #lost = 0;

  /** Lines that could not be written, since one could. */
  get lost(): number {
    return this.#lost;
  }

  /** False: it could not be written. */
  write(line: string): boolean {
    const isWritten = writeAll(Buffer.from(`${line}\n`), this.#lost === 0 ? patienceMs : 0);
    this.#lost = isWritten ? 0 : this.#lost + 1;
    return isWritten;
  }
}

/** Whether what goes to standard error goes to the journal of systemd: it names the device and the inode of that stream. */
export function isJournal(journalStream: string | undefined): boolean {
  try {
    const { dev, ino } = fstatSync(descriptor);
    return journalStream === `${dev}:${ino}`;
  } catch {
    return false; // closed
  }
}

function writeAll(bytes: Buffer, patience: number): boolean {
  let waitedMs = 0;
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(descriptor, bytes, done);
    } catch (error) {
      const isFull = systemErrorCode(error) === 'EAGAIN';
      if (!isFull || waitedMs >= patience) return false;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stepMs);
      waitedMs += stepMs;
    }
  }
  return true;
}
