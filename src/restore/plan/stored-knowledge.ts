import type { BasebackupListing } from '../../catalog/catalog.ts';
import { EvidenceReader } from '../../catalog/evidence/read-evidence.ts';
import { readHistories } from '../../catalog/read-histories.ts';
import { noWalTimes } from '../../catalog/recoverability/facts.ts';
import { findRecoverability } from '../../catalog/recoverability/find-recoverability.ts';
import { readStoredObject } from '../../catalog/stored-object.ts';
import type { StoredHistory, WalArchiveView } from '../../catalog/wal-archive-view.ts';
import { segmentBytesIn } from '../../catalog/wal-entry.ts';
import { WalRanges } from '../../catalog/wal-ranges.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { parseTimelineHistory, type TimelineSwitch } from '../../postgres/timeline-history.ts';
import { defaultSegmentBytes, formatWalName, historyNameOf, parseWalName, type WalSegment } from '../../postgres/wal-name.ts';
import type { RestoreSource } from '../plan.ts';
import type { PlanKnowledge } from './plan-knowledge.ts';
import type { PlanDeps } from './plan-request.ts';

/** No history is as long: a timeline takes a line of it. */
const historyBytesMax = 1024 * 1024;
/** Behind all names of a timeline. */
const lastName = 'FFFFFFFFFFFFFFFF';

/** Plans from the store alone, without a daemon. What cannot be read is named to `warn` and left out. */
export function storedSites(sources: readonly RestoreSource[], warn: (message: string) => void): Pick<PlanDeps, 'backups' | 'knowledge'> {
  const listings = new Map<RestoreSource, BasebackupListing>();
  return {
    backups: async (signal) => {
      for (const source of sources) {
        const listing = await source.catalog.basebackups(signal);
        for (const { key, why } of listing.unreadable) warn(`${key} is left out: ${why}`);
        listings.set(source, listing);
      }
      return [...listings].flatMap(([source, { entries }]) => entries.map((entry) => ({ ...entry, source })));
    },
    knowledge: (source, since, signal) =>
      knowledgeFromStore(source, listings.get(source) ?? { entries: [], unreadable: [] }, since, signal),
  };
}

/**
 * What the store alone tells of a site. WAL is listed from the segment with the number of `since` on, on all timelines: what is older is not known then. Rejects with
 * the store's errors.
 */
async function knowledgeFromStore(
  source: RestoreSource,
  listing: BasebackupListing,
  since: string | undefined,
  signal: AbortSignal,
): Promise<PlanKnowledge> {
  const archive = await archiveOf(source, listing, since, signal);
  const evidence = await new EvidenceReader(source.catalog).read(signal);
  const found = findRecoverability({
    basebackups: listing,
    unfinished: [],
    alone: new Set(),
    archive,
    beginning: undefined,
    servers: { samples: [], clockSetBack: undefined },
    times: noWalTimes,
    restorePoints: [],
    evidence,
  });
  return { found, archive, drills: evidence.drills };
}

async function archiveOf(
  source: RestoreSource,
  { entries }: BasebackupListing,
  since: string | undefined,
  signal: AbortSignal,
): Promise<WalArchiveView | undefined> {
  const { catalog } = source;
  let segmentBytes: number | undefined;
  for (const { startWalSegment } of entries.toReversed()) {
    const stored = await catalog.findWal(startWalSegment, signal);
    segmentBytes = stored && segmentBytesIn(stored);
    if (segmentBytes !== undefined) break;
  }
  segmentBytes ??= defaultSegmentBytes;
  const ranges = new WalRanges();
  const from = since === undefined ? 0n : (parse(since, segmentBytes)?.number ?? 0n);
  for await (const timeline of timelinesOf(source, signal)) {
    const names = { from: formatWalName({ timeline, number: from }, segmentBytes), to: historyNameOf(timeline).slice(0, 8) + lastName };
    for await (const { name, lastModified } of catalog.walFiles('segment', { ...names, signal })) {
      const segment = parse(name, segmentBytes);
      if (segment !== undefined) ranges.add(segment, lastModified);
    }
  }
  const histories = await historiesOf(source, signal);
  return ranges.timelines.length === 0 && histories.size === 0 ? undefined : { segmentBytes, ranges, histories, reached: new Map() };
}

/** One request each. */
async function* timelinesOf({ catalog }: RestoreSource, signal: AbortSignal): AsyncGenerator<number> {
  for (let from = ''; ; ) {
    const next = await first(catalog.walFiles('segment', { from, signal }));
    if (next === undefined) return;
    const timeline = next.name.slice(0, 8);
    yield Number.parseInt(timeline, 16);
    if (timeline === 'FFFFFFFF') return;
    from = formatWalName({ timeline: Number.parseInt(timeline, 16) + 1, number: 0n }, defaultSegmentBytes);
  }
}

async function historiesOf({ catalog, storage, privateKeys }: RestoreSource, signal: AbortSignal): Promise<Map<number, StoredHistory>> {
  const histories = new Map<number, StoredHistory>();
  for await (const { name, lastModified } of catalog.walFiles('history', { signal }))
    histories.set(Number.parseInt(name.slice(0, 8), 16), { switches: undefined, since: lastModified });
  await readHistories(histories, async (timeline) => {
    const object = { storage, key: catalog.keys.history(historyNameOf(timeline)), privateKeys };
    return readHistory(object, signal);
  });
  return histories;
}

async function readHistory(
  object: Parameters<typeof readStoredObject>[0],
  signal: AbortSignal,
): Promise<readonly TimelineSwitch[] | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    await readStoredObject(
      object,
      (piece) => {
        bytes += piece.length;
        if (bytes <= historyBytesMax) pieces.push(Buffer.from(piece));
      },
      { signal },
    );
    return parseTimelineHistory(Buffer.concat(pieces).toString('utf8'));
  } catch (error) {
    if (!isOperatorError(error) || error.retryable) throw error;
    return undefined;
  }
}

function parse(name: string, segmentBytes: number): WalSegment | undefined {
  try {
    return parseWalName(name, segmentBytes);
  } catch {
    return undefined;
  }
}

async function first<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}
