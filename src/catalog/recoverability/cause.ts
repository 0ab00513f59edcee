/** Consecutive segments of one timeline, both ends included. */
export interface SegmentRun {
  readonly timeline: number;
  readonly first: bigint;
  readonly last: bigint;
}

/** Each says what is wrong, and which of the fields of a {@link Cause} tell where. */
export const causeKinds = [
  /** `wal` is not stored. */
  'wal-missing',
  /** `wal` is stored, but damaged. */
  'wal-corrupt',
  /** Only the moment at which `basebackup` ended is kept, by the rules of retention: the WAL behind it has been deleted as it was meant. */
  'wal-not-kept',
  /** The history of `timeline` is not stored: no way leads there from the timelines before it. */
  'history-missing',
  /** It is stored, but damaged. */
  'history-corrupt',
  /** It is stored, but cannot be read here: its key is elsewhere, or the store did not give it. */
  'history-unreadable',
  /** `basebackup` needs `wal`, which is not stored. */
  'basebackup-lacking',
  /** `basebackup` is damaged. */
  'basebackup-corrupt',
  /** The metadata of `basebackup` cannot be read. */
  'basebackup-unreadable',
  /** `basebackup` is being taken, or was given up. */
  'basebackup-unfinished',
  /** No base backup leads there. */
  'basebackup-missing',
  /** Nothing tells where the WAL ends that `basebackup` needs, so nobody knows whether all of it is stored. */
  'unproven',
] as const;

export type CauseKind = (typeof causeKinds)[number];

/** Why moments cannot be restored, for programs; a `because` beside it says it in words. */
export interface Cause {
  readonly kind: CauseKind;
  readonly timeline?: number;
  /** The first run of them. */
  readonly wal?: SegmentRun;
  /** How many further runs there are. */
  readonly more?: number;
  readonly basebackup?: string;
}
