import { statfs } from 'node:fs/promises';
import type { Clock } from '../../lib/clock.ts';
import { type DiskSample, secondsUntilFull } from './disk-forecast.ts';
import type { Sample } from './registry.ts';

/** How far back the forecast looks. */
const windowMs = 30 * 60_000;
/** A disk of another host that is gone may never answer. */
const answerMsMax = 2_000;

/** A directory on a disk of this host. */
export interface DiskPlace {
  readonly place: 'spool' | 'store' | 'pgdata';
  /** Undefined: of all. */
  readonly site?: string | undefined;
  readonly path: string;
}

interface WatchedDisk extends DiskPlace {
  readonly sizeBytes: number;
  readonly samples: readonly DiskSample[];
}

/** How much room there is. */
export class DiskWatch {
  readonly #clock: Clock;
  #disks = new Map<string, WatchedDisk>();
  /** In the order in which they were asked for, whichever answers first. */
  #keys: readonly string[] = [];
  readonly #looking = new Map<string, Promise<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What cannot be looked at, such as a disk that is not mounted or does not answer, is left out until it can. */
  async look(places: readonly DiskPlace[]): Promise<void> {
    const earlier = this.#disks;
    const disks = new Map<string, WatchedDisk>();
    for (const place of places) {
      const key = keyOf(place);
      const answered = async () => {
        const disk = await this.#lookAt(place, earlier.get(key)?.samples ?? []);
        if (disk) disks.set(key, disk);
      };
      if (!this.#looking.has(key))
        this.#looking.set(
          key,
          answered().finally(() => this.#looking.delete(key)),
        );
    }
    const enough = new AbortController();
    const patience = this.#clock.sleep(answerMsMax, enough.signal).catch(() => {});
    await Promise.race([patience, Promise.all(this.#looking.values())]);
    enough.abort();
    this.#disks = disks;
    this.#keys = places.map(keyOf);
  }

  samples(): Sample[] {
    const disks = this.#keys.flatMap((key) => this.#disks.get(key) ?? []);
    return disks.flatMap(({ place, site, sizeBytes, samples }) => {
      const tags = { place, ...(site !== undefined && { site }) };
      return [
        { name: 'pghoard.disk_free_bytes', value: samples.at(-1)?.freeBytes ?? 0, tags },
        { name: 'pghoard.disk_size_bytes', value: sizeBytes, tags },
        { name: 'pghoard.disk_full_seconds', value: secondsUntilFull(samples), tags },
      ];
    });
  }

  async #lookAt(place: DiskPlace, earlier: readonly DiskSample[]): Promise<WatchedDisk | undefined> {
    try {
      const { bavail, blocks, bsize } = await statfs(place.path);
      const atMs = this.#clock.monotonicMs();
      const samples = [...earlier.filter((sample) => atMs - sample.atMs <= windowMs), { atMs, freeBytes: bavail * bsize }];
      return { ...place, sizeBytes: blocks * bsize, samples };
    } catch {
      return undefined;
    }
  }
}

function keyOf({ place, site, path }: DiskPlace): string {
  return JSON.stringify([place, site, path]);
}
