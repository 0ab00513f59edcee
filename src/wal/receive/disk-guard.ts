import { statfs } from 'node:fs/promises';
import type { Clock } from '../../lib/clock.ts';
import { messageOf, OperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { WalReceiverOptions } from '../options.ts';

/** Something that writes to the disk and can be told to wait. */
export interface Pausable {
  readonly isPaused: boolean;
  pause(why: OperatorError): void;
  resume(): void;
}

export interface DiskGuardDeps {
  readonly site: string;
  readonly directory: string;
  readonly guard: WalReceiverOptions;
  readonly clock: Clock;
  readonly log: Log;
}

export interface GuardChange {
  readonly isPaused: boolean;
  readonly because: string;
}

export type GuardStep = 'pause' | 'resume' | 'stay';

/** Has a receiver wait before the disk it writes to is full. */
export class DiskGuard {
  readonly #deps: DiskGuardDeps;

  constructor(deps: DiskGuardDeps) {
    this.#deps = deps;
  }

  /** Resolves once there is enough room to begin, and at least so many bytes. `tell` is told again and again why it does not yet. */
  async waitForRoom(bytesMin: number, tell: (because: OperatorError) => void, signal: AbortSignal): Promise<void> {
    const { directory, clock, log, site } = this.#deps;
    const guard = { ...this.#deps.guard, min_disk_free_bytes: Math.max(this.#deps.guard.min_disk_free_bytes ?? 0, bytesMin) };
    for (let isPaused = false; !signal.aborted; isPaused = true) {
      const free = await freeBytesOf(directory);
      const step = guardStep(isPaused, free, guard);
      if (step === 'resume' || (step === 'stay' && !isPaused)) return;
      tell(noRoom(directory, free));
      if (!isPaused) log.warn({ site }, messageOf(noRoom(directory, free)));
      await clock.sleep(guard.disk_space_check_interval * 1000, signal);
    }
  }

  /** Looks at the disk, and pauses or resumes; resolves to what changed. */
  async check(pausable: Pausable): Promise<GuardChange | undefined> {
    const { guard, directory, log, site } = this.#deps;
    const free = await freeBytesOf(directory);
    const step = guardStep(pausable.isPaused, free, guard);
    if (step === 'stay') return undefined;
    if (step === 'pause') {
      const why = noRoom(directory, free);
      log.warn({ site }, messageOf(why));
      pausable.pause(why);
      return { isPaused: true, because: messageOf(why) };
    }
    pausable.resume();
    log.info({ site, free }, 'receiving WAL again, there is room');
    return { isPaused: false, because: 'receiving again after a pause' };
  }
}

/** `disk-full` for somebody who receives into this directory. */
export function noRoom(directory: string, freeBytes: number): OperatorError {
  return new OperatorError('disk-full', `receiving of WAL is paused: only ${freeBytes} bytes are free in ${directory}`, {
    retryable: true,
    hint: 'Make room on the disk of "backup_location"; see pg_receivexlog.min_disk_free_bytes.',
  });
}

/**
 * What has to be free where a segment is begun, in bytes: beside it there is always room to seal another, which may come out a little longer. Without
 * that a full disk would never become empty.
 */
export function roomForSegment(segmentBytes: number): number {
  return 3 * segmentBytes;
}

/** Between the two limits things stay as they are, so that receiving does not begin and end all the time. */
export function guardStep(isPaused: boolean, freeBytes: number, options: WalReceiverOptions): GuardStep {
  const { min_disk_free_bytes: min, resume_multiplier: multiplier } = options;
  if (min === null || min === 0) return isPaused ? 'resume' : 'stay';
  if (isPaused) return freeBytes >= min * multiplier ? 'resume' : 'stay';
  return freeBytes < min ? 'pause' : 'stay';
}

/** What we may write; the blocks that only root may use do not count. */
export async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
