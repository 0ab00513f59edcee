import { formatWalName, historyNameOf } from '../../postgres/wal-name.ts';
import type { Cause, SegmentRun } from './cause.ts';

/** Of one segment its name, of more the first and the last. */
export function segmentsInWords({ timeline, first, last }: SegmentRun, segmentBytes: number): string {
  const nameOf = (number: bigint) => formatWalName({ timeline, number }, segmentBytes);
  return first === last ? `WAL segment ${nameOf(first)}` : `WAL from ${nameOf(first)} to ${nameOf(last)} (${last - first + 1n} segments)`;
}

/** Why moments cannot be restored, for people. */
export function causeInWords(cause: Cause, segmentBytes: number): string {
  const { kind, timeline = 0, basebackup = '', wal, more = 0 } = cause;
  const segments = wal === undefined ? 'WAL' : segmentsInWords(wal, segmentBytes);
  const further = more === 0 ? '' : `, and so ${more === 1 ? 'is another run' : `are ${more} other runs`} of segments behind it`;
  switch (kind) {
    case 'wal-missing':
      return `${segments} is missing${further}`;
    case 'wal-corrupt':
      return `${segments} is damaged${further}`;
    case 'wal-not-kept':
      return `of base backup ${basebackup} only the moment is kept at which it ended, by the rules of retention`;
    case 'history-missing':
      return `${historyNameOf(timeline)} is missing: no way leads to timeline ${timeline} from the timelines before it`;
    case 'history-corrupt':
      return `${historyNameOf(timeline)} is damaged: recovery cannot follow timeline ${timeline}`;
    case 'history-unreadable':
      return `${historyNameOf(timeline)} cannot be read here: nobody knows from where timeline ${timeline} comes`;
    case 'basebackup-lacking':
      return `base backup ${basebackup} cannot be restored: ${wal === undefined ? 'WAL that it needs' : segments} is not stored`;
    case 'basebackup-corrupt':
      return `base backup ${basebackup} is damaged`;
    case 'basebackup-unreadable':
      return `base backup ${basebackup} cannot be read`;
    case 'basebackup-unfinished':
      return `base backup ${basebackup} is not complete`;
    case 'basebackup-missing':
      return 'no base backup leads there';
    case 'unproven':
      return `it cannot be told yet whether base backup ${basebackup} can be restored to there`;
  }
}
