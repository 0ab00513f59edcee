import type { Catalog } from '../../catalog/catalog.ts';
import { historyNameOf, parseWalName } from '../../postgres/wal-name.ts';
import type { MissingRuns } from './missing-runs.ts';
import { lastOf, nameIn, numberAt, partsAt, type WalWay, type WayPart } from './wal-way.ts';

export interface WalToFetch {
  readonly first: string | undefined;
  readonly last: string | undefined;
  readonly segments: number;
  readonly storedBytes: number;
  /** Looked for, histories included. */
  readonly objects: number;
}

/** Segments that are fetched under the name of one timeline, both included. */
interface NamedRun {
  readonly part: WayPart;
  readonly from: bigint;
  readonly to: bigint;
}

interface Look {
  readonly catalog: Catalog;
  readonly way: WalWay;
  readonly missing: MissingRuns;
  readonly signal: AbortSignal;
}

/** What recovery fetches up to a segment, as it is listed now; what is not there goes to `missing`. */
export async function walToFetch(
  catalog: Catalog,
  way: WalWay,
  last: bigint,
  missing: MissingRuns,
  signal: AbortSignal,
): Promise<WalToFetch> {
  const look = { catalog, way, missing, signal };
  const [first, end] = [nameAt(way, way.first), nameAt(way, last)];
  const segments = Number(last - way.first) + 1;
  let storedBytes = 0;
  for (const run of runsOf(way, last)) storedBytes += await storedBytesOf(run, look);
  const histories = way.parts.slice(1).map(({ timeline }) => historyNameOf(timeline));
  for (const name of histories) if ((await catalog.findWal(name, signal)) === undefined) missing.add('history', name);
  return { first, last: end, segments, storedBytes, objects: segments + histories.length };
}

/** The segment in which a timeline was left has the name of the next one. */
function runsOf(way: WalWay, last: bigint): readonly NamedRun[] {
  return way.parts.flatMap((part, index) => {
    const next = way.parts[index + 1];
    const begin = numberAt(way, part.begin);
    const from = begin > way.first ? begin : way.first;
    const end = next === undefined ? last : numberAt(way, next.begin) - 1n;
    const to = end < last ? end : last;
    return from <= to ? [{ part, from, to }] : [];
  });
}

async function storedBytesOf({ part, from, to }: NamedRun, look: Look): Promise<number> {
  const { catalog, way, signal } = look;
  let [bytes, next] = [0, from];
  const names = { from: nameIn(way, part, from), to: nameIn(way, part, to) };
  for await (const { name, size } of catalog.walFiles('segment', { ...names, signal })) {
    const number = numberOf(name, way);
    if (number === undefined) continue;
    bytes += (await bytesOfLost({ part, from: next, to: number - 1n }, look)) + size;
    next = number + 1n;
  }
  return bytes + (await bytesOfLost({ part, from: next, to }, look));
}

/** An older timeline may have it. */
async function bytesOfLost({ part, from, to }: NamedRun, { catalog, way, missing, signal }: Look): Promise<number> {
  let bytes = 0;
  for (let number = from; number <= to; number++) {
    let size: number | undefined;
    for (const other of partsAt(way, number)) {
      if (other !== part) size ??= (await catalog.findWal(nameIn(way, other, number), signal))?.size;
    }
    // Of the last segment only the beginning may be stored yet.
    if (number === lastOf(way) && way.end % BigInt(way.segmentBytes) !== 0n)
      size ??= (await catalog.findUnfinishedWal(nameIn(way, part, number), signal))?.size;
    if (size === undefined) missing.addSegment(nameIn(way, part, number));
    bytes += size ?? 0;
  }
  return bytes;
}

/** Undefined for what is no segment of this size. */
function numberOf(name: string, { segmentBytes }: WalWay): bigint | undefined {
  try {
    return parseWalName(name, segmentBytes).number;
  } catch {
    return undefined;
  }
}

function nameAt(way: WalWay, number: bigint): string | undefined {
  const [newest] = partsAt(way, number);
  return newest && nameIn(way, newest, number);
}
