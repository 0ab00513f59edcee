import assert from 'node:assert/strict';
import { test } from 'node:test';
import { segmentBytes, viewOf } from '../../../test/support/health-view.ts';
import { SeededRandom } from '../../../test/support/seeded-random.ts';
import { parseBasebackupEntry } from '../../catalog/basebackup-entry.ts';
import { needyBackups } from '../../catalog/needy-backups.ts';
import { type StoredHistory } from '../../catalog/wal-archive-view.ts';
import { WalRanges } from '../../catalog/wal-ranges.ts';
import type { TimelineSwitch } from '../../postgres/timeline-history.ts';
import { formatWalName } from '../../postgres/wal-name.ts';
import { findGaps } from '../../wal/gaps/gaps.ts';
import { SampleBook } from './sample-book.ts';
import { type SiteHealth, siteHealth } from './site-health.ts';

const rounds = 200;
const epoch = Date.parse('2026-11-30T08:00:00Z');

interface Commit {
  readonly timeline: number;
  readonly lsn: bigint;
  /** As the server stamped it. */
  readonly ms: number;
}

type Entry = ReturnType<typeof parseBasebackupEntry>;

/**
 * A primary that commits, idles, has its clock set, is restarted beside us and replaced; base backups of it; and an archive that lags and loses. Everything that
 * was committed is remembered, so that what is claimed can be held against it.
 */
class World {
  readonly commits: Commit[] = [];
  readonly stored = new Set<string>();
  readonly histories = new Map<number, StoredHistory>();
  readonly entries: Entry[] = [];
  readonly #random: SeededRandom;
  #elapsedMs = 0;
  #skewMs = 0;
  #timeline = 1;
  #switches: readonly TimelineSwitch[] = [];
  #lsn = BigInt(segmentBytes) * 3n;
  #xid = 100;
  #clock = { now: () => new Date(epoch + this.#elapsedMs), monotonicMs: () => this.#elapsedMs, sleep: () => Promise.resolve() };
  book = new SampleBook(this.#clock);
  hasClockBeenSet = false;
  /** Nobody can know of a clock that was set before the server is asked again. */
  isClockKnown = true;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#sample();
  }

  get history(): readonly TimelineSwitch[] {
    return this.#switches;
  }

  get timeline(): number {
    return this.#timeline;
  }

  /** Of the server. */
  get #ms(): number {
    return epoch + this.#elapsedMs + this.#skewMs;
  }

  step(): void {
    this.#elapsedMs += this.#random.between(500, 8_000);
    const dice = this.#random.next();
    if (dice < 0.45) this.#commit();
    else if (dice < 0.6) this.#write(this.#random.between(1, 3_000));
    else if (dice < 0.68) this.#finishSegment();
    else if (dice < 0.71) this.#backUp();
    else if (dice < 0.72) this.#backUpStandby();
    else if (dice < 0.74) this.#setClock();
    else if (dice < 0.76) this.#failOver();
    else if (dice < 0.78) this.#restart();
    if (this.#random.next() < 0.6) this.#sample();
    this.#archive();
  }

  /** What the archive and the samples make known. */
  health(): SiteHealth {
    const ranges = new WalRanges();
    for (const name of this.stored) {
      const [timeline, number] = name.split(':');
      ranges.add({ timeline: Number(timeline), number: BigInt(String(number)) }, new Date(epoch));
    }
    const archive = { segmentBytes, ranges, histories: this.histories, reached: new Map() };
    const gaps = findGaps(archive, needyBackups(this.entries, segmentBytes));
    const view = viewOf({});
    const servers = {
      ...view.servers,
      samples: this.book.samples,
      clockSetBack: this.book.clockSetBack,
      sampledMsAgo: this.book.sampledMsAgo,
    };
    const wal = { archive, gaps, troubles: [], beginning: undefined, receiver: undefined };
    const backups = { ...view.backups, listing: { entries: this.entries, unreadable: [] } };
    return siteHealth({ ...view, now: this.#clock.now(), servers, wal, backups });
  }

  finishAll(): void {
    this.#commit();
    this.#finishSegment();
    this.#elapsedMs += 5_000;
    this.#sample();
    for (let number = 3n; number < this.#lsn / BigInt(segmentBytes); number++) this.stored.add(`${this.#timelineOf(number)}:${number}`);
    if (this.#timeline > 1) for (const { timeline } of this.#switches.slice(1)) this.#storeHistory(timeline);
    this.#storeHistory(this.#timeline);
  }

  /** The timeline under whose name a finished segment belongs to the line. */
  #timelineOf(number: bigint): number {
    return this.#switches.find(({ switchLsn }) => number < switchLsn / BigInt(segmentBytes))?.timeline ?? this.#timeline;
  }

  #commit(): void {
    const ms = this.#ms;
    this.#write(this.#random.between(50, segmentBytes / 2));
    this.#xid++;
    this.commits.push({ timeline: this.#timeline, lsn: this.#lsn, ms });
  }

  #write(bytes: number): void {
    this.#lsn += BigInt(bytes);
  }

  #finishSegment(): void {
    const size = BigInt(segmentBytes);
    this.#lsn = ((this.#lsn + size - 1n) / size) * size;
  }

  #backUp(): void {
    this.#finishSegment();
    const start = this.#lsn / BigInt(segmentBytes);
    const from = this.#ms;
    this.#write(this.#random.between(1, 2 * segmentBytes));
    const saysEnd = this.#random.next() < 0.7;
    this.#elapsedMs += 2_000;
    const to = this.#ms;
    if (saysEnd) this.#commit();
    const end = (this.#lsn - 1n) / BigInt(segmentBytes);
    this.#finishSegment();
    this.entries.push(entryOf(from, to, this.#nameOf(start), saysEnd ? this.#nameOf(end) : undefined, epoch + this.#elapsedMs));
  }

  /** It may be behind the primary, and does not always tell where its WAL ends. */
  #backUpStandby(): void {
    const first = this.#switches.at(-1)?.switchLsn ?? BigInt(segmentBytes) * 3n;
    const behind = this.#lsn - BigInt(this.#random.between(0, 2 * segmentBytes));
    const replayed = (behind > first ? behind : first) + 1n;
    const from = this.#ms;
    this.#elapsedMs += 2_000;
    const saysEnd = this.#random.next() < 0.7;
    const [start, end] = [this.#nameOf(replayed / BigInt(segmentBytes)), this.#nameOf((replayed - 1n) / BigInt(segmentBytes))];
    this.entries.push(entryOf(from, this.#ms, start, saysEnd ? end : undefined, epoch + this.#elapsedMs, 'standby'));
  }

  #nameOf(number: bigint): string {
    return formatWalName({ timeline: this.#timeline, number }, segmentBytes);
  }

  #setClock(): void {
    this.#skewMs += this.#random.between(-40_000, 40_000);
    this.hasClockBeenSet = true;
    this.isClockKnown = false;
  }

  /** What the old primary wrote last may not have come over. */
  #failOver(): void {
    const from = this.#switches.at(-1)?.switchLsn ?? BigInt(segmentBytes) * 3n;
    const lost = BigInt(this.#random.between(0, segmentBytes));
    const switchLsn = this.#lsn - lost > from ? this.#lsn - lost : from;
    this.#switches = [...this.#switches, { timeline: this.#timeline, switchLsn, reason: '' }];
    this.#timeline++;
    this.#lsn = switchLsn;
    this.#xid++;
    if (this.#random.next() < 0.8) this.#storeHistory(this.#timeline);
  }

  #storeHistory(timeline: number): void {
    const before = this.#switches.findIndex((left) => left.timeline === timeline);
    const switches = before === -1 ? this.#switches : this.#switches.slice(0, before);
    if (timeline > 1) this.histories.set(timeline, { switches, since: new Date(epoch) });
  }

  /** A clock that is set while nobody looks is not noticed. */
  #restart(): void {
    this.#sample();
    this.book = new SampleBook(this.#clock, JSON.parse(JSON.stringify(this.book.memory)));
    this.#sample();
  }

  #sample(): void {
    this.isClockKnown = true;
    const position = { timeline: this.#timeline, lsn: this.#lsn, flushed: this.#lsn };
    this.book.add({ ...position, systemIdentifier: 7n, time: new Date(this.#ms), nextXid: String(this.#xid) });
  }

  #archive(): void {
    const current = this.#lsn / BigInt(segmentBytes);
    for (let number = current > 4n ? current - 4n : 3n; number < current; number++)
      if (this.#random.next() < 0.5) this.stored.add(`${this.#timelineOf(number)}:${number}`);
    if (this.#random.next() < 0.01) this.stored.delete([...this.stored][this.#random.between(0, this.stored.size - 1)] ?? '');
  }
}

function entryOf(from: number, to: number, start: string, end: string | undefined, completed: number, backupFrom?: 'standby'): Entry {
  return parseBasebackupEntry({
    key: `main/basebackup/${from}_0`,
    size: 1,
    lastModified: new Date(completed),
    metadata: {
      'start-time': new Date(from).toISOString(),
      'end-time': new Date(to).toISOString(),
      'start-wal-segment': start,
      ...(end !== undefined && { 'end-wal-segment': end }),
      ...(backupFrom !== undefined && { 'backup-from': backupFrom }),
    },
  });
}

/** Whether the line of the server has this commit: it may have been left behind by a failover. */
function isOnLine({ timeline, lsn }: Commit, { timeline: newest, history }: World): boolean {
  if (timeline === newest) return true;
  const left = history.find((each) => each.timeline === timeline);
  return left !== undefined && lsn <= left.switchLsn;
}

/** Segment by segment: whether some base backup reaches the commit, be it under the name of any timeline up to the newest. */
function isReached({ lsn }: Commit, world: World): boolean {
  const last = (lsn - 1n) / BigInt(segmentBytes);
  return world.entries.some(({ startWalSegment }) => {
    const start = BigInt(`0x${startWalSegment.slice(8, 16)}`) * 4096n + BigInt(`0x${startWalSegment.slice(16)}`);
    for (let number = start; number <= last; number++) {
      const isStored = [...world.stored].some((name) => name.endsWith(`:${number}`));
      if (!isStored) return false;
    }
    return true;
  });
}

test('what is claimed to be restorable is: every commit up to that second is stored, whatever happened', () => {
  const random = new SeededRandom();
  console.log(`seed ${random.seed}`);
  let claims = 0;
  for (let round = 0; round < rounds; round++) {
    const world = new World(random);
    const steps = random.between(5, 60);
    for (let step = 0; step < steps; step++) {
      world.step();
      const { is, until, because } = world.health().restorable;
      if (!is || until === undefined || !world.isClockKnown) continue;
      claims++;
      const missed = world.commits.find((commit) => commit.ms <= until.getTime() && isOnLine(commit, world) && !isReached(commit, world));
      assert.equal(missed, undefined, `seed ${random.seed}, round ${round}, step ${step}: claimed ${until.toISOString()}: ${because}`);
    }
  }
  assert.ok(claims > rounds, 'it is claimed often enough');
});

test('once everything is stored it is restorable up to the last look at the server', () => {
  const random = new SeededRandom();
  console.log(`seed ${random.seed}`);
  for (let round = 0; round < rounds; round++) {
    const world = new World(random);
    for (let step = random.between(5, 60); step > 0; step--) world.step();
    world.finishAll();
    const { restorable, walLag } = world.health();
    if (restorable.state !== 'yes' || restorable.because.includes('timeline')) continue;
    assert.deepEqual([walLag.bytes, walLag.seconds], [0, 0], `seed ${random.seed}, round ${round}: ${restorable.because}`);
    if (!world.hasClockBeenSet) assert.ok(Number(restorable.untilSecondsAgo) <= 4, `seed ${random.seed}, round ${round}`);
  }
});
