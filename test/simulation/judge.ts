import type { AlertName } from '../../src/daemon/alerts/alert-catalogue.ts';
import { formatLsn } from '../../src/postgres/lsn.ts';
import { parseWalName } from '../../src/postgres/wal-name.ts';
import { segmentBytes } from './made-up-postgres.ts';
import { mayAnythingGo, mayStay, neederOf, reasonsToStay } from './promises.ts';
import type { Life, SimulatedDaemon } from './simulated-daemon.ts';
import { numberOf, type SimulatedSite, type TrueBackup } from './simulated-site.ts';
import type { Caller } from './stormy-store.ts';
import type { YearClock } from './year-clock.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** After the schedule: a failure's pause of an hour, a base backup's duration, a lease that has to run out. */
const lateMsMax = 8 * hourMs;
/** So long after everything is well again nothing may be wrong any more. */
const calmMs = 26 * hourMs;
const confirmedMs = 14 * hourMs;
const tidyMs = 80 * hourMs;
/** After the next base backup is complete, and its last WAL stored. */
const needlessMs = 4 * hourMs;
/** So long, and until the next base backup is complete, what looks like one that is being taken somewhere keeps its WAL. */
const unfinishedMs = 7 * 24 * hourMs;
const stateBytesMax = 500_000;
const claimsEveryLooks = 4;

interface Cause {
  readonly alert: AlertName;
  readonly afterMs: number;
  readonly is: (site: SimulatedSite) => boolean;
  /** When it has become another one. */
  readonly since?: (site: SimulatedSite) => number;
}

/** What must be alarmed about, once it has been so for long enough. */
const causes: readonly Cause[] = [
  {
    alert: 'configuration_error',
    afterMs: 5 * hourMs,
    is: ({ cluster }) => cluster.servers.every(({ isUp, isHanging }) => !isUp || isHanging),
  },
  {
    alert: 'two_primaries',
    afterMs: 5 * hourMs,
    is: ({ cluster }) => cluster.isTorn && cluster.servers.every(({ isHanging }) => !isHanging),
  },
  { alert: 'store_denied', afterMs: 5 * hourMs, is: ({ store }) => store.weather === 'denied' },
  {
    alert: 'wrong_server',
    afterMs: 5 * hourMs,
    is: ({ cluster, backups }) =>
      backups.size > 0 && cluster.servers.some(({ isForeign, isUp, isHanging }) => isForeign && isUp && !isHanging),
  },
  {
    alert: 'wal_not_archived',
    afterMs: 7 * hourMs,
    is: (site) => {
      const { cluster, isArchivingBroken, store } = site;
      const { leader } = cluster;
      // What a base backup needs is fetched by the daemon itself.
      const waits = leader !== undefined && !leader.isForeign && leader.ready.some((name) => !store.keys.has(site.walKey(name)));
      return waits && isArchivingBroken && store.weather === 'fair';
    },
    since: ({ keptMs }) => keptMs,
  },
  {
    alert: 'wal_gap',
    afterMs: 13 * hourMs,
    is: (site) => {
      const newest = site.complete.toSorted((a, b) => (a.completedMs ?? 0) - (b.completedMs ?? 0)).at(-1);
      return site.store.weather === 'fair' && newest !== undefined && site.hasHoleAfter(newest);
    },
  },
];

export interface JudgeDeps {
  readonly year: YearClock;
  readonly sites: readonly SimulatedSite[];
  readonly daemons: readonly SimulatedDaemon[];
  readonly isMaintained: () => boolean;
  readonly onViolation: (what: string) => void;
}

interface Record {
  hadGood: boolean;
  /** Since when base backups can be taken, and since when nothing at all is wrong. */
  ableSinceMs: number | undefined;
  calmSinceMs: number | undefined;
  lastBeganMs: number;
}

/** Knows the truth, and compares what the daemons do and say with it. */
export class Judge {
  readonly #deps: JudgeDeps;
  readonly #records: ReadonlyMap<SimulatedSite, Record>;
  /** Since when a cause has been seen by a life without interruption. */
  readonly #seen = new Map<string, number>();
  /** Since when what is there has been needless. */
  readonly #needless = new Map<SimulatedSite, ReadonlyMap<string, number>>();
  looks = 0;
  deletions = 0;
  claims = 0;
  alarms = 0;

  constructor(deps: JudgeDeps) {
    this.#deps = deps;
    this.#records = new Map(
      deps.sites.map((site) => [site, { hadGood: false, ableSinceMs: undefined, calmSinceMs: undefined, lastBeganMs: 0 }]),
    );
  }

  /** Something has changed that base backups and alerts depend on. */
  disturb(site: SimulatedSite): void {
    Object.assign(this.#recordOf(site), { ableSinceMs: undefined, calmSinceMs: undefined });
  }

  look(): void {
    this.looks++;
    for (const site of this.#deps.sites) {
      this.#judgeState(site);
      this.#judgeHolders(site);
      this.#judgeSchedule(site);
      this.#judgeAlerts(site);
      if (this.looks % claimsEveryLooks === 0) this.#judgeClaims(site);
      if (this.looks % claimsEveryLooks === 0) this.#judgeTidiness(site);
    }
  }

  /** Called before a key goes. */
  deleting(site: SimulatedSite, caller: Caller, key: string): void {
    this.deletions++;
    const [, folder, name = ''] = key.split('/');
    const nowMs = this.#deps.year.ms;
    if (folder === 'basebackup') {
      const backup = site.backups.get(name.slice(0, -'.00000000.pghoard'.length));
      if (backup?.completedMs === undefined) return;
      this.#judgeDeleter(site, caller, key);
      const reasons = reasonsToStay(site, backup, nowMs);
      if (reasons.length > 0) this.violated(site, `${caller.host} deletes base backup ${backup.name}, but ${reasons.join('; ')}`);
    } else if (folder === 'basebackup_chunk') {
      const backup = site.backups.get(name);
      if (backup === undefined) return;
      if (site.store.keys.has(backup.mainKey)) this.violated(site, `${caller.host} deletes a chunk of base backup ${name}, which is there`);
      if (backup.isRunning && caller.host !== backup.host)
        this.violated(site, `${caller.host} deletes a chunk of ${name}, which ${backup.host} is taking`);
    } else if (folder === 'xlog') {
      this.#judgeDeleter(site, caller, key);
      const { timeline, number } = parseWalName(name, segmentBytes);
      const needer = neederOf(site, timeline, number, nowMs);
      if (needer !== undefined) this.violated(site, `${caller.host} deletes WAL ${name}, which base backup ${needer.name} needs`);
    } else if (folder === 'timeline') {
      this.#judgeDeleter(site, caller, key);
      const timeline = Number.parseInt(name, 16);
      const isOnLine =
        timeline === site.cluster.timeline || site.cluster.histories.get(site.cluster.timeline)?.some((left) => left.timeline === timeline);
      const needer = site.good.find((backup) => backup.timeline < timeline && site.lineOf(backup) === site.cluster.timeline);
      if (isOnLine === true && needer !== undefined)
        this.violated(site, `${caller.host} deletes history ${name}, which ${needer.name} needs`);
    }
  }

  #judgeDeleter(site: SimulatedSite, caller: Caller, key: string): void {
    const others = this.#deps.daemons.filter(({ host, life }) => host !== caller.host && life?.site(site.name)?.ownership?.isHeld === true);
    if (others.length > 0) this.violated(site, `${caller.host} deletes ${key}, but it is ${others[0]?.host} that works on the site`);
  }

  #judgeState(site: SimulatedSite): void {
    const record = this.#recordOf(site);
    const { good } = site;
    for (const backup of good) backup.wasGood = true;
    if (good.length > 0) record.hadGood = true;
    else if (record.hadGood) this.violated(site, 'no base backup can be restored any more');
    const nowMs = this.#deps.year.ms;
    for (const { beganMs } of site.backups.values()) record.lastBeganMs = Math.max(record.lastBeganMs, beganMs);
    record.ableSinceMs = this.#isAble(site) ? (record.ableSinceMs ?? nowMs) : undefined;
    record.calmSinceMs = this.#isCalm(site) ? (record.calmSinceMs ?? nowMs) : undefined;
  }

  /** Whether base backups can be taken now. */
  #isAble(site: SimulatedSite): boolean {
    const { daemons, isMaintained } = this.#deps;
    const alive = daemons.filter(({ isAlive }) => isAlive);
    const areDaemonsWell = alive.length > 0 && alive.every(({ isWell, wrongByMs }) => isWell && wrongByMs === 0);
    const { leader, isTorn } = site.cluster;
    const isLeaderWell = leader !== undefined && !leader.isHanging && !leader.isForeign && !isTorn;
    return areDaemonsWell && isLeaderWell && site.store.weather === 'fair' && !site.areBackupsFailing && !isMaintained();
  }

  #isCalm(site: SimulatedSite): boolean {
    const areServersWell = site.cluster.servers.every(
      ({ isUp, isHanging, isForeign, isReplayPaused }) => isUp && !isHanging && !isForeign && !isReplayPaused,
    );
    return this.#isAble(site) && areServersWell && !site.isArchivingBroken;
  }

  #judgeHolders(site: SimulatedSite): void {
    const holders = this.#deps.daemons.filter(({ life }) => life?.site(site.name)?.ownership?.isHeld === true);
    if (holders.length > 1) this.violated(site, `${holders.map(({ host }) => host).join(' and ')} both work on the site`);
  }

  #judgeSchedule(site: SimulatedSite): void {
    const { ableSinceMs, lastBeganMs } = this.#recordOf(site);
    if (ableSinceMs === undefined) return;
    const { basebackup_interval_hours: interval, basebackup_hour: hour } = site.rules;
    const dueMs = lastBeganMs + interval * hourMs * (hour === undefined ? 1 : 1.5);
    const lateMs = this.#deps.year.ms - Math.max(ableSinceMs, dueMs);
    if (lateMs <= lateMsMax) return;
    const whys = this.#deps.daemons.map(({ host, life }) => `${host}: ${life?.site(site.name)?.loop.because}`);
    this.violated(site, `no base backup for ${Math.round(lateMs / minuteMs)} minutes after it was due: ${whys.join(', ')}`);
  }

  #judgeAlerts(site: SimulatedSite): void {
    const nowMs = this.#deps.year.ms;
    const { calmSinceMs } = this.#recordOf(site);
    for (const { host, life, isWell, wrongByMs } of this.#deps.daemons) {
      if (life === undefined) continue;
      const active = life.parts.alerts.active.filter((alert) => alert.site === site.name);
      for (const { alert, afterMs, is, since = () => 0 } of causes) {
        const key = `${host} ${life.beganMs} ${site.name} ${alert} ${since(site)}`;
        if (!isWell || wrongByMs !== 0 || !is(site)) {
          this.#seen.delete(key);
          continue;
        }
        const sinceMs = this.#seen.get(key) ?? nowMs;
        this.#seen.set(key, sinceMs);
        if (nowMs - sinceMs < afterMs) continue;
        this.alarms++;
        if (!active.some(({ name }) => name === alert)) this.violated(site, `${host} does not raise ${alert}`);
      }
      if (calmSinceMs === undefined || nowMs - calmSinceMs < calmMs || nowMs - life.beganMs < calmMs) continue;
      // Who lost a site that another daemon took over says so until it has it again.
      const isLacking = site.complete.some((backup) => !site.isGood(backup));
      const left = active.filter(({ name, since }) => {
        // The last WAL of a base backup of a standby comes when the primary has filled its segment.
        if (name === 'wal_gap') return !isLacking;
        // Somebody comes by and confirms.
        if (name === 'retention_confirmation') return this.#deps.year.now.getTime() - since.getTime() > confirmedMs;
        return name !== 'lease_lost';
      });
      if (left.length > 0)
        this.violated(
          site,
          `all has been well for long, but ${host} still says ${left.map(({ name, because }) => `${name}: ${because}`).join('; ')}`,
        );
    }
  }

  /** Nothing is called restorable that is not. */
  #judgeClaims(site: SimulatedSite): void {
    const began = this.#deps.year.now.getTime() - this.#deps.year.ms;
    for (const { host, life, isWell } of this.#deps.daemons) {
      // Who is stopped tells nobody anything.
      const restorable = isWell ? life?.site(site.name)?.health.restorable : undefined;
      if (restorable?.state !== 'yes' || restorable.until === undefined) continue;
      this.claims++;
      if (!site.isRestorableTo(restorable.until.getTime() - began))
        this.violated(site, `${host} says that the site can be restored to ${restorable.until.toISOString()}, but it cannot`);
    }
  }

  #judgeTidiness(site: SimulatedSite): void {
    for (const { host, life } of this.#deps.daemons) this.#judgeSize(site, host, life);
    const { calmSinceMs } = this.#recordOf(site);
    if (calmSinceMs === undefined || this.#deps.year.ms - calmSinceMs < tidyMs) return;
    // It is judged whether that waits rightly.
    if (this.#deps.daemons.some(({ life }) => life?.site(site.name)?.retention.pending !== undefined)) return;
    if (!mayAnythingGo(site)) return void this.#needless.delete(site);
    for (const name of this.#needlessFor(site)) this.violated(site, `${name} is kept, though nothing needs it`);
  }

  /** What has been needless for so long that it should be gone: base backups, and WAL from before the oldest of them. */
  #needlessFor(site: SimulatedSite): readonly string[] {
    const nowMs = this.#deps.year.ms;
    const { complete, store } = site;
    const backups = complete.filter((backup) => !mayStay(site, backup, nowMs)).map(({ name }) => `base backup ${name}`);
    const first = complete.map(({ startLsn }) => numberOf(startLsn)).reduce((a, b) => (a < b ? a : b));
    const isOld = (key: string) => key.startsWith(`${site.name}/xlog/`) && parseWalName(key.slice(-24), segmentBytes).number < first;
    const wal = this.#isAnyUnfinished(site) ? [] : [...store.keys].filter(isOld);
    const needless = [...backups, ...wal];
    const since = new Map(needless.map((name) => [name, this.#needless.get(site)?.get(name) ?? nowMs]));
    this.#needless.set(site, since);
    return needless.filter((name) => nowMs - (since.get(name) ?? nowMs) >= needlessMs);
  }

  /** Chunks without what makes a base backup visible: nobody knows whether it is being taken. */
  #isAnyUnfinished({ backups, store, rules }: SimulatedSite): boolean {
    const nextMs = 1.5 * rules.basebackup_interval_hours * hourMs + lateMsMax;
    const beganMin = this.#deps.year.ms - unfinishedMs - nextMs;
    const isUnfinished = ({ beganMs, chunkKeys, mainKey }: TrueBackup) =>
      beganMs > beganMin && !store.keys.has(mainKey) && chunkKeys.some((key) => store.keys.has(key));
    return [...backups.values()].some(isUnfinished);
  }

  #judgeSize(site: SimulatedSite, host: string, life: Life | undefined): void {
    if (life === undefined || this.looks % (claimsEveryLooks * 40) !== 0) return;
    const bytes = JSON.stringify(life.state).length;
    if (bytes > stateBytesMax) this.violated(site, `the state of ${host} has grown to ${bytes} bytes`);
  }

  #recordOf(site: SimulatedSite): Record {
    const record = this.#records.get(site);
    if (record === undefined) throw new Error(`no site ${site.name}`);
    return record;
  }

  /** Something that must hold does not. */
  violated(site: SimulatedSite, what: string): void {
    const backups = [...site.backups.values()].filter(({ isRunning, mainKey }) => isRunning || site.store.keys.has(mainKey));
    const known = backups.map((backup) => `  ${backup.name}: ${this.#inWords(site, backup)}`);
    const about = [
      `rules ${JSON.stringify(site.rules)}`,
      `timeline ${site.cluster.timeline}, at ${formatLsn(site.cluster.positionAt(this.#deps.year.ms))}`,
    ];
    this.#deps.onViolation(
      `hour ${Math.floor(this.#deps.year.ms / hourMs)}, site ${site.name}: ${what}\n${[...about, ...known].join('\n')}`,
    );
  }

  #inWords(site: SimulatedSite, backup: TrueBackup): string {
    const { isRunning, startTime, beganMs, endedMs, timeline, startLsn, host } = backup;
    const how = isRunning ? 'is being taken' : site.isGood(backup) ? 'good' : 'not good';
    const reasons = isRunning ? [] : reasonsToStay(site, backup, this.#deps.year.ms);
    const began = this.#deps.year.now.getTime() - this.#deps.year.ms;
    const [from, to] = [beganMs, endedMs].map((ms) => (Number.isFinite(ms) ? new Date(began + ms).toISOString() : '…'));
    return `${how}, ${from} to ${to} on ${host}, dated ${startTime.toISOString()}, timeline ${timeline} from ${formatLsn(startLsn)}; ${reasons.join('; ')}`;
  }
}
