import type { WalArchiveView } from '../../catalog/wal-archive-view.ts';
import { formatWalName, type WalSegment } from '../../postgres/wal-name.ts';

/** Of each timeline, where very many runs end. */
const runsMax = 20;
const timelinesMax = 50;

/** Names of the segments whose times tell to which second windows reach: those in which what is stored ends, or a timeline begins. */
export function wantedTimes({ ranges, histories, segmentBytes }: WalArchiveView): ReadonlySet<string> {
  const ends = ranges.timelines.slice(-timelinesMax).flatMap((timeline) =>
    ranges
      .of(timeline)
      .slice(-runsMax)
      .map(({ last }): WalSegment => ({ timeline, number: last })),
  );
  const begins = [...histories].slice(-timelinesMax).flatMap(([timeline, { switches = [] }]): WalSegment[] => {
    const left = switches.at(-1);
    return left === undefined ? [] : [{ timeline, number: left.switchLsn / BigInt(segmentBytes) }];
  });
  return new Set([...ends, ...begins].map((segment) => formatWalName(segment, segmentBytes)));
}

/** In which a timeline begins, as its history tells. */
export function beginOfTimeline(timeline: number, { histories, segmentBytes }: WalArchiveView): string | undefined {
  const left = histories.get(timeline)?.switches?.at(-1);
  return left && formatWalName({ timeline, number: left.switchLsn / BigInt(segmentBytes) }, segmentBytes);
}
