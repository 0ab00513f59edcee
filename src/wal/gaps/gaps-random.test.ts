import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../../test/support/seeded-random.ts';
import { type NeedyBackup } from '../../catalog/needy-backups.ts';
import { type StoredHistory } from '../../catalog/wal-archive-view.ts';
import { WalRanges } from '../../catalog/wal-ranges.ts';
import type { TimelineSwitch } from '../../postgres/timeline-history.ts';
import { findGaps } from './gaps.ts';

const segmentBytes = 1024 * 1024;
const time = new Date('2026-11-23T08:00:00Z');
const rounds = 300;

interface Timeline {
  readonly timeline: number;
  readonly history: readonly TimelineSwitch[];
  readonly begin: number;
  /** Of the last segment that was finished. */
  readonly last: number;
}

/** A cluster that was promoted now and then, also from places that others had gone beyond, and an archive from which something was lost. */
class World {
  readonly timelines = new Map<number, Timeline>();
  /** `timeline:number` */
  readonly stored = new Set<string>();
  readonly histories = new Map<number, readonly TimelineSwitch[]>();
  readonly backups: readonly NeedyBackup[];

  constructor(random: SeededRandom) {
    this.timelines.set(1, { timeline: 1, history: [], begin: 1, last: random.between(3, 30) });
    for (let timeline = 2; timeline <= random.between(1, 5); timeline++) this.#promote(timeline, random);
    const lost = random.next() * 0.3;
    for (const { timeline, begin, last, history } of this.timelines.values()) {
      for (let number = begin; number <= last; number++) if (random.next() >= lost) this.stored.add(`${timeline}:${number}`);
      if (timeline > 1 && random.next() > 0.1) this.histories.set(timeline, history);
    }
    this.backups = Array.from({ length: random.between(0, 5) }, (_, index) => this.#backup(index, random));
  }

  #promote(timeline: number, random: SeededRandom): void {
    const parent = this.timelines.get(random.between(1, timeline - 1)) as Timeline;
    const left = random.between(parent.begin, parent.last + 1);
    const offset = random.between(0, 3) === 0 && left > parent.begin ? 0 : random.between(1, segmentBytes - 1);
    const switchLsn = BigInt(left) * BigInt(segmentBytes) + BigInt(offset);
    const history = [...parent.history, { timeline: parent.timeline, switchLsn, reason: '' }];
    this.timelines.set(timeline, { timeline, history, begin: left, last: left + random.between(-1, 20) });
  }

  #backup(index: number, random: SeededRandom): NeedyBackup {
    const { timeline, begin, last } = this.timelines.get(random.between(1, this.timelines.size)) as Timeline;
    const start = random.between(begin, last + 1);
    const end = random.between(0, 4) === 0 ? undefined : start + random.between(0, 3);
    const at = (number: number) => ({ timeline, number: BigInt(number) });
    return {
      name: `${timeline}:${start}`,
      start: at(start),
      end: end === undefined ? undefined : at(end),
      startTime: new Date(index),
      completed: time,
    };
  }

  /** In any order. */
  ranges(random: SeededRandom): WalRanges {
    const ranges = new WalRanges();
    const shuffled = [...this.stored].map((name) => ({ name, rank: random.next() })).toSorted((a, b) => a.rank - b.rank);
    for (const { name } of shuffled) {
      const [timeline, number] = name.split(':');
      ranges.add({ timeline: Number(timeline), number: BigInt(number as string) }, time);
    }
    return ranges;
  }
}

/** The same question, answered one segment at a time. */
class Oracle {
  readonly #world: World;
  readonly newest: number;

  constructor(world: World) {
    this.#world = world;
    const seen = [...world.stored].map((name) => Number(name.split(':')[0]));
    this.newest = Math.max(0, ...seen, ...world.histories.keys(), ...world.backups.map(({ start }) => start.timeline));
  }

  /** Missing numbers by the last timeline of the line. */
  missing(): Map<number, number[]> {
    const missing = new Map<number, number[]>();
    for (let tip = 1; tip <= this.newest; tip++) {
      const starts = this.on(tip).map(({ start }) => Number(start.number));
      if (starts.length === 0) continue;
      const numbers: number[] = [];
      for (let number = Math.min(...starts); number < this.#endOf(tip); number++) if (!this.#isStored(tip, number)) numbers.push(number);
      missing.set(tip, numbers);
    }
    return missing;
  }

  on(tip: number): NeedyBackup[] {
    return this.#world.backups.filter((backup) => this.#tipFor(backup) === tip);
  }

  isWhole(tip: number, { start, end = start }: NeedyBackup): boolean {
    for (let { number } = start; number <= end.number; number++) {
      if (Number(number) < this.#endOf(tip) && !this.#isStored(tip, Number(number))) return false;
    }
    return true;
  }

  #tipFor(backup: NeedyBackup): number | undefined {
    for (let tip = this.newest; tip > 0; tip--) {
      if ([backup.start, backup.end ?? backup.start].every(({ timeline, number }) => this.#leadsTo(tip, timeline, Number(number))))
        return tip;
    }
    return undefined;
  }

  #leadsTo(tip: number, timeline: number, number: number): boolean {
    const chain = this.#chain(tip);
    const at = chain.findIndex((each) => each.timeline === timeline);
    return at >= 0 && number >= (chain[at]?.begin ?? 0) && number <= (chain[at + 1]?.begin ?? Infinity);
  }

  #isStored(tip: number, number: number): boolean {
    const owner = this.#chain(tip).findLast(({ begin }) => begin <= number);
    return this.#world.stored.has(`${owner?.timeline}:${number}`);
  }

  #endOf(tip: number): number {
    const stored = [...this.#world.stored].map((name) => name.split(':').map(Number)).filter(([timeline]) => timeline === tip);
    const needed = this.#world.backups.flatMap(({ start, end }) => [
      ...(start.timeline === tip ? [Number(start.number)] : []),
      ...(end?.timeline === tip ? [Number(end.number) + 1] : []),
    ]);
    return Math.max(this.#chain(tip).at(-1)?.begin ?? 0, ...stored.map(([, number = 0]) => number + 1), ...needed);
  }

  #chain(tip: number): { timeline: number; begin: number }[] {
    const history = this.#world.histories.get(tip) ?? [];
    const begins = [0, ...history.map(({ switchLsn }) => Number(switchLsn / BigInt(segmentBytes)))];
    return [...history.map(({ timeline }) => timeline), tip].map((timeline, index) => ({ timeline, begin: begins[index] ?? 0 }));
  }
}

test('random histories have the gaps that looking at each segment finds', () => {
  const random = new SeededRandom();
  for (let round = 0; round < rounds; round++) {
    const { seed } = random;
    const world = new World(random);
    const oracle = new Oracle(world);
    const histories = new Map(
      [...world.histories].map(([timeline, switches]): [number, StoredHistory] => [timeline, { switches, since: time }]),
    );
    const gaps = findGaps({ segmentBytes, ranges: world.ranges(random), histories, reached: new Map() }, world.backups);
    const told = `seed ${seed}, round ${round}`;
    for (const [tip, numbers] of oracle.missing()) {
      const holes = gaps.holes.filter(({ line }) => line.current.timeline === tip);
      assert.deepEqual(
        holes.flatMap(({ first, last }) => from(Number(first), Number(last))),
        numbers,
        told,
      );
      const whole = oracle.on(tip).filter((backup) => oracle.isWhole(tip, backup));
      for (const { last, isOpen } of holes) {
        const isMain = oracle.on(tip).includes(world.backups.at(-1) as NeedyBackup);
        assert.equal(isOpen, isMain && !whole.some(({ start }) => start.number > last), told);
      }
    }
    assert.equal(gaps.holes.filter(({ line }) => !oracle.missing().has(line.current.timeline)).length, 0, told);
  }
});

test('ranges are the same in whatever order segments come', () => {
  const random = new SeededRandom();
  for (let round = 0; round < rounds; round++) {
    const world = new World(random);
    const inOrder = new WalRanges();
    for (const [timeline, number] of [...world.stored].map((name) => name.split(':').map(Number)).toSorted(byPlace)) {
      inOrder.add({ timeline: timeline as number, number: BigInt(number as number) }, time);
    }
    const ranges = world.ranges(random);
    assert.deepEqual(everythingIn(ranges), everythingIn(inOrder), `seed ${random.seed}`);
  }
});

function everythingIn(ranges: WalRanges): [timeline: number, first: number, last: number][] {
  return ranges.timelines.flatMap((timeline) =>
    ranges.of(timeline).map(({ first, last }): [number, number, number] => [timeline, Number(first), Number(last)]),
  );
}

function from(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function byPlace([a = 0, b = 0]: number[], [c = 0, d = 0]: number[]): number {
  return a - c || b - d;
}
