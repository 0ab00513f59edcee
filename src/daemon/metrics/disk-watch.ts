import { lstat, opendir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { type DiskSample, secondsUntilFull } from './disk-forecast.ts';
import type { Sample } from './registry.ts';

/** How far back the forecast looks. */
const windowMs = 30 * 60_000;
/** Adding up a spool of many files may take so much of the time at most. */
const measuringShareMax = 0.01;

/** A directory on a disk of this host. */
export interface DiskPlace {
  readonly place: 'spool' | 'store' | 'pgdata';
  /** Undefined: of all. */
  readonly site?: string | undefined;
  readonly path: string;
}

export interface SpoolPlace {
  readonly site: string;
  readonly path: string;
}

interface WatchedDisk extends DiskPlace {
  readonly sizeBytes: number;
  readonly samples: readonly DiskSample[];
}

interface MeasuredSpool {
  readonly bytes: number;
  readonly nextAtMs: number;
}

/** How much room there is, and how much of it the spools take. */
export class DiskWatch {
  readonly #clock: Clock;
  #disks = new Map<string, WatchedDisk>();
  #spools = new Map<string, MeasuredSpool>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What cannot be looked at, such as a disk that is not mounted, is left out until it can. */
  async look(places: readonly DiskPlace[], spools: readonly SpoolPlace[]): Promise<void> {
    const disks = await Promise.all(places.map((place) => this.#lookAt(place)));
    this.#disks = new Map(disks.flatMap((disk) => (disk ? [[keyOf(disk), disk] as const] : [])));
    const measured = new Map<string, MeasuredSpool>();
    for (const { site, path } of spools) measured.set(site, await this.#measure(site, path));
    this.#spools = measured;
  }

  samples(): Sample[] {
    const disks = [...this.#disks.values()].flatMap(({ place, site, sizeBytes, samples }) => {
      const tags = { place, ...(site !== undefined && { site }) };
      return [
        { name: 'pghoard.disk_free_bytes', value: samples.at(-1)?.freeBytes ?? 0, tags },
        { name: 'pghoard.disk_size_bytes', value: sizeBytes, tags },
        { name: 'pghoard.disk_full_seconds', value: secondsUntilFull(samples), tags },
      ];
    });
    const spools = [...this.#spools].map(([site, { bytes }]) => ({ name: 'pghoard.spool_bytes', value: bytes, tags: { site } }));
    return [...disks, ...spools];
  }

  async #lookAt(place: DiskPlace): Promise<WatchedDisk | undefined> {
    try {
      const { bavail, blocks, bsize } = await statfs(place.path);
      const atMs = this.#clock.monotonicMs();
      const earlier = this.#disks.get(keyOf(place))?.samples ?? [];
      const samples = [...earlier.filter((sample) => atMs - sample.atMs <= windowMs), { atMs, freeBytes: bavail * bsize }];
      return { ...place, sizeBytes: blocks * bsize, samples };
    } catch {
      return undefined;
    }
  }

  async #measure(site: string, path: string): Promise<MeasuredSpool> {
    const startMs = this.#clock.monotonicMs();
    const known = this.#spools.get(site);
    if (known && startMs < known.nextAtMs) return known;
    const bytes = await bytesBelow(path);
    const endMs = this.#clock.monotonicMs();
    return { bytes, nextAtMs: endMs + (endMs - startMs) / measuringShareMax };
  }
}

/** Files come and go meanwhile. */
async function bytesBelow(directory: string): Promise<number> {
  let bytes = 0;
  try {
    for await (const entry of await opendir(directory)) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) bytes += await bytesBelow(path);
      else if (entry.isFile())
        bytes += await lstat(path).then(
          ({ size }) => size,
          () => 0,
        );
    }
  } catch {
    return bytes;
  }
  return bytes;
}

function keyOf({ place, site, path }: DiskPlace): string {
  return JSON.stringify([place, site, path]);
}
