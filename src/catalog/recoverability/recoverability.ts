import type { Lsn } from '../../postgres/lsn.ts';
import type { Cause } from './cause.ts';

/** A place in the WAL of a timeline and the moment that it stands for, by the clock of the server. What is not known is undefined. */
export interface RecoverablePoint {
  readonly lsn: Lsn | undefined;
  readonly time: Date | undefined;
}

/**
 * `proven`: a drill has restored a base backup and replayed all of it. `covered`: a complete base backup leads to it, and all WAL from there on is stored. `hole`: it
 * cannot be restored. `unknown`: nobody can tell; it must not be relied on, and is not lost either.
 */
export type SpanState = 'proven' | 'covered' | 'hole' | 'unknown';

/** Moments of a timeline that have the same state. */
export interface Span {
  readonly state: SpanState;
  readonly from: RecoverablePoint;
  /**
   * Of what can be restored: the end of its WAL, and the newest second of which all commits are provably in it. What lies in time behind that and before the next span
   * is not claimed to be either.
   */
  readonly to: RecoverablePoint;
  /** The last commit that is known to be in it: later targets in the same span are its end, where recovery finds no commit to stop at. */
  readonly lastCommit: Date | undefined;
  /** Of those that can be restored: the newest base backup from which its beginning is reached, then those that end in it. Oldest first. */
  readonly basebackups: readonly string[];
  /** Absent where it can be restored. */
  readonly cause?: Cause;
  /** In words. */
  readonly because: string;
}

/** A name that pg_create_restore_point() gave to a place. */
export interface RestorePoint {
  readonly name: string;
  readonly lsn: Lsn;
  readonly time: Date;
  /** Whether it lies in a span that can be restored. */
  readonly isReachable: boolean;
}

/** Where a timeline left the one that it comes from. */
export interface ParentTimeline {
  readonly timeline: number;
  /** The first position that is the new one's. */
  readonly switchLsn: Lsn;
  readonly time: Date | undefined;
}

/** A timeline's own part: from where it left its parent on. What lies before is told with the parent. */
export interface RecoverableTimeline {
  readonly timeline: number;
  /** Absent for the first one, and where its history is not known. */
  readonly parent?: ParentTimeline;
  /** It is the one to which the newest base backup leads, and so a restore that names no other; or one of those that it comes from. */
  readonly isCurrent: boolean;
  /** In the order of the WAL. Between them is nothing that anybody misses. */
  readonly spans: readonly Span[];
  readonly restorePoints: readonly RestorePoint[];
}

/**
 * `proven`: a drill has restored it. `covered`: complete, and all WAL that it needs is stored. `lacking`: some of that is not. `corrupt`: `verify` has found it damaged.
 * `unreadable`: its metadata cannot be read. `unfinished`: it is being taken, or was given up. `unproven`: nothing tells whether all WAL that it needs is stored.
 */
export type BackupState = 'proven' | 'covered' | 'lacking' | 'corrupt' | 'unreadable' | 'unfinished' | 'unproven';

/** A base backup, as a mark beside the timelines. */
export interface BackupMark {
  readonly name: string;
  readonly state: BackupState;
  readonly because: string;
  readonly cause?: Cause;
  /** The timeline on which its WAL begins; absent where that cannot be read. */
  readonly timeline?: number;
  readonly start: Date | undefined;
  readonly end: Date | undefined;
  /** Of all its objects. */
  readonly storedBytes: number | undefined;
  /** First and last segment that it needs. */
  readonly firstSegment?: string;
  readonly lastSegment?: string;
  /** From where on it can be restored; in a segment's precision. */
  readonly from?: RecoverablePoint & { readonly timeline: number };
  /** How far it can be recovered, on the newest timeline that it leads to without a hole. */
  readonly reaches?: RecoverablePoint & { readonly timeline: number };
  /** Its WAL is not kept behind its end: it can be restored to that moment only. */
  readonly isAlone: boolean;
  /** When `verify` has read all of it, and found it sound. */
  readonly verified?: Date;
  /** When a drill has restored it. */
  readonly drilled?: Date;
}

/** Which moments of a site can be restored, on each timeline. Whatever tells of windows tells this. */
export interface Recoverability {
  /** Why nobody knows; then there are no timelines. */
  readonly unknown?: string;
  readonly segmentBytes: number | undefined;
  /** Ascending. */
  readonly timelines: readonly RecoverableTimeline[];
  /** Oldest first. */
  readonly basebackups: readonly BackupMark[];
  /** To which a restore leads that names no timeline. */
  readonly current: number | undefined;
  /** The newest moment of it that can be restored; its time is undefined where nothing tells it. */
  readonly newest?: RecoverablePoint & { readonly timeline: number };
}

/** Nothing is claimed, nor denied. */
export function unknownRecoverability(because: string): Recoverability {
  return { unknown: because, segmentBytes: undefined, timelines: [], basebackups: [], current: undefined };
}
