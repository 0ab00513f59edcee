import type { Lsn } from '../../postgres/lsn.ts';
import type { WalSegment } from '../../postgres/wal-name.ts';
import type { BasebackupListing } from '../catalog.ts';
import type { Evidence } from '../evidence/read-evidence.ts';
import type { UnfinishedBasebackup } from '../unfinished-basebackups.ts';
import type { WalArchiveView } from '../wal-archive-view.ts';
import type { ClockSetBack, ServerSample, WalPosition } from './server-samples.ts';

/** What is known of the time at the server. */
export interface ServerTimes {
  /** As `withSample` keeps them. */
  readonly samples: readonly ServerSample[];
  readonly clockSetBack: ClockSetBack | undefined;
}

/** What the indexes of the WAL tell of times, as far as anybody has looked. */
export interface WalTimes {
  /** When the last transaction ended of which the end stands in this segment, or before it in the same run of segments. */
  lastCommit(segment: WalSegment): Date | undefined;
  /** When the last transaction ended of which the end stands in the segment in which the timeline begins, before its beginning. */
  lastBefore(timeline: number): Date | undefined;
  /** When the recovery ended with which the timeline began. */
  beginOf(timeline: number): Date | undefined;
}

export const noWalTimes: WalTimes = { lastCommit: () => undefined, lastBefore: () => undefined, beginOf: () => undefined };

export interface NamedPlace {
  readonly name: string;
  readonly timeline: number;
  readonly lsn: Lsn;
  readonly time: Date;
}

/** Everything on which it depends which moments can be restored. */
export interface RecoverabilityFacts {
  readonly basebackups: BasebackupListing;
  /** Being taken, or given up. */
  readonly unfinished: readonly Pick<UnfinishedBasebackup, 'name' | 'begun'>[];
  /** Names of those that are only kept to be restored to the moment at which they ended. */
  readonly alone: ReadonlySet<string>;
  /** Undefined where none is archived, as far as is known here: then only base backups count that carry their own. */
  readonly archive: WalArchiveView | undefined;
  /** Up to where the beginning of the segment is stored that a server is writing, where beginnings are stored. */
  readonly beginning: WalPosition | undefined;
  readonly servers: ServerTimes;
  readonly times: WalTimes;
  readonly restorePoints: readonly NamedPlace[];
  readonly evidence: Evidence;
}
