import type { Catalog } from '../../catalog/catalog.ts';
import { runsOn } from '../../catalog/line-runs.ts';
import { WalRanges } from '../../catalog/wal-ranges.ts';
import type { Lsn } from '../../postgres/lsn.ts';
import { TimelineLine, type WalPlace } from '../../postgres/timeline-line.ts';
import { classifyWalFile } from '../../postgres/wal-name.ts';
import { sortedNames } from '../../storage/local/sorted-names.ts';

export interface HeldWal extends WalPlace {
  /** From here on the server keeps WAL for us. */
  readonly slotLsn: Lsn;
  /** The segment that is stored furthest on the line. */
  readonly last: string;
}

/**
 * The first segment that is neither stored nor waits in the receiving directory, although later ones are stored and the slot still holds it: uploads end
 * in any order, so a host that was lost may leave a hole. Whoever began behind the last one would have the server remove what is missing.
 * Undefined where there is none. What is missing before anything is stored has been deleted because no base backup needs it.
 */
export async function findMissing(
  catalogs: readonly Catalog[],
  directory: string,
  { slotLsn, last, ...place }: HeldWal,
  signal: AbortSignal,
): Promise<string | undefined> {
  const line = new TimelineLine(place);
  const held = slotLsn / BigInt(place.segmentBytes);
  const from = held > 0n ? held - 1n : held;
  const to = line.parse(last)?.number ?? 0n;
  const ranges = new WalRanges();
  const add = (name: string) => {
    const segment = line.parse(name);
    if (segment !== undefined && segment.number >= from) ranges.add(segment, new Date(0));
  };
  for (const stretch of line.finished()) {
    const [first, end] = [stretch.first > from ? stretch.first : from, stretch.end <= to ? stretch.end - 1n : to];
    if (first > end) continue;
    for (const catalog of catalogs) {
      for await (const { name } of catalog.walFiles('segment', { from: line.nameAt(first), to: line.nameAt(end), signal })) add(name);
    }
  }
  if (ranges.timelines.length === 0) return undefined;
  for await (const { name } of sortedNames(directory, { wanted: (each) => classifyWalFile(each) === 'segment' })) add(name);
  const [run, ...others] = runsOn(line, ranges);
  let next = (run?.last ?? to) + 1n;
  for (const { first: start, last: end } of others) if (start === next) next = end + 1n;
  return next <= to ? line.nameAt(next) : undefined;
}
