import { recordAt, recordHeaderBytes } from './record-layout.ts';
import { readRecordParts } from './record-parts.ts';
import { readTimestamp } from './timestamp.ts';
import type { ReadableRecord, TransactionOutcome, WalRecordSink } from './wal-record-sink.ts';

/** XLOG_XACT_OPMASK, XLOG_XACT_HAS_INFO (xact.h) */
const operationMask = 0x70;
const hasInfo = 0x80;
const outcomes: ReadonlyMap<number, TransactionOutcome> = new Map([
  [0x00, 'commit'],
  [0x20, 'abort'],
  [0x30, 'commit-prepared'],
  [0x40, 'abort-prepared'],
]);

/** XACT_XINFO_HAS_* */
const has = { database: 1 << 0, subtransactions: 1 << 1, files: 1 << 2, invalidations: 1 << 3, prepared: 1 << 4, droppedStats: 1 << 8 };
const bytesOf = { database: 8, subtransaction: 4, file: 12, invalidation: 16 } as const;
/** xl_xact_stats_item: 15 brought it, 18 made its id longer. */
const droppedStatsBytes = (major: number) => (major >= 18 ? 16 : 12);

const dataShort = 255;

/** xl_xact_commit and xl_xact_abort: TimestampTz; with XLOG_XACT_HAS_INFO a u32 that says which of the lists follow. */
export function readTransaction(record: ReadableRecord, major: number, sink: WalRecordSink): void {
  const { bytes, view, at, length, offset } = record;
  // Nearly all of them have nothing in front of a short main part.
  const mainAt = bytes[at + recordHeaderBytes] === dataShort ? recordHeaderBytes + 2 : readRecordParts(record, major)?.mainAt;
  if (mainAt === undefined || mainAt + 8 > length) return;
  const info = bytes[at + recordAt.info] as number;
  const outcome = outcomes.get(info & operationMask);
  if (outcome === undefined) return;
  const time = readTimestamp(view, at + mainAt);
  const xid = view.getUint32(at + recordAt.xid, true);
  if ((info & hasInfo) === 0) return sink.transaction(outcome, offset, time, xid);
  const lists = readLists(record, mainAt + 8, major);
  sink.transaction(outcome, offset, time, outcome === 'commit' || outcome === 'abort' ? xid : (lists.preparedXid ?? 0));
  if (lists.filesDropped !== undefined && outcome.startsWith('commit')) sink.filesDropped(lists.filesDropped);
}

interface Lists {
  filesDropped?: Map<number, number>;
  preparedXid?: number;
}

/** As far as the record is here. Order: database, subtransactions, files, statistics, invalidations (of commits), prepared transaction. */
function readLists(record: ReadableRecord, from: number, major: number): Lists {
  const { view, at, length } = record;
  const lists: Lists = {};
  let next = from;
  const u32 = () => {
    const value = next + 4 <= length ? view.getUint32(at + next, true) : undefined;
    next += 4;
    return value;
  };
  const skipList = (itemBytes: number) => {
    const items = u32() ?? 0;
    next += items * itemBytes;
  };
  const flags = u32() ?? 0;
  if (flags & has.database) next += bytesOf.database;
  if (flags & has.subtransactions) skipList(bytesOf.subtransaction);
  if (flags & has.files) {
    const files = u32() ?? 0;
    lists.filesDropped = countByDatabase(record, next, files);
    next += files * bytesOf.file;
  }
  if (flags & has.droppedStats) skipList(droppedStatsBytes(major));
  if (flags & has.invalidations) skipList(bytesOf.invalidation);
  const preparedXid = flags & has.prepared ? u32() : undefined;
  return preparedXid === undefined ? lists : { ...lists, preparedXid };
}

/** RelFileLocator: tablespace u32, database u32, file u32 */
function countByDatabase({ view, at, length }: ReadableRecord, from: number, files: number): Map<number, number> {
  const counts = new Map<number, number>();
  for (let each = 0, next = from; each < files && next + bytesOf.file <= length; each++, next += bytesOf.file) {
    const database = view.getUint32(at + next + 4, true);
    counts.set(database, (counts.get(database) ?? 0) + 1);
  }
  return counts;
}
