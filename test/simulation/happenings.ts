import { rm, writeFile } from 'node:fs/promises';
import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { cancelPreservation, requestPreservation } from '../../src/catalog/preservation.ts';
import type { SeededRandom } from '../support/seeded-random.ts';
import type { SimulatedDaemon } from './simulated-daemon.ts';
import type { SimulatedSite, SiteRules } from './simulated-site.ts';
import type { Weather } from './stormy-store.ts';
import type { YearClock } from './year-clock.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

export interface World {
  readonly year: YearClock;
  readonly random: SeededRandom;
  readonly sites: readonly SimulatedSite[];
  readonly daemons: readonly SimulatedDaemon[];
  isMaintained: boolean;
  /** So many turns time passes in small steps at least, before hours pass at once. */
  turnsMin: number;
  /** Something has changed that base backups or alerts depend on; undefined: for all sites. */
  readonly disturb: (site?: SimulatedSite) => void;
  /** Does something at a later time. */
  readonly later: (ms: number, what: string, run: () => Promise<void> | void) => void;
  /** Lets time pass until something has ended that needs it. */
  readonly during: (work: Promise<void>) => Promise<void>;
}

/** Undefined: it cannot happen just now. */
type Happening = (world: World, site: SimulatedSite, daemon: SimulatedDaemon) => string | undefined | Promise<string | undefined>;

const happenings: readonly [weight: number, happening: Happening][] = [
  [5, serverAway],
  [3, allServersAway],
  [2, serverHangs],
  [2, wrongServer],
  [2, replayPauses],
  [4, failover],
  [2, splitBrain],
  [10, storeWeather],
  [4, archivingBreaks],
  [3, backupsFail],
  [3, maintenance],
  [4, clockJumps],
  [4, rulesChange],
  [8, requestedBackup],
  [6, restoreRuns],
  [1, preservation],
  [6, restart],
  [4, crash],
  [2, longAway],
  [3, stopped],
];

/** Draws one thing that happens, and lets it. Resolves to what it is, in words. */
export async function happen(world: World): Promise<string | undefined> {
  const { random, sites, daemons } = world;
  let at = random.next() * happenings.reduce((sum, [weight]) => sum + weight, 0);
  const [, chosen] = happenings.find(([weight]) => (at -= weight) < 0) ?? happenings[0] ?? [];
  const site = pick(sites, random);
  return chosen?.(world, site, pick(daemons, random));
}

function pick<T>(items: readonly T[], random: SeededRandom): T {
  const found = items[random.between(0, items.length - 1)];
  if (found === undefined) throw new Error('nothing to choose from');
  return found;
}

function hours(random: SeededRandom, low: number, high: number): number {
  return Math.round((low + random.next() ** 2 * (high - low)) * hourMs);
}

function serverAway({ random, later, disturb, year }: World, { name, cluster }: SimulatedSite): string | undefined {
  const server = pick(cluster.servers, random);
  if (!server.isUp) return undefined;
  server.isUp = false;
  disturb();
  later(hours(random, 0.05, 30), `${server.host} comes back`, () => {
    if (server.role === 'primary' && server.timeline === cluster.timeline) Object.assign(server, { isUp: true, startedMs: year.ms });
    else cluster.rejoin(server, year.ms);
    disturb();
  });
  return `${server.host} of ${name} goes away`;
}

function allServersAway({ random, later, disturb, year }: World, site: SimulatedSite): string {
  const { servers, timeline } = site.cluster;
  const away = servers.filter(({ isUp }) => isUp);
  for (const server of away) server.isUp = false;
  disturb(site);
  later(hours(random, 0.2, 20), `the servers of ${site.name} come back`, () => {
    for (const server of away) {
      if (server.role === 'primary' && site.cluster.timeline === timeline) Object.assign(server, { isUp: true, startedMs: year.ms });
    }
    for (const server of away) if (!server.isUp) site.cluster.rejoin(server, year.ms);
    disturb(site);
  });
  return `all servers of ${site.name} go away`;
}

function serverHangs({ random, later, disturb }: World, site: SimulatedSite): string {
  const server = pick(site.cluster.servers, random);
  server.isHanging = true;
  disturb(site);
  later(hours(random, 0.1, 10), `${server.host} answers again`, () => {
    server.isHanging = false;
    disturb(site);
  });
  return `${server.host} hangs`;
}

function wrongServer({ random, later, disturb }: World, site: SimulatedSite): string | undefined {
  const server = pick(site.cluster.servers, random);
  if (server === site.cluster.leader || site.good.length === 0) return undefined;
  server.isForeign = true;
  disturb(site);
  later(hours(random, 0.5, 20), `${server.host} is of the right cluster again`, () => {
    server.isForeign = false;
    disturb(site);
  });
  return `${server.host} is of another cluster`;
}

function replayPauses({ random, later, disturb }: World, site: SimulatedSite): string | undefined {
  const server = pick(site.cluster.servers, random);
  if (server.role === 'primary') return undefined;
  server.isReplayPaused = true;
  later(hours(random, 1, 50), `${server.host} replays again`, () => {
    server.isReplayPaused = false;
    disturb(site);
  });
  return `${server.host} pauses its replay`;
}

/** Planned, or because the primary is gone, with what it had not handed over. */
function failover({ random, later, disturb, year }: World, site: SimulatedSite): string | undefined {
  const { cluster } = site;
  const old = cluster.servers.find(({ role, timeline }) => role === 'primary' && timeline === cluster.timeline);
  const losesReady = random.next() < 0.5;
  if (old === undefined || cluster.isTorn) return undefined;
  old.isUp = false;
  const lost = losesReady ? old.ready.length : 0;
  if (!cluster.promote({ losesReady })) {
    old.isUp = true;
    return undefined;
  }
  disturb(site);
  later(hours(random, 0.1, 40), `${old.host} comes back`, () => {
    cluster.rejoin(old, year.ms);
    disturb(site);
  });
  return `failover of ${site.name} to timeline ${cluster.timeline}, ${lost} files are lost`;
}

/** A standby is promoted, and the old primary does not know. */
function splitBrain({ random, later, disturb, year }: World, site: SimulatedSite): string | undefined {
  const { cluster } = site;
  const old = cluster.leader;
  if (old === undefined || cluster.isTorn) return undefined;
  const { ready } = old;
  if (!cluster.promote({ losesReady: true })) return undefined;
  old.ready = ready;
  disturb(site);
  later(hours(random, 0.1, 15), `${old.host} is stopped, and follows`, () => {
    cluster.rejoin(old, year.ms);
    disturb(site);
  });
  return `two primaries of ${site.name}, timeline ${cluster.timeline}`;
}

function storeWeather({ random, later, disturb }: World, site: SimulatedSite): string | undefined {
  const { store } = site;
  if (store.weather !== 'fair') return undefined;
  const weather = pick<Weather>(['flaky', 'flaky', 'throttling', 'denied', 'out', 'out', 'hanging'], random);
  store.weather = weather;
  disturb(site);
  later(hours(random, 0.02, weather === 'hanging' ? 4 : 30), `the store of ${site.name} is well`, () => {
    store.weather = 'fair';
    disturb(site);
  });
  return `the store of ${site.name} is ${weather}`;
}

function archivingBreaks({ random, later, disturb }: World, site: SimulatedSite): string {
  site.isArchivingBroken = true;
  disturb(site);
  later(hours(random, 0.5, 40), `archiving of ${site.name} works again`, () => {
    site.isArchivingBroken = false;
    disturb(site);
  });
  return `archiving of ${site.name} breaks`;
}

function backupsFail({ random, later, disturb }: World, site: SimulatedSite): string {
  site.areBackupsFailing = true;
  disturb(site);
  later(hours(random, 1, 60), `base backups of ${site.name} work again`, () => {
    site.areBackupsFailing = false;
    disturb(site);
  });
  return `base backups of ${site.name} fail`;
}

async function maintenance(world: World): Promise<string | undefined> {
  const { random, later, daemons, disturb } = world;
  if (world.isMaintained) return undefined;
  const some = daemons.filter(() => random.next() < 0.7);
  for (const { maintenanceFile } of some) await writeFile(maintenanceFile, '');
  world.isMaintained = true;
  disturb();
  later(hours(random, 0.2, 60), 'maintenance ends', async () => {
    for (const { maintenanceFile } of some) await rm(maintenanceFile, { force: true });
    world.isMaintained = false;
    disturb();
  });
  return `maintenance at ${some.map(({ host }) => host).join(' and ')}`;
}

function clockJumps({ random, later, disturb }: World, _: SimulatedSite, daemon: SimulatedDaemon): string | undefined {
  if (daemon.wrongByMs !== 0) return undefined;
  const size = pick([2 * minuteMs, 3 * hourMs, 2 * dayMs, 40 * dayMs, 400 * dayMs], random);
  const by = random.next() < 0.5 ? size : -size;
  daemon.setClock(by);
  disturb();
  later(hours(random, 0.1, 40), `the clock of ${daemon.host} is right`, () => {
    daemon.setClock(0);
    disturb();
  });
  return `the clock of ${daemon.host} jumps by ${by / hourMs} hours`;
}

async function rulesChange(world: World, site: SimulatedSite): Promise<string> {
  const { random, daemons, disturb } = world;
  Object.assign(site.rules, drawRules(random));
  disturb();
  await reload(world, daemons);
  return `new rules for ${site.name}: ${JSON.stringify(site.rules)}`;
}

async function requestedBackup(_: World, site: SimulatedSite, daemon: SimulatedDaemon): Promise<string | undefined> {
  if (!daemon.isWell) return undefined;
  try {
    await daemon.life?.site(site.name)?.requestBasebackup();
    return `a base backup of ${site.name} is requested at ${daemon.host}`;
  } catch {
    return undefined;
  }
}

function restoreRuns(world: World, site: SimulatedSite): Promise<string | undefined> {
  return pin(world, site, hours(world.random, 1, 48), 'a restore runs');
}

function preservation(world: World, site: SimulatedSite): Promise<string | undefined> {
  return pin(world, site, world.random.between(20, 70) * dayMs, 'somebody preserves');
}

/** As a restore asks for it, on a host of its own. */
async function pin({ year, later, random }: World, site: SimulatedSite, ms: number, why: string): Promise<string | undefined> {
  if (site.store.weather !== 'fair' || site.good.length === 0) return undefined;
  const backup = pick(site.good, random);
  const catalog = new Catalog(site.store.for({ host: 'a restoring host', isDead: () => false }), new SiteKeys(site.name));
  const until = new Date(year.now.getTime() + ms);
  await requestPreservation(catalog, backup.mainKey, until);
  const held = { backup, untilMs: year.ms + ms };
  site.pins.add(held);
  later(Math.max(ms - 10 * minuteMs, 0), `${backup.name} is let go`, async () => {
    site.pins.delete(held);
    if (site.store.weather === 'fair') await cancelPreservation(catalog, backup.mainKey, until);
  });
  return `${why}: base backup ${backup.name} of ${site.name} for ${Math.round(ms / hourMs)} hours`;
}

async function restart({ disturb, during }: World, _: SimulatedSite, daemon: SimulatedDaemon): Promise<string | undefined> {
  if (!daemon.isWell) return undefined;
  disturb();
  await during(daemon.stop());
  await during(daemon.start());
  return `${daemon.host} is restarted`;
}

async function crash({ disturb, during, sites }: World, _: SimulatedSite, daemon: SimulatedDaemon): Promise<string | undefined> {
  if (!daemon.isAlive) return undefined;
  disturb();
  kill(daemon, sites);
  await during(daemon.start());
  return `${daemon.host} is killed, and started anew`;
}

function longAway({ random, later, disturb, sites, during }: World, _: SimulatedSite, daemon: SimulatedDaemon): string | undefined {
  if (!daemon.isAlive) return undefined;
  disturb();
  kill(daemon, sites);
  later(hours(random, 0.5, 100), `${daemon.host} is started`, async () => {
    disturb();
    await during(daemon.start());
  });
  return `${daemon.host} goes away`;
}

function kill(daemon: SimulatedDaemon, sites: readonly SimulatedSite[]): void {
  daemon.kill();
  for (const site of sites) for (const backup of site.backups.values()) if (backup.host === daemon.host) backup.isRunning = false;
}

/** Alerts of before are believed for ten minutes, in which those who raise them look again. */
async function reload(world: World, daemons: readonly SimulatedDaemon[]): Promise<void> {
  // Who is stopped does it once it goes on: nothing else passes until then.
  for (const daemon of daemons) if (daemon.isWell) await world.during(daemon.reload());
  world.year.stepMs = minuteMs;
  world.turnsMin = 12;
}

/** As a host that sleeps, or a process that was sent SIGSTOP. */
function stopped(world: World, _: SimulatedSite, daemon: SimulatedDaemon): string | undefined {
  const { random, later, disturb } = world;
  const { life } = daemon;
  if (life === undefined || life.clock.isStopped) return undefined;
  life.clock.stop();
  disturb();
  later(hours(random, 0.1, 12), `${daemon.host} goes on`, async () => {
    life.clock.goOn();
    disturb();
    if (daemon.life === life) await reload(world, [daemon]);
  });
  return `${daemon.host} is stopped`;
}

/** One of the ways to say what is kept. */
export function drawRules(random: SeededRandom): SiteRules {
  const interval = pick([12, 24], random);
  const hour = random.next() < 0.4 ? { basebackup_hour: random.between(0, 23) } : {};
  const common = {
    basebackup_interval_hours: interval,
    basebackup_count: null,
    basebackup_age_days_max: null,
    basebackup_count_min: 2,
    recovery_window_days: null,
    keep: null,
    ...hour,
  };
  switch (random.between(0, 3)) {
    case 0:
      return { ...common, basebackup_count: random.between(2, 8) };
    case 1:
      return { ...common, recovery_window_days: random.between(2, 14) };
    case 2:
      return { ...common, basebackup_age_days_max: random.between(2, 10), basebackup_count: random.between(10, 30) };
    default:
      return {
        ...common,
        recovery_window_days: random.between(1, 5),
        keep: { daily: random.between(0, 7), weekly: random.between(1, 4), monthly: random.between(0, 3) },
      };
  }
}
