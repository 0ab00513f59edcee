import { isOnItsWay } from './on-its-way.ts';
import type { Trouble } from './trouble.ts';

/** A trouble that is certain. */
export interface KnownTrouble {
  readonly trouble: Trouble;
  readonly noticed: Date;
  /** What came of looking for it elsewhere; undefined before. */
  readonly sought: Sought | undefined;
}

export interface Sought {
  readonly because: string;
  /** Nobody has it. */
  readonly isLost: boolean;
}

export interface BookChanges {
  readonly noticed: readonly Trouble[];
  /** A base backup from after it is complete, but those from before it end there. */
  readonly harmless: readonly Trouble[];
  readonly gone: readonly Trouble[];
}

/**
 * How old a trouble must be to be one. Several uploads run at once and end in any order, and a base backup is complete before its last segment is
 * stored: how long that takes depends on how far archiving lags behind.
 */
const ageMsMin: Readonly<Record<Trouble['kind'], number>> = { inside: 5_000, history: 5_000, stranded: 60_000, end: 15 * 60_000 };
/** What waits here for its upload is not missing, until it has waited for so long. */
const waitingMsMax = 10 * 60_000;

function isPartOf({ missing: part }: Trouble, { missing: whole }: Trouble): boolean {
  if (typeof part !== 'object' || typeof whole !== 'object' || part.first < whole.first || part.last > whole.last) return false;
  return part.line.nameAt(part.last) === whole.line.nameAt(part.last);
}

/** The same moment on the clock on the wall, which may be set back, and on one that never is. */
export interface Moment {
  readonly now: Date;
  readonly monotonicMs: number;
}

/** Tells what is certainly missing from what is only not there yet, and remembers what has been done about it. */
export class TroubleBook {
  #known: ReadonlyMap<string, KnownTrouble> = new Map();
  /** By key, since when each of what seems to be missing has been seen, on the clock that is never set. */
  #seenMs: ReadonlyMap<string, number> = new Map();

  /** As {@link troublesOf} orders them. */
  get known(): readonly KnownTrouble[] {
    return [...this.#known.values()];
  }

  /** What seems to be missing for long enough, and is not known. */
  unknown(troubles: readonly Trouble[], at: Moment): readonly Trouble[] {
    this.#seenMs = new Map(troubles.map(({ key }) => [key, this.#seenMs.get(key) ?? at.monotonicMs]));
    return troubles.filter((trouble) => this.#knownAs(trouble) === undefined && this.#msOver(trouble, at) >= 0);
  }

  /** Of these, what is not on its way, and so is to be looked at again before it is believed. `here`: names of files that are being archived. */
  suspects(unknown: readonly Trouble[], here: readonly string[], at: Moment): readonly Trouble[] {
    return unknown.filter((trouble) => this.#msOver(trouble, at) >= waitingMsMax || !isOnItsWay(trouble, here));
  }

  /** Believes those that are known or `certain`, and forgets what is not missing any more. */
  update(troubles: readonly Trouble[], certain: ReadonlySet<string>, now: Date): BookChanges {
    const before = this.#known;
    const entries = troubles.map((trouble) => ({ trouble, known: this.#knownAs(trouble) }));
    const believed = entries.filter(({ trouble, known }) => known !== undefined || certain.has(trouble.key));
    const kept = new Set(believed.map(({ known }) => known));
    this.#known = new Map(
      believed.map(({ trouble, known }) => [
        trouble.key,
        { trouble, noticed: known?.noticed ?? now, sought: known?.trouble.key === trouble.key ? known.sought : undefined },
      ]),
    );
    return {
      noticed: believed.filter(({ known }) => known === undefined).map(({ trouble }) => trouble),
      harmless: believed.filter(({ trouble, known }) => known?.trouble.isOpen === true && !trouble.isOpen).map(({ trouble }) => trouble),
      gone: [...before.values()].filter((known) => !kept.has(known)).map(({ trouble }) => trouble),
    };
  }

  /** How much older it is than it has to be, by its date or by how long we have seen it. */
  #msOver({ key, since, kind }: Trouble, { now, monotonicMs }: Moment): number {
    const seenMs = monotonicMs - (this.#seenMs.get(key) ?? monotonicMs);
    return Math.max(now.getTime() - since.getTime(), seenMs) - ageMsMin[kind];
  }

  /** As itself, or as a part of a hole, which was larger. */
  #knownAs(trouble: Trouble): KnownTrouble | undefined {
    return this.#known.get(trouble.key) ?? this.known.find((known) => isPartOf(trouble, known.trouble));
  }

  sought(key: string, sought: Sought): void {
    const known = this.#known.get(key);
    if (known !== undefined) this.#known = new Map(this.#known).set(key, { ...known, sought });
  }
}
