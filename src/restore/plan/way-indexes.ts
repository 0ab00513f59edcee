import { WalIndexJoiner } from '../../catalog/wal-index/join-wal-indexes.ts';
import type { WalIndexSource } from '../../catalog/wal-index/read-small-object.ts';
import { readWalIndex } from '../../catalog/wal-index/read-wal-indexes.ts';
import type { IndexedTransaction, WalIndex } from '../../catalog/wal-index/wal-index.ts';
import { inOrder } from '../../lib/in-order.ts';
import { lastOf, nameIn, partsAt, type WalWay, type WayPart } from './wal-way.ts';

/** An index of a segment of a way; undefined: it has none, or none that can be read. */
export interface WayIndex {
  readonly number: bigint;
  readonly index: WalIndex | undefined;
}

/** What is searched: {@link WayIndexes}, or made-up ones. */
export type Indexes = Pick<WayIndexes, 'way' | 'at' | 'between'>;

const rememberedMax = 32;
/** Requests at once: one index after the other would mostly wait. */
const readAheadMax = 4;

/** The indexes of the WAL that a recovery reads, as the store has them; the last ones are remembered. */
export class WayIndexes {
  readonly way: WalWay;
  readonly #source: WalIndexSource;
  readonly #signal: AbortSignal;
  readonly #remembered = new Map<bigint, Promise<WalIndex | undefined>>();

  constructor(source: WalIndexSource, way: WalWay, signal: AbortSignal) {
    this.#source = source;
    this.way = way;
    this.#signal = signal;
  }

  /** What ends in a segment but begins before is not in it: see {@link between}. Rejects as `readWalIndex`. */
  at(number: bigint): Promise<WalIndex | undefined> {
    const known = this.#remembered.get(number);
    if (known !== undefined) return known;
    const reading = this.#read(number);
    this.#remembered.set(number, reading);
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= rememberedMax) break;
      this.#remembered.delete(oldest);
    }
    return reading;
  }

  /** Those of the segments from one to another, both included, with what is in two of them told with the one in which it ends. */
  async *between(first: bigint, last: bigint): AsyncGenerator<WayIndex> {
    const joiner = new WalIndexJoiner();
    const end = last < lastOf(this.way) ? last : lastOf(this.way);
    const begin = first > this.way.first ? first : this.way.first;
    const before = begin > this.way.first ? await this.at(begin - 1n) : undefined;
    if (before !== undefined) joiner.add(before);
    const read = async (number: bigint) => ({ number, index: await this.at(number) });
    for await (const { number, index } of inOrder(numbersFrom(begin, end), read, readAheadMax)) {
      yield { number, index: index && joiner.add(index) };
    }
  }

  async #read(number: bigint): Promise<WalIndex | undefined> {
    for (const part of partsAt(this.way, number)) {
      const index = await readWalIndex(this.#source, nameIn(this.way, part, number), this.#signal);
      if (index !== undefined) return withinPart(index, part);
    }
    return undefined;
  }
}

export function* transactionsIn({ startLsn, transactions }: WalIndex): Generator<IndexedTransaction> {
  const { offsets, times, xids, outcomes } = transactions;
  for (const [at, offset] of offsets.entries()) {
    const [time, xid, outcome] = [times[at], xids[at], outcomes[at]];
    if (time !== undefined && xid !== undefined && outcome !== undefined) yield { lsn: startLsn + BigInt(offset), time, xid, outcome };
  }
}

export function isCommit({ outcome }: Pick<IndexedTransaction, 'outcome'>): boolean {
  return outcome === 'commit' || outcome === 'commit-prepared';
}

function* numbersFrom(first: bigint, last: bigint): Generator<bigint> {
  for (let number = first; number <= last; number++) yield number;
}

/** What a server wrote after its timeline was left is not part of the way. */
function withinPart(index: WalIndex, { end }: WayPart): WalIndex {
  if (index.startLsn + BigInt(index.segmentBytes) <= end) return index;
  const room = Number(end - index.startLsn);
  const kept = [...index.transactions.offsets.keys()].filter((at) => (index.transactions.offsets[at] ?? room) < room);
  const only = <T>(column: readonly T[]) => kept.map((at) => column[at] as T);
  const { offsets, times, xids, outcomes } = index.transactions;
  const transactions = { offsets: only(offsets), times: only(times), xids: only(xids), outcomes: only(outcomes) };
  const [first, last] = [transactions.times[0], transactions.times.at(-1)];
  return {
    ...index,
    transactions,
    times:
      first === undefined || last === undefined
        ? undefined
        : { first, last, earliest: Math.min(...transactions.times), latest: Math.max(...transactions.times) },
    restorePoints: index.restorePoints.filter(({ offset }) => offset < room),
    unfinished: undefined,
  };
}
