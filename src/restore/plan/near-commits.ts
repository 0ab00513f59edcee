import type { IndexedTransaction, WalIndex } from '../../catalog/wal-index/wal-index.ts';
import type { Lsn } from '../../postgres/lsn.ts';
import { lastOf, numberAt } from './wal-way.ts';
import { type Indexes, isCommit, transactionsIn } from './way-indexes.ts';

/** The commits around a place in the WAL. */
export interface NearCommits {
  readonly before: IndexedTransaction | undefined;
  readonly after: IndexedTransaction | undefined;
  /** There are no others between them. */
  readonly isExact: boolean;
  /** Segments between them without an index. */
  readonly unread: number;
  /** Where not even far away a commit was found: everything was looked at on that side. */
  readonly isAllBefore: boolean;
  readonly isAllAfter: boolean;
  readonly recordsEnd: RecordsEnd | undefined;
}

/** Where the records of the way end that can be read. */
export interface RecordsEnd {
  readonly lsn: Lsn;
  /** The last one takes no more than its header: the server has ended the segment by it. */
  readonly isSwitch: boolean;
}

const stepSegments = 8n;
/** Where nothing was committed for so long, nobody looks further. */
const segmentsMax = 512n;

/** `isIncluded`: what stands at the position itself counts as before it. */
export async function nearCommits(indexes: Indexes, lsn: Lsn, isIncluded: boolean): Promise<NearCommits> {
  const { way } = indexes;
  const [first, last] = [way.first, lastOf(way)];
  const here = clamp(numberAt(way, lsn), first, last);
  const isBefore = (each: IndexedTransaction) => (isIncluded ? each.lsn <= lsn : each.lsn < lsn);
  const back = new Side();
  // What begins before the place may end in the next segment.
  let [to, from] = [here + 1n, clamp(here - stepSegments, first, last)];
  for (;;) {
    await look(indexes, { from, to }, back, (each) => isBefore(each) && 'last');
    if (back.found !== undefined || from === first || here - from >= segmentsMax) break;
    [to, from] = [from - 1n, clamp(from - stepSegments, first, last)];
  }
  const isAllBefore = from === first;
  const ahead = new Side();
  for (from = here; from <= last && from - here < segmentsMax && ahead.found === undefined; from += stepSegments)
    await look(indexes, { from, to: from + stepSegments - 1n }, ahead, (each) => !isBefore(each) && 'first');
  const unread = back.unread + ahead.unread;
  const isThinned = back.isThinned || ahead.isThinned;
  const isExact = unread === 0 && !isThinned && (back.found !== undefined || isAllBefore);
  return {
    before: back.found,
    after: ahead.found,
    isExact,
    unread,
    isAllBefore,
    isAllAfter: from > last,
    recordsEnd: await recordsEnd({ way, at: (number) => indexes.at(number) }),
  };
}

async function recordsEnd({
  way,
  at,
}: {
  way: Indexes['way'];
  at: (number: bigint) => Promise<WalIndex | undefined>;
}): Promise<RecordsEnd | undefined> {
  const index = await at(lastOf(way));
  if (index === undefined || index.end?.because === 'unreadable' || index.end?.because === 'version') return undefined;
  const offset = index.end?.offset ?? index.unfinished?.offset ?? index.segmentBytes;
  return { lsn: index.startLsn + BigInt(offset), isSwitch: index.end?.because === 'switch' };
}

class Side {
  found: IndexedTransaction | undefined;
  unread = 0;
  isThinned = false;
}

type Wanted = (each: IndexedTransaction) => false | 'first' | 'last';

async function look(indexes: Indexes, { from, to }: { from: bigint; to: bigint }, side: Side, wanted: Wanted): Promise<void> {
  for await (const { index } of indexes.between(from, to)) {
    if (index === undefined) {
      side.unread++;
      continue;
    }
    if (index.every > 1) side.isThinned = true;
    for (const each of transactionsIn(index)) {
      const which = isCommit(each) && wanted(each);
      if (which === false) continue;
      side.found = each;
      if (which === 'first') return;
    }
  }
}

function clamp(number: bigint, least: bigint, most: bigint): bigint {
  return number < least ? least : number > most ? most : number;
}
