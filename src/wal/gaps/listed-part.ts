import type { Catalog } from '../../catalog/catalog.ts';
import type { WalRanges } from '../../catalog/wal-ranges.ts';
import { formatWalName, parseWalName, type WalSegment } from '../../postgres/wal-name.ts';

/** What is stored between two segments, both included. */
export interface ListedPart {
  /** Undefined: from the beginning. */
  readonly from: WalSegment | undefined;
  /** Undefined: to the end. */
  readonly to: WalSegment | undefined;
  readonly segments: readonly { readonly segment: WalSegment; readonly stored: Date }[];
}

export interface PartToList {
  readonly catalogs: readonly Catalog[];
  readonly segmentBytes: number;
  readonly from: WalSegment | undefined;
  /** Of each site. */
  readonly segmentsMax: number;
  readonly signal: AbortSignal;
}

/** Lists so many segments; where one site has more, the part ends with the last of them. */
export async function listPart({ catalogs, segmentBytes, from, segmentsMax, signal }: PartToList): Promise<ListedPart> {
  const segments: { segment: WalSegment; stored: Date }[] = [];
  let to: WalSegment | undefined;
  for (const catalog of catalogs) {
    let count = 0;
    const between = from === undefined ? {} : { from: formatWalName(from, segmentBytes) };
    for await (const { name, lastModified: stored } of catalog.walFiles('segment', { ...between, signal })) {
      const segment = segmentOf(name, segmentBytes);
      if (segment === undefined || (from !== undefined && isBefore(segment, from))) continue;
      if (to !== undefined && isBefore(to, segment)) break;
      segments.push({ segment, stored });
      if (++count === segmentsMax) {
        to = segment;
        break;
      }
    }
  }
  return { from, to, segments };
}

/** By timeline when its history was stored. */
export async function listedTimelines(catalogs: readonly Catalog[], signal: AbortSignal): Promise<ReadonlyMap<number, Date>> {
  const found = new Map<number, Date>();
  for (const catalog of catalogs) {
    for await (const { name, lastModified } of catalog.walFiles('history', { signal })) {
      const timeline = Number.parseInt(name.slice(0, 8), 16);
      if (!found.has(timeline)) found.set(timeline, lastModified);
    }
  }
  return found;
}

export function holdsAny(ranges: WalRanges, part: Pick<ListedPart, 'from' | 'to'>): boolean {
  return ranges.timelines.some((timeline) => {
    const [first, last] = boundsIn(timeline, part);
    return ranges.of(timeline).some((range) => range.first <= last && range.last >= first);
  });
}

/** Puts what was listed in place of what was known there; `stored`: meanwhile, so that the listing may be past it. Returns whether anything has changed. */
export function replacePart(ranges: WalRanges, part: ListedPart, stored: readonly WalSegment[]): boolean {
  const before = inShort(ranges);
  const since = new Map(ranges.timelines.map((timeline) => [timeline, ranges.of(timeline)]));
  for (const timeline of ranges.timelines) ranges.cut(timeline, ...boundsIn(timeline, part));
  for (const { segment, stored: at } of part.segments) if (!isBehind(segment, part.to)) ranges.add(segment, at);
  for (const segment of stored) {
    const known = since.get(segment.timeline)?.find(({ first, last }) => first <= segment.number && segment.number <= last);
    ranges.add(segment, known?.since ?? new Date(0));
  }
  return inShort(ranges) !== before;
}

function inShort(ranges: WalRanges): string {
  return ranges.timelines
    .map(
      (timeline) =>
        `${timeline}:${ranges
          .of(timeline)
          .map(({ first, last }) => `${first}-${last}`)
          .join()}`,
    )
    .join(';');
}

/** Of the segments of the timeline that are in the part; none where the first is behind the last. */
function boundsIn(timeline: number, { from, to }: Pick<ListedPart, 'from' | 'to'>): [first: bigint, last: bigint] {
  const isOutside = (from !== undefined && timeline < from.timeline) || (to !== undefined && timeline > to.timeline);
  if (isOutside) return [1n, 0n];
  return [from?.timeline === timeline ? from.number : 0n, to?.timeline === timeline ? to.number : numberMax];
}

/** Larger than that of any segment. */
const numberMax = 1n << 64n;

function isBehind(segment: WalSegment, to: WalSegment | undefined): boolean {
  return to !== undefined && isBefore(to, segment);
}

function isBefore(a: WalSegment, b: WalSegment): boolean {
  return a.timeline < b.timeline || (a.timeline === b.timeline && a.number < b.number);
}

function segmentOf(name: string, segmentBytes: number): WalSegment | undefined {
  try {
    return parseWalName(name, segmentBytes);
  } catch {
    return undefined;
  }
}
