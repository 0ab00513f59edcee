import { formatLsn } from '../../postgres/lsn.ts';
import type { IndexedPiece, WalIndex } from './wal-index.ts';
import { formatVersion, outcomeLetters, type PieceDocument, type WalIndexDocument } from './wal-index-document.ts';

export function formatWalIndex(index: WalIndex): WalIndexDocument {
  const { times, transactions, drops, restorePoints, checkpoints, timelineSwitches, databases, continued, unfinished, end } = index;
  return {
    format: formatVersion,
    segment: index.name,
    segment_bytes: index.segmentBytes,
    start_lsn: formatLsn(index.startLsn),
    major: index.major,
    commits: index.commits,
    aborts: index.aborts,
    prepared: index.prepared,
    times: times && [times.first, times.last, times.earliest, times.latest],
    transactions:
      times === undefined
        ? undefined
        : {
            every: index.every,
            outcomes: transactions.outcomes.map((outcome) => outcomeLetters[outcome]).join(''),
            offsets: differences(transactions.offsets),
            times: differences(transactions.times),
            xids: differences(transactions.xids),
          },
    drops: someOf(drops),
    restore_points: someOf(restorePoints),
    checkpoints: someOf(
      checkpoints.map(({ offset, time, redo, timeline, isShutdown }) => {
        return { offset, time, redo: formatLsn(redo), timeline, kind: isShutdown ? 'shutdown' : 'online' };
      }),
    ),
    timeline_switches: someOf(
      timelineSwitches.map(({ offset, time, timeline, previousTimeline }) => {
        return { offset, time, timeline, previous_timeline: previousTimeline };
      }),
    ),
    databases:
      databases.size === 0
        ? undefined
        : Object.fromEntries(
            [...databases].map(([oid, each]) => [oid, [each.pagesMade, each.filesCreated, each.filesTruncated, each.filesDropped]]),
          ),
    continued: continued && formatPiece(continued),
    unfinished: unfinished && { ...formatPiece(unfinished), offset: unfinished.offset },
    end,
  };
}

function differences(column: readonly number[]): number[] {
  return column.map((value, at) => value - (at === 0 ? 0 : (column[at - 1] as number)));
}

function someOf<T>(items: readonly T[]): readonly T[] | undefined {
  return items.length === 0 ? undefined : items;
}

function formatPiece({ totalBytes, bytes, begins }: IndexedPiece): PieceDocument {
  return { total_bytes: totalBytes, bytes, begins: begins.toString('base64') };
}
