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

/** How much older it is than it has to be. */
function msOver({ since, kind }: Trouble, now: Date): number {
  return now.getTime() - since.getTime() - ageMsMin[kind];
}

/** Of these, what is not on its way, and so is to be looked at again before it is believed. `here`: names of files that are being archived. */
export function suspectsAmong(unknown: readonly Trouble[], here: readonly string[], now: Date): readonly Trouble[] {
  return unknown.filter((trouble) => msOver(trouble, now) >= waitingMsMax || !isOnItsWay(trouble, here));
}

/** Tells what is certainly missing from what is only not there yet, and remembers what has been done about it. */
export class TroubleBook {
  #known: ReadonlyMap<string, KnownTrouble> = new Map();

  /** As {@link troublesOf} orders them. */
  get known(): readonly KnownTrouble[] {
    return [...this.#known.values()];
  }

  /** What seems to be missing for long enough, and is not known. */
  unknown(troubles: readonly Trouble[], now: Date): readonly Trouble[] {
    return troubles.filter((trouble) => !this.#known.has(trouble.key) && msOver(trouble, now) >= 0);
  }

  /** Believes those that are known or `certain`, and forgets what is not missing any more. */
  update(troubles: readonly Trouble[], certain: ReadonlySet<string>, now: Date): BookChanges {
    const before = this.#known;
    const believed = troubles.filter(({ key }) => before.has(key) || certain.has(key));
    const entryOf = (trouble: Trouble) => ({ noticed: now, sought: undefined, ...before.get(trouble.key), trouble });
    this.#known = new Map(believed.map((trouble) => [trouble.key, entryOf(trouble)]));
    const wasOpen = ({ key }: Trouble) => before.get(key)?.trouble.isOpen === true;
    return {
      noticed: believed.filter(({ key }) => !before.has(key)),
      harmless: believed.filter((trouble) => !trouble.isOpen && wasOpen(trouble)),
      gone: [...before.values()].filter(({ trouble }) => !this.#known.has(trouble.key)).map(({ trouble }) => trouble),
    };
  }

  sought(key: string, sought: Sought): void {
    const known = this.#known.get(key);
    if (known !== undefined) this.#known = new Map(this.#known).set(key, { ...known, sought });
  }
}
