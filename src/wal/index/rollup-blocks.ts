import { blockSegments, parseRollupName, type RollupName } from '../../catalog/wal-index/wal-rollup.ts';
import type { WalRanges } from '../../catalog/wal-ranges.ts';
import { formatWalName, parseWalName } from '../../postgres/wal-name.ts';

/** What is told of the blocks of a site's WAL, by `blockOf`. */
export type Rollups = ReadonlyMap<string, RollupName>;

/** Segments are stored out of order, and their indexes after them. */
const settledSegments = 16n;

export function blockOf(timeline: number, number: bigint): string {
  return `${timeline}/${number / blockSegments}`;
}

/** Of each block the one that tells of most; and the others, which are of no use any more. Those of another size of segments are neither. */
export function sortRollups(
  names: Iterable<string>,
  segmentBytes: number,
): { readonly rollups: Map<string, RollupName>; readonly useless: readonly string[] } {
  const rollups = new Map<string, RollupName>();
  const useless: string[] = [];
  for (const name of names) {
    const found = parseRollupName(name);
    const last = found && segmentOf(found.last, segmentBytes);
    if (found === undefined || last === undefined) continue;
    const block = blockOf(last.timeline, last.number);
    const other = rollups.get(block);
    if (other !== undefined) useless.push(other.segments <= found.segments ? other.name : name);
    if (other === undefined || other.segments <= found.segments) rollups.set(block, found);
  }
  return { rollups, useless };
}

export interface DueBlock {
  readonly block: string;
  /** Of the indexed segments, ascending. */
  readonly names: readonly string[];
}

/** Blocks that no server writes to any more, and of which more is indexed than is told together; newest timeline first. */
export function* dueBlocks(stored: WalRanges, indexed: WalRanges, rollups: Rollups, segmentBytes: number): Generator<DueBlock> {
  const newest = stored.timelines.at(-1);
  for (const timeline of indexed.timelines.toReversed()) {
    const end = timeline === newest ? (stored.of(timeline).at(-1)?.last ?? -1n) - settledSegments : undefined;
    const counts = new Map<bigint, bigint>();
    for (const { first, last } of indexed.of(timeline)) {
      for (let at = first / blockSegments; at <= last / blockSegments; at++) {
        const [from, to] = [greater(first, at * blockSegments), lesser(last, (at + 1n) * blockSegments - 1n)];
        counts.set(at, (counts.get(at) ?? 0n) + to - from + 1n);
      }
    }
    for (const [at, count] of [...counts].toReversed()) {
      if (end !== undefined && (at + 1n) * blockSegments > end) continue;
      const block = blockOf(timeline, at * blockSegments);
      if (count > BigInt(rollups.get(block)?.segments ?? 0)) yield { block, names: namesIn(indexed, timeline, at, segmentBytes) };
    }
  }
}

/** Names of segments of which nothing is told together, newest first. */
export function* aloneSegments(stored: WalRanges, rollups: Rollups, segmentBytes: number): Generator<string> {
  for (const timeline of stored.timelines.toReversed()) {
    for (const { first, last } of stored.of(timeline).toReversed()) {
      for (let number = last; number >= first; number--) {
        const rollup = rollups.get(blockOf(timeline, number));
        const name = formatWalName({ timeline, number }, segmentBytes);
        if (rollup === undefined || name > rollup.last) yield name;
        else number -= number % blockSegments;
      }
    }
  }
}

function namesIn(indexed: WalRanges, timeline: number, block: bigint, segmentBytes: number): string[] {
  const [begin, end] = [block * blockSegments, (block + 1n) * blockSegments - 1n];
  const names: string[] = [];
  for (const { first, last } of indexed.of(timeline)) {
    for (let number = greater(first, begin); number <= lesser(last, end); number++)
      names.push(formatWalName({ timeline, number }, segmentBytes));
  }
  return names;
}

function segmentOf(name: string, segmentBytes: number) {
  try {
    return parseWalName(name, segmentBytes);
  } catch {
    return undefined;
  }
}

function greater(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function lesser(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
