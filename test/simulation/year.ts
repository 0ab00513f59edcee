import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '../support/seeded-random.ts';
import { doFilesAtOnce } from './files-at-once.ts';
import { drawRules, happen, type World } from './happenings.ts';
import { Judge } from './judge.ts';
import { SimulatedDaemon } from './simulated-daemon.ts';
import { SimulatedSite } from './simulated-site.ts';
import { YearClock } from './year-clock.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const coarseMs = 2 * hourMs;
const fineStepsMs = [2_000, 10_000, 60_000];
const happeningsPerStep = 0.06;
const linesShown = 40;

doFilesAtOnce();
const days = Number(process.argv[2] ?? 365);
const random = new SeededRandom();
/** What happens is drawn apart from what daemons and stores draw, so that it stays the same whoever is first at a thing. */
const others = new SeededRandom(random.seed ^ 0x5eed);
const isLoud = process.env['PGHOARD_TEST_LOG'] !== undefined;
const directory = await mkdtemp(join(tmpdir(), 'pghoard-year-'));
const year = new YearClock(new Date('2026-01-01T00:00:00Z'), coarseMs);
/** What has happened, and what the daemons say. */
const story: string[] = [];
const log: string[] = [];
/** Of all that has happened and been said: the same for each life of a seed. */
const digest = createHash('sha256');

/** What is said of how things go is shown where somebody asks for it. */
function tell(text: string, where = story, isShown = true): void {
  const line = `${year.now.toISOString()} ${text.replaceAll(directory, '')}`;
  digest.update(`${line}\n`);
  if (!isShown && !isLoud) return;
  where.push(line);
  if (where.length > 2 * linesShown) where.splice(0, linesShown);
  if (isLoud) process.stderr.write(`${line}\n`);
}

async function fail(what: string): Promise<never> {
  const lines = [...log.slice(-linesShown), ...story.slice(-linesShown)].toSorted();
  process.stdout.write(`${lines.join('\n')}\n\nseed ${random.seed}: ${what}\n`);
  await rm(directory, { recursive: true, force: true });
  process.exit(1);
}

let violation: string | undefined;
const onViolation = (what: string) => void (violation ??= what);
process.on('unhandledRejection', (error) => onViolation(`nobody handles ${error instanceof Error ? error.stack : String(error)}`));

const script: { readonly atMs: number; readonly what: string; readonly run: () => Promise<void> | void }[] = [];
const sites = ['a', 'b'].map(
  (name, index) =>
    new SimulatedSite(name, index, drawRules(random), {
      year,
      random: others,
      onDelete: (site, caller, key) => judge.deleting(site, caller, key),
      onNameAgain: (site, backup) =>
        judge.violated(site, `${backup.host} gives a base backup the name that another one has had: ${backup.name}`),
    }),
);
const daemons = ['one', 'two'].map(
  (host) =>
    new SimulatedDaemon({
      host,
      directory: join(directory, host),
      year,
      random: others,
      sites,
      log: (from, level, fields, message) => {
        const isNoise = message.startsWith('a pass over the site failed');
        tell(`  ${from} ${level}: ${message} ${JSON.stringify(fields)}`, log, level !== 'info' && !isNoise);
      },
    }),
);
const judge: Judge = new Judge({ year, sites, daemons, isMaintained: () => world.isMaintained, onViolation });
const world: World = {
  year,
  random,
  sites,
  daemons,
  isMaintained: false,
  turnsMin: 0,
  disturb: (site) => {
    for (const each of site === undefined ? sites : [site]) judge.disturb(each);
  },
  later: (ms, what, run) => {
    script.push({ atMs: year.ms + ms, what, run });
    script.sort((a, b) => a.atMs - b.atMs);
  },
  during: async (work) => {
    const over = new AbortController();
    const end = () => over.abort();
    work.then(end, end);
    await pass(0);
    while (!over.signal.aborted) await pass(year.stepMs);
    await work;
  },
};

let lastMs = 0;
/** The servers go on, and hand over their WAL. */
async function onTurn(): Promise<void> {
  const archiving = daemons.find(({ isWell }) => isWell);
  for (const site of sites) {
    site.cluster.advance(lastMs, year.ms);
    if (archiving !== undefined) await site.archive((name) => archiving.life?.site(site.name)?.gaps?.stored(name));
  }
  lastMs = year.ms;
  if (year.stepMs < coarseMs || year.ms % coarseMs === 0) judge.look();
}

async function pass(ms: number): Promise<void> {
  await year.passUntil(year.ms + ms, onTurn);
  if (violation !== undefined) await fail(violation);
}

/** Somebody looks at what waits for a confirmation, on a host whose clock is right. */
function confirmDeletions(): void {
  for (const { life, wrongByMs, isWell } of daemons) {
    for (const { name } of wrongByMs === 0 && isWell ? sites : []) {
      const site = life?.site(name);
      const pending = site?.retention.pending;
      if (pending === undefined || site?.ownership?.isHeld !== true) continue;
      tell(`somebody confirms for ${name}: ${pending.because}`);
      site.confirmDeletion(pending.digest);
    }
  }
}

async function passStep(): Promise<void> {
  const untilMs = year.ms + coarseMs - (year.ms % coarseMs);
  await pass(untilMs - year.ms - 1);
  const due = script[0] !== undefined && script[0].atMs <= untilMs;
  const isEventful = due || random.next() < happeningsPerStep;
  // Who wakes up now looks again soon.
  if (isEventful) year.stepMs = fineStepsMs[random.between(0, fineStepsMs.length - 1)] ?? coarseMs;
  await pass(1);
  if (!isEventful) return;
  while (script[0] !== undefined && script[0].atMs <= year.ms) {
    const next = script.shift();
    if (next !== undefined) tell(next.what);
    await next?.run();
  }
  if (!due) tell((await happen(world)) ?? 'nothing');
  const turns = due ? random.between(2, 8) : random.between(4, 16);
  for (let turn = 0; turn < Math.max(turns, world.turnsMin); turn++) await pass(year.stepMs);
  world.turnsMin = 0;
  year.stepMs = coarseMs;
}

process.stdout.write(`seed ${random.seed}\n`);
const beganAt = performance.now();
for (const daemon of daemons) await world.during(daemon.start());
for (let hour = 0; year.ms < days * 24 * hourMs; ) {
  await passStep();
  if (Math.floor(year.ms / (6 * hourMs)) === hour) continue;
  hour = Math.floor(year.ms / (6 * hourMs));
  confirmDeletions();
  process.stdout.write(`day ${hour / 4}, ${year.turns} turns, story ${digest.copy().digest('hex').slice(0, 16)}\n`);
}
const seconds = (performance.now() - beganAt) / 1000;
const taken = sites.map(({ backups }) => backups.size).join(' and ');
process.stdout.write(
  `${days} days in ${seconds.toFixed(1)} s: ${year.turns} turns, ${judge.looks} looks, ${judge.deletions} deletions, ${judge.claims} claims and ` +
    `${judge.alarms} alarms judged; ${taken} base backups, timelines ${sites.map(({ cluster }) => cluster.timeline).join(' and ')}\n`,
);
await rm(directory, { recursive: true, force: true });
process.exit(0);
