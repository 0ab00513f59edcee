/** WAL that a base backup needs: positions are the last 16 digits of the names of segments, on whatever timeline. */
export interface WalNeed {
  readonly by: string;
  /** The first position. */
  readonly from: string;
  /** The last position; undefined: everything that follows. */
  readonly until?: string | undefined;
  /** Where the last position is not known: everything that was stored until then. */
  readonly storedUntil?: Date | undefined;
}

/** All that is needed. What is not may go. */
export interface WalNeeds {
  /** Ascending by their beginnings. */
  readonly needs: readonly WalNeed[];
  /** Of the kept base backup whose timeline is the newest. */
  readonly newestTimeline: string;
  /** WAL of newer timelines than that stays if it was stored after this. */
  readonly strandedSince: Date;
}

/** A segment, or a part of one, that is stored. */
export interface StoredSegment {
  /** 24 hex digits. */
  readonly segment: string;
  readonly stored: Date;
}

export interface WalVerdict {
  readonly stays: boolean;
  readonly because: string;
}

const unneeded: WalVerdict = { stays: false, because: 'no base backup needs it' };

/**
 * Whether WAL stays, and why. Positions grow along every timeline, so that what lies outside of all needs is of no use to any
 * kept base backup, whatever its timeline. One exception: a timeline that no base backup has reached yet may be the one a base backup is
 * being taken of after a recovery to an earlier point, whose positions begin anew below those of the kept ones.
 */
export function judgeWal({ segment, stored }: StoredSegment, { needs, newestTimeline, strandedSince }: WalNeeds): WalVerdict {
  const position = positionOf(segment);
  const need = needs.findLast((each) => isWithin(position, stored, each));
  if (need !== undefined) return { stays: true, because: wordsFor(need) };
  if (segment.slice(0, 8) > newestTimeline && stored >= strandedSince) {
    return { stays: true, because: 'its timeline is newer than every base backup' };
  }
  return unneeded;
}

export function positionOf(segment: string): string {
  return segment.slice(8, 24);
}

export function inOrderOfBeginning(needs: readonly WalNeed[]): readonly WalNeed[] {
  return needs.toSorted((a, b) => (a.from < b.from ? -1 : Number(a.from > b.from)));
}

function isWithin(position: string, stored: Date, { from, until, storedUntil }: WalNeed): boolean {
  if (position < from) return false;
  if (until !== undefined) return position <= until;
  return storedUntil === undefined || stored <= storedUntil;
}

function wordsFor({ by, until, storedUntil }: WalNeed): string {
  return until === undefined && storedUntil === undefined ? `all WAL from ${by} on stays` : `${by} needs it`;
}
