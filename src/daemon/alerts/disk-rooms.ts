import { stat, statfs } from 'node:fs/promises';
import type { DaemonConfig } from '../../config/load.ts';
import type { Clock } from '../../lib/clock.ts';
import { explain } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { findWalDirectory } from '../../wal/wal-directory.ts';
import type { DiskSample } from '../metrics/disk-forecast.ts';
import type { Alerts } from './alerts.ts';
import { whyNearlyFull } from './judge-disk.ts';

export interface DiskRoomsDeps {
  readonly config: () => DaemonConfig;
  readonly alerts: Pick<Alerts, 'raise' | 'clear'>;
  readonly clock: Clock;
  readonly log: Log;
}

interface Place {
  /** Null: it is for all sites. */
  readonly site: string | null;
  readonly what: string;
  readonly path: string;
}

interface Disk extends Place {
  readonly device: number;
}

const beatMs = 5_000;
const windowMs = 30 * 60_000;

/** Watches the disks that must not become full: that of `backup_location`, and those of `pg_wal` of sites whose server is on this host. */
export class DiskRooms {
  readonly #deps: DiskRoomsDeps;
  readonly #end = new AbortController();
  #running: Promise<void> = Promise.resolve();
  readonly #samples = new Map<string, readonly DiskSample[]>();

  constructor(deps: DiskRoomsDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps;
    let told: string | undefined;
    while (!this.#end.signal.aborted) {
      await this.#look().catch((error: unknown) => {
        const trouble = explain(error);
        if (trouble !== told) log.error({}, `a look at the disks failed: ${trouble}`);
        told = trouble;
      });
      await clock.sleep(beatMs, this.#end.signal).catch(() => {});
    }
  }

  async #look(): Promise<void> {
    const disks = (await Promise.all((await this.#places()).map(diskOf))).flatMap((disk) => disk ?? []);
    const [spool] = disks.filter(({ site }) => site === null);
    for (const disk of disks) {
      // One disk is one trouble.
      if (disk === spool || disk.device !== spool?.device) await this.#judge(disk);
    }
  }

  async #places(): Promise<Place[]> {
    const { backup_location: spool, backup_sites: sites } = this.#deps.config();
    const places: Place[] = [{ site: null, what: `the disk of backup_location (${spool})`, path: spool }];
    for (const { name, active, pg_data_directory: data } of Object.values(sites)) {
      const path = active && data !== null ? await findWalDirectory(data).catch(() => undefined) : undefined;
      if (path !== undefined) places.push({ site: name, what: `the disk of pg_wal (${path})`, path });
    }
    return places;
  }

  async #judge({ site, what, path }: Disk): Promise<void> {
    const { config, alerts, clock } = this.#deps;
    const { bavail, blocks, bsize } = await statfs(path);
    const atMs = clock.monotonicMs();
    const samples = [
      ...(this.#samples.get(path) ?? []).filter((sample) => atMs - sample.atMs <= windowMs),
      { atMs, freeBytes: bavail * bsize },
    ];
    this.#samples.set(path, samples);
    const limits = (site === null ? undefined : config().backup_sites[site]?.alerts) ?? config().alerts;
    const because = whyNearlyFull({ what, sizeBytes: blocks * bsize, samples }, limits);
    await (because === null ? alerts.clear('disk_nearly_full', site) : alerts.raise('disk_nearly_full', site, because));
  }
}

/** Undefined where it cannot be looked at, such as a server's directory on another host. */
async function diskOf(place: Place): Promise<Disk | undefined> {
  return stat(place.path).then(
    ({ dev }) => ({ ...place, device: dev }),
    () => undefined,
  );
}
