import type { Lsn } from '../../postgres/lsn.ts';
import { lastOf } from './wal-way.ts';
import { type Indexes, transactionsIn } from './way-indexes.ts';

/** What is looked for in the WAL. Times are microseconds since 1970. */
export type Sought =
  | { readonly kind: 'time'; readonly time: number; readonly isExclusive: boolean }
  | { readonly kind: 'xid'; readonly xid: number }
  | { readonly kind: 'name'; readonly name: string };

/** The record at which recovery comes to a target: the beginning of it, and the segment in which it ends. */
export interface Place {
  readonly lsn: Lsn;
  readonly segment: bigint;
}

export interface FoundPlaces {
  /** In the order of the WAL; of a time no more than one: the first transaction behind it. */
  readonly places: readonly Place[];
  /** All of the WAL has been looked at: there are no others. */
  readonly isExhaustive: boolean;
  /** Of restore points there are, where one was looked for by its name; the last ones of very many. */
  readonly otherNames: readonly string[];
}

/** Further than that nobody waits for. */
const segmentsMax = 5000n;
const placesMax = 100;
const namesMax = 10;
/** So few are read one by one. */
const fewSegments = 64n;
/** A transaction notes its time a moment before it has its place: so many segments before the one that halving finds are looked at, too. */
const unevenSegments = 8n;
const silentMax = 64;

/** Where recovery along the way would come to what is sought, as far as the indexes tell. `noneFrom`: behind this segment has been looked already. */
export async function findPlaces(indexes: Indexes, sought: Sought, noneFrom?: bigint): Promise<FoundPlaces> {
  return sought.kind === 'time' ? findTime(indexes, sought) : findAll(indexes, sought, noneFrom ?? lastOf(indexes.way));
}

async function findTime(indexes: Indexes, sought: Sought & { kind: 'time' }): Promise<FoundPlaces> {
  const { way } = indexes;
  const isBehind = (time: number) => (sought.isExclusive ? time >= sought.time : time > sought.time);
  const near = lastOf(way) - way.first < fewSegments ? way.first : await firstBehind(indexes, isBehind);
  const from = near - unevenSegments > way.first ? near - unevenSegments : way.first;
  let isExhaustive = true;
  for await (const { number, index } of indexes.between(from, lastOf(way))) {
    if (index === undefined) {
      isExhaustive = false;
      continue;
    }
    if (index.every > 1) isExhaustive = false;
    if (index.times === undefined || !isBehind(index.times.latest)) continue;
    for (const { lsn, time } of transactionsIn(index)) {
      if (isBehind(time)) return { places: [{ lsn, segment: number }], isExhaustive, otherNames: [] };
    }
  }
  return { places: [], isExhaustive, otherNames: [] };
}

/** By halves: the first segment that ends a transaction behind the time, or one near it. */
async function firstBehind(indexes: Indexes, isBehind: (time: number) => boolean): Promise<bigint> {
  let [low, high] = [indexes.way.first, lastOf(indexes.way)];
  while (low < high) {
    const middle = (low + high) / 2n;
    const time = await latestBy(indexes, middle, low);
    if (time !== undefined && isBehind(time)) high = middle;
    else low = middle + 1n;
  }
  return low;
}

/** Undefined where nothing was committed for very long. */
async function latestBy(indexes: Indexes, number: bigint, first: bigint): Promise<number | undefined> {
  for (let [at, looked] = [number, 0]; at >= first && looked < silentMax; at--, looked++) {
    const times = (await indexes.at(at))?.times;
    if (times !== undefined) return times.latest;
  }
  return undefined;
}

async function findAll(indexes: Indexes, sought: Exclude<Sought, { kind: 'time' }>, last: bigint): Promise<FoundPlaces> {
  const { way } = indexes;
  const from = last - way.first >= segmentsMax ? last - segmentsMax + 1n : way.first;
  const places: Place[] = [];
  const names = new Set<string>();
  let isExhaustive = from === way.first;
  for await (const { number, index } of indexes.between(from, last)) {
    if (index === undefined) {
      isExhaustive = false;
      continue;
    }
    if (sought.kind === 'xid') {
      if (index.every > 1) isExhaustive = false;
      for (const { lsn, xid } of transactionsIn(index)) if (xid === sought.xid) places.push({ lsn, segment: number });
      continue;
    }
    for (const { offset, name } of index.restorePoints) {
      names.delete(name);
      if (name === sought.name) places.push({ lsn: index.startLsn + BigInt(offset), segment: number });
      else names.add(name);
    }
  }
  return { places: places.slice(-placesMax), isExhaustive, otherNames: [...names].slice(-namesMax) };
}
