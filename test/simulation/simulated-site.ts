import { walMetadata } from '../../src/catalog/wal-entry.ts';
import type { Lsn } from '../../src/postgres/lsn.ts';
import { classifyWalFile } from '../../src/postgres/wal-name.ts';
import { sourceOfBytes } from '../../src/storage/object-source.ts';
import type { SeededRandom } from '../support/seeded-random.ts';
import { MadeUpCluster, pgVersion, segmentBytes } from './made-up-postgres.ts';
import { type Caller, StormyStore } from './stormy-store.ts';
import type { YearClock } from './year-clock.ts';

/** A base backup as it is in truth. */
export interface TrueBackup {
  readonly name: string;
  readonly host: string;
  readonly mainKey: string;
  readonly chunkKeys: string[];
  readonly timeline: number;
  readonly startLsn: Lsn;
  readonly beganMs: number;
  /** As its metadata has it. */
  startTime: Date;
  readonly isOfPrimary: boolean;
  endLsn: Lsn | undefined;
  /** Its metadata have that. */
  isEndTold: boolean;
  endedMs: number;
  /** Since when its main object is there; undefined before. */
  completedMs: number | undefined;
  /** It is being taken. */
  isRunning: boolean;
  /** It could be restored once. */
  wasGood: boolean;
}

/** What somebody asked to be kept, and has not let go of. */
export interface Pin {
  readonly backup: TrueBackup;
  readonly untilMs: number;
}

export interface SiteRules {
  basebackup_interval_hours: number;
  basebackup_hour?: number;
  basebackup_count: number | null;
  basebackup_age_days_max: number | null;
  basebackup_count_min: number;
  recovery_window_days: number | null;
  keep: { daily: number; weekly: number; monthly: number } | null;
}

export interface SimulatedSiteDeps {
  readonly year: YearClock;
  readonly random: SeededRandom;
  readonly onDelete: (site: SimulatedSite, caller: Caller, key: string) => void;
  /** A base backup has the name of another one, which was complete once. */
  readonly onNameAgain: (site: SimulatedSite, backup: TrueBackup) => void;
}

/** One site of the simulated year: its cluster, its store, its rules, and the truth about its backups. */
export class SimulatedSite {
  readonly name: string;
  readonly cluster: MadeUpCluster;
  readonly store: StormyStore;
  readonly backups = new Map<string, TrueBackup>();
  readonly pins = new Set<Pin>();
  readonly rules: SiteRules;
  /** archive_command fails, whatever the daemon would say. */
  isArchivingBroken = false;
  /** Base backups fail half-way. */
  areBackupsFailing = false;
  /** When WAL was stored last. */
  keptMs = 0;
  readonly #deps: SimulatedSiteDeps;

  constructor(name: string, number: number, rules: SiteRules, deps: SimulatedSiteDeps) {
    this.name = name;
    this.rules = rules;
    this.#deps = deps;
    const hosts = [0, 1, 2].map((index) => `/nonexistent/${name}${index}`);
    this.cluster = new MadeUpCluster(7_000_000_000_000_000_000n + BigInt(number) * 10n, hosts, (5 * segmentBytes) / 24);
    this.store = new StormyStore({
      clock: { now: () => deps.year.now, monotonicMs: () => deps.year.ms, sleep: () => Promise.reject(new Error('nobody sleeps here')) },
      random: deps.random,
      onDelete: (caller, key) => deps.onDelete(this, caller, key),
    });
  }

  /** A base backup is being taken. */
  begin(backup: TrueBackup): void {
    if (this.backups.get(backup.name)?.completedMs !== undefined) this.#deps.onNameAgain(this, backup);
    this.backups.set(backup.name, backup);
  }

  /** Those that are complete and not deleted, in the order of their completion. */
  get complete(): readonly TrueBackup[] {
    return [...this.backups.values()].filter(({ completedMs, mainKey }) => completedMs !== undefined && this.store.keys.has(mainKey));
  }

  /** Whether it can be restored to its end. */
  isGood(backup: TrueBackup): boolean {
    const { mainKey, chunkKeys, timeline, startLsn, endLsn } = backup;
    if (endLsn === undefined || !this.store.keys.has(mainKey) || !chunkKeys.every((key) => this.store.keys.has(key))) return false;
    return this.hasSegments(numberOf(startLsn), lastOf(endLsn), timeline);
  }

  get good(): readonly TrueBackup[] {
    return this.complete.filter((backup) => this.isGood(backup));
  }

  /** Whether all WAL of a line is stored; both ends included. */
  hasSegments(first: bigint, last: bigint, timeline: number): boolean {
    for (let number = first; number <= last; number++) if (!this.hasSegment(number, timeline)) return false;
    return true;
  }

  hasSegment(number: bigint, timeline: number): boolean {
    return this.store.keys.has(this.walKey(this.cluster.nameAt(number, timeline)));
  }

  walKey(name: string): string {
    return `${this.name}/${classifyWalFile(name) === 'history' ? 'timeline' : 'xlog'}/${name}`;
  }

  /** The timeline to which recovery from a base backup goes: the present one if it leads there. */
  lineOf({ timeline, endLsn, startLsn }: TrueBackup): number {
    return this.cluster.leadsTo({ timeline, lsn: endLsn ?? startLsn }, this.cluster.timeline) ? this.cluster.timeline : timeline;
  }

  /** Whether the cluster can be restored to a moment, by any of its base backups: on the present timeline, or as it was then, on one that has been left since. */
  isRestorableTo(ms: number): boolean {
    const { cluster } = this;
    const then = cluster.momentAt(ms);
    const places = [{ timeline: cluster.timeline, lsn: cluster.positionAt(ms) }, ...(then === undefined ? [] : [then])];
    const candidates = this.good.filter(({ endedMs }) => endedMs <= ms);
    return places.some(({ timeline, lsn }) => candidates.some((backup) => this.#leadsTo(backup, timeline, lsn)));
  }

  #leadsTo({ timeline, startLsn, endLsn = startLsn }: TrueBackup, to: number, lsn: Lsn): boolean {
    return this.cluster.leadsTo({ timeline, lsn: endLsn }, to) && this.hasSegments(numberOf(startLsn), lastOf(lsn), to);
  }

  /** Whether WAL is missing after a base backup, with WAL behind it that is stored. */
  hasHoleAfter(backup: TrueBackup): boolean {
    const timeline = this.lineOf(backup);
    if (timeline !== this.cluster.timeline) return false;
    let hasHole = false;
    for (let number = numberOf(backup.startLsn); number <= numberOf(this.cluster.positionAt(this.#deps.year.ms)); number++) {
      if (!this.hasSegment(number, timeline)) hasHole = true;
      else if (hasHole) return true;
    }
    return false;
  }

  /** The servers hand over what is ready; `onStored` hears of each file. */
  async archive(onStored: (name: string) => void): Promise<void> {
    if (this.isArchivingBroken || this.store.weather !== 'fair') return;
    for (const server of this.cluster.servers) {
      if (!server.isUp || server.isForeign || server.role !== 'primary') continue;
      for (const name of server.ready.splice(0)) {
        await this.keep(name);
        onStored(name);
      }
    }
  }

  /** Has a file in the store, as archiving it does. */
  async keep(name: string): Promise<void> {
    const isHistory = classifyWalFile(name) === 'history';
    const body = Buffer.from(isHistory ? this.cluster.historyText(Number.parseInt(name.slice(0, 8), 16)) : 'sixteen bytes...');
    const {
      'compression-algorithm': _,
      'compression-level': __,
      ...metadata
    } = walMetadata({
      compression: { algorithm: 'snappy', level: 0 },
      plainBytes: isHistory ? body.length : segmentBytes,
      storedBytes: body.length,
      pgVersion,
      host: 'made up',
    });
    const key = this.walKey(name);
    this.keptMs = this.#deps.year.ms;
    await this.store.memory.put(key, sourceOfBytes(body), { metadata });
    this.store.keys.add(key);
  }
}

export function numberOf(lsn: Lsn): bigint {
  return lsn / BigInt(segmentBytes);
}

/** The last segment that is needed to come to a position. */
export function lastOf(lsn: Lsn): bigint {
  return (lsn - 1n) / BigInt(segmentBytes);
}
