import { recordKind } from './record-kinds.ts';
import { recordAt } from './record-layout.ts';
import { type RecordParts, readRecordParts } from './record-parts.ts';
import { readTimestamp } from './timestamp.ts';
import { readTransaction } from './transaction-record.ts';
import type { ReadableRecord, WalRecordSink } from './wal-record-sink.ts';

/** Offsets in CheckPoint (pg_control.h), the same from 13 to 18. */
const checkpointAt = { redo: 0, timeline: 8, previousTimeline: 12, time: 64 } as const;
const checkpointBytes = 72;
/** xl_restore_point: TimestampTz, then a name of MAXFNAMELEN bytes. */
const restorePointNameBytes = 64;

/** Tells the sink what a record means. A record that makes no sense tells nothing. */
export function readRecord(record: ReadableRecord, major: number, sink: WalRecordSink): void {
  if (record.kind === recordKind.transaction) return readTransaction(record, major, sink);
  if (record.kind === recordKind.prepare) return sink.transactionPrepared();
  const parts = readRecordParts(record, major);
  if (parts === undefined) return;
  if (record.kind === recordKind.pages) return tellPages(record, parts, sink);
  const main = { view: record.view, at: record.at + parts.mainAt, bytes: record.length - parts.mainAt };
  switch (record.kind) {
    case recordKind.checkpoint:
      return tellCheckpoint(record, main, sink);
    case recordKind.endOfRecovery:
      return tellEndOfRecovery(record, main, sink);
    case recordKind.restorePoint:
      return tellRestorePoint(record, main, sink);
    case recordKind.fileCreated:
      // xl_smgr_create: RelFileLocator (tablespace, database, file)
      if (main.bytes >= 12) sink.fileCreated(main.view.getUint32(main.at + 4, true));
      return undefined;
    case recordKind.fileTruncated:
      // xl_smgr_truncate: block u32, RelFileLocator
      if (main.bytes >= 16) sink.fileTruncated(main.view.getUint32(main.at + 8, true));
      return undefined;
    default:
      return undefined;
  }
}

interface MainData {
  readonly view: DataView;
  readonly at: number;
  readonly bytes: number;
}

function tellCheckpoint({ offset, bytes, at }: ReadableRecord, main: MainData, sink: WalRecordSink): void {
  if (main.bytes < checkpointBytes) return;
  const timeline = main.view.getUint32(main.at + checkpointAt.timeline, true);
  const previousTimeline = main.view.getUint32(main.at + checkpointAt.previousTimeline, true);
  const time = Number(main.view.getBigInt64(main.at + checkpointAt.time, true)) * 1_000_000;
  const isShutdown = ((bytes[at + recordAt.info] as number) & 0xf0) === 0;
  sink.checkpoint({ offset, isShutdown, redo: main.view.getBigUint64(main.at + checkpointAt.redo, true), timeline, time });
  if (timeline !== previousTimeline) sink.timelineSwitch({ offset, time, timeline, previousTimeline });
}

/** xl_end_of_recovery: TimestampTz, ThisTimeLineID u32, PrevTimeLineID u32 */
function tellEndOfRecovery({ offset }: ReadableRecord, { view, at, bytes }: MainData, sink: WalRecordSink): void {
  if (bytes < 16) return;
  const [timeline, previousTimeline] = [view.getUint32(at + 8, true), view.getUint32(at + 12, true)];
  sink.timelineSwitch({ offset, time: readTimestamp(view, at), timeline, previousTimeline });
}

function tellRestorePoint({ offset, bytes }: ReadableRecord, main: MainData, sink: WalRecordSink): void {
  if (main.bytes < 8 + restorePointNameBytes) return;
  const name = Buffer.from(bytes.subarray(main.at + 8, main.at + 8 + restorePointNameBytes));
  const end = name.indexOf(0);
  sink.restorePoint({ offset, time: readTimestamp(main.view, main.at), name: name.toString('utf8', 0, end < 0 ? name.length : end) });
}

function tellPages({ bytes, at }: ReadableRecord, { pages }: RecordParts, sink: WalRecordSink): void {
  // Of XLOG_FPI (resource manager 0) every page is new.
  const areAllNew = bytes[at + recordAt.manager] === 0;
  for (const { database, isNew, isMain } of pages) if (isMain && (isNew || areAllNew)) sink.pagesMade(database, 1);
}
