import type { Catalog } from '../../catalog/catalog.ts';
import type { ServerFacts } from '../../postgres/replication.ts';
import type { TimelineSwitch } from '../../postgres/timeline-history.ts';
import { classifyWalFile, formatWalName, parseWalName } from '../../postgres/wal-name.ts';
import type { StoredPosition } from './start-position.ts';

/** How many segments before the server's position are looked at first. */
const segmentsFirst = 64n;

/** Segments of a timeline that lie wholly on the line. */
interface Range {
  readonly timeline: number;
  readonly first: bigint;
  /** Exclusive; undefined for the server's own timeline: the store may be ahead of the server. */
  readonly end: bigint | undefined;
}

/**
 * How far the store reaches on the line of timelines that leads to the server. The archive may have millions of segments, so it is looked at from the
 * server's position backwards, in steps that double until something is found: nothing is held but one name.
 */
export async function readStoredPosition(
  catalogs: readonly Catalog[],
  server: Pick<ServerFacts, 'timeline' | 'position' | 'segmentBytes'>,
  history: readonly TimelineSwitch[],
  signal: AbortSignal,
): Promise<StoredPosition> {
  const ranges = rangesOf(server, history);
  const current = server.position / BigInt(server.segmentBytes);
  let last: string | undefined;
  for (let back = segmentsFirst; last === undefined; back *= 2n) {
    const from = current > back ? current - back : 0n;
    last = await lastFrom(from, ranges, catalogs, server.segmentBytes, signal);
    if (from === 0n) break;
  }
  return { last, newestTimeline: await newestTimeline(catalogs, signal) };
}

/** The furthest segment that is not before number `from`: of the newest timeline that has one. */
async function lastFrom(
  from: bigint,
  ranges: readonly Range[],
  catalogs: readonly Catalog[],
  segmentBytes: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const range of ranges.toReversed()) {
    if (range.end !== undefined && range.end <= from) return undefined;
    const first = range.first > from ? range.first : from;
    const found = await Promise.all(catalogs.map((catalog) => lastIn(catalog, { ...range, first }, segmentBytes, signal)));
    const last = found
      .filter((name) => name !== undefined)
      .toSorted()
      .at(-1);
    if (last !== undefined) return last;
  }
  return undefined;
}

async function lastIn({ store, keys }: Catalog, range: Range, segmentBytes: number, signal: AbortSignal): Promise<string | undefined> {
  const nameOf = (number: bigint) => formatWalName({ timeline: range.timeline, number }, segmentBytes);
  const prefix = keys.walPrefix + nameOf(0n).slice(0, 8);
  const after = range.first === 0n ? {} : { after: keys.wal(nameOf(range.first - 1n)) };
  let last: string | undefined;
  for await (const { key } of store.list(prefix, { ...after, signal })) {
    const name = key.slice(keys.walPrefix.length);
    const number = numberOf(name, segmentBytes);
    if (number === undefined || number < range.first) continue;
    if (range.end !== undefined && number >= range.end) break;
    last = name;
  }
  return last;
}

function rangesOf(
  { timeline, segmentBytes }: Pick<ServerFacts, 'timeline' | 'segmentBytes'>,
  history: readonly TimelineSwitch[],
): readonly Range[] {
  const numbers = history.map(({ switchLsn }) => switchLsn / BigInt(segmentBytes));
  const left = history.map((ancestor, index) => ({ timeline: ancestor.timeline, first: numbers[index - 1] ?? 0n, end: numbers[index] }));
  return [...left, { timeline, first: numbers.at(-1) ?? 0n, end: undefined }];
}

async function newestTimeline(catalogs: readonly Catalog[], signal: AbortSignal): Promise<number | undefined> {
  let newest: number | undefined;
  for (const { store, keys } of catalogs) {
    for await (const { key } of store.list(keys.historyPrefix, { signal })) {
      const name = key.slice(keys.historyPrefix.length);
      if (classifyWalFile(name) === 'history') newest = Math.max(newest ?? 0, Number.parseInt(name.slice(0, 8), 16));
    }
  }
  return newest;
}

/** Undefined for what is no segment of this size. */
function numberOf(name: string, segmentBytes: number): bigint | undefined {
  try {
    return classifyWalFile(name) === 'segment' ? parseWalName(name, segmentBytes).number : undefined;
  } catch {
    return undefined;
  }
}
