import { statfs } from 'node:fs/promises';
import type { Clock } from '../../lib/clock.ts';
import { OperatorError } from '../../lib/errors.ts';

/** What is free on a disk, and how large it is. */
export interface DiskRoom {
  /** Without the blocks that only root may use. */
  readonly freeBytes: number;
  readonly sizeBytes: number;
}

export type RoomVerdict = 'ample' | 'scarce' | 'exhausted';

const reserveBytesDefault = 1024 ** 3;
const reserveShareMax = 0.05;
/** None is begun before so many times the reserve is free: one that was given up must not be begun again at once. */
const beginFactor = 1.5;
const lookMs = 1_000;

/** What base backups leave to WAL. `setting`: `spool_reserve_bytes`. */
export function reserveOf({ sizeBytes }: DiskRoom, setting: number | null): number {
  return setting ?? Math.min(reserveBytesDefault, Math.floor(sizeBytes * reserveShareMax));
}

/** `scarce`: a base backup goes on, but none is begun. `exhausted`: it is given up, so that there is room for WAL. */
export function roomVerdict(room: DiskRoom, setting: number | null): RoomVerdict {
  const reserve = reserveOf(room, setting);
  if (room.freeBytes < reserve) return 'exhausted';
  return room.freeBytes < reserve * beginFactor ? 'scarce' : 'ample';
}

/** The disk of `backup_location`, of which base backups leave a part to WAL: a full one would stop both. */
export class SpoolRoom {
  readonly #directory: string;
  readonly #setting: () => number | null;
  readonly #clock: Clock;

  constructor(directory: string, setting: () => number | null, clock: Clock) {
    this.#directory = directory;
    this.#setting = setting;
    this.#clock = clock;
  }

  /** Why no base backup is begun now, if so. */
  async obstacle(): Promise<string | undefined> {
    const room = await this.#look();
    if (room === undefined || roomVerdict(room, this.#setting()) === 'ample') return undefined;
    return `only ${room.freeBytes} bytes are free in ${this.#directory}, of which ${reserveOf(room, this.#setting())} are left to WAL (spool_reserve_bytes)`;
  }

  /** Until `signal` is aborted, looks at the disk; calls back once it is exhausted, with what ends the base backup. */
  async watch(signal: AbortSignal, onExhausted: (why: OperatorError) => void): Promise<void> {
    while (!signal.aborted) {
      const room = await this.#look();
      if (room && roomVerdict(room, this.#setting()) === 'exhausted') return onExhausted(this.#exhausted(room));
      await this.#clock.sleep(lookMs, signal).catch(() => {});
    }
  }

  /** What cannot be looked at is no reason for anything here. */
  async #look(): Promise<DiskRoom | undefined> {
    return statfs(this.#directory).then(
      ({ bavail, blocks, bsize }) => ({ freeBytes: bavail * bsize, sizeBytes: blocks * bsize }),
      () => undefined,
    );
  }

  #exhausted(room: DiskRoom): OperatorError {
    const reserve = reserveOf(room, this.#setting());
    const what = `there is no room to write the base backup: only ${room.freeBytes} bytes are free in ${this.#directory}, and ${reserve} are left to WAL`;
    return new OperatorError('disk-full', what, {
      retryable: true,
      hint: 'Make room there. Fewer or smaller chunks (basebackup_chunks_in_progress, basebackup_chunk_size) need less; see spool_reserve_bytes.',
    });
  }
}
