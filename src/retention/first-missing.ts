import type { Catalog } from '../catalog/catalog.ts';
import { segmentBytesIn } from '../catalog/wal-entry.ts';
import type { Lsn } from '../postgres/lsn.ts';
import { TimelineLine } from '../postgres/timeline-line.ts';
import { formatWalName, nextWalName, parseWalName } from '../postgres/wal-name.ts';
import type { HistoryReader } from './stored-histories.ts';

/** What recovery has to read; names of segments, both included. */
export interface WalSpan {
  readonly start: string;
  readonly end: string;
  /** In the last segment: what lies at it or behind it need not be read. Unknown for backups of old versions. */
  readonly endLsn: Lsn | undefined;
}

interface Deps {
  readonly catalog: Catalog;
  readonly readHistory: HistoryReader;
  readonly signal: AbortSignal | undefined;
}

/**
 * The first segment of a span that is not stored, by the name under which recovery asks for it first. A segment in which a timeline was left is read under the name of
 * the next timeline, which begins with a copy of it (xlogrecovery.c, XLogFileReadAnyTLI); under its own name it may never have been archived. Where the size of segments is not known, or how the
 * timelines descend from each other, only the first and the last one are looked at.
 */
export async function firstMissing(span: WalSpan, deps: Deps): Promise<string | undefined> {
  const { catalog, signal, readHistory } = deps;
  const { start, end } = span;
  const last = (await catalog.findWal(end, signal)) ?? (await findContinuation(span, deps));
  if (last === undefined) return end;
  const segmentBytes = segmentBytesIn(last);
  const history = timelineOf(start) === timelineOf(end) ? [] : await readHistory(timelineOf(end));
  if (segmentBytes === undefined || history === undefined)
    return (await catalog.findWal(start, signal)) || start === end ? undefined : start;
  const [from, to] = [parseWalName(start, segmentBytes), parseWalName(end, segmentBytes)];
  const line = new TimelineLine({ timeline: to.timeline, position: to.number * BigInt(segmentBytes), history, segmentBytes });
  if (!line.touches(from)) return start;
  for (const { timeline, first, end: behind } of line.finished()) {
    if (behind <= from.number) continue;
    const nameOf = (number: bigint) => formatWalName({ timeline, number }, segmentBytes);
    let expected = nameOf(first < from.number ? from.number : first);
    for await (const { name } of catalog.walFiles('segment', { from: expected, to: nameOf(behind - 1n), signal })) {
      if (name !== expected) return expected;
      expected = nextWalName(name, segmentBytes);
    }
    if (expected <= nameOf(behind - 1n)) return expected;
  }
  return undefined;
}

/** The last segment as a later timeline begins with it, if that goes on behind the end of the span. */
async function findContinuation({ end, endLsn }: WalSpan, { catalog, readHistory, signal }: Deps) {
  if (endLsn === undefined) return undefined;
  for await (const { name } of catalog.walFiles('history', { signal })) {
    const timeline = timelineOf(name);
    if (timeline <= timelineOf(end)) continue;
    const history = (await readHistory(timeline)) ?? [];
    const left = history.findIndex((each) => each.timeline === timelineOf(end));
    if (left < 0 || (history[left]?.switchLsn ?? 0n) < endLsn) continue;
    for (const later of [timeline, ...history.slice(left + 1).map((each) => each.timeline)]) {
      const found = await catalog.findWal(nameOn(later, end), signal);
      const segmentBytes = found && segmentBytesIn(found);
      if (segmentBytes === undefined) continue;
      const { number } = parseWalName(end, segmentBytes);
      const line = new TimelineLine({ timeline, position: (number + 1n) * BigInt(segmentBytes), history, segmentBytes });
      if (line.nameAt(number) === nameOn(later, end)) return found;
    }
  }
  return undefined;
}

function nameOn(timeline: number, segment: string): string {
  return timeline.toString(16).toUpperCase().padStart(8, '0') + segment.slice(8);
}

function timelineOf(name: string): number {
  return Number.parseInt(name.slice(0, 8), 16);
}
