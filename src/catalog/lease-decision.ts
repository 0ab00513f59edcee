import type { LeaseNote } from './lease-note.ts';

/*
 * The lease of a site is a row of objects, numbered by generation. The newest one counts. Its owner keeps changing it; nobody else does. A daemon that has
 * seen it unchanged for its time to live (TTL) by its own clock makes the next generation, which a store lets only one of several do (create-only). Clocks
 * of two hosts are never compared.
 *
 * The owner acts for three quarters of the TTL from the moment before it began its last change, provided that afterwards no newer generation was there. So
 * whoever makes the next generation later than that change was seen finds either that nobody acts, or that there has been another change meanwhile, and
 * then waits for a whole TTL before it acts itself.
 */

/** The newest lease in the store. */
export interface FoundLease {
  readonly generation: number;
  readonly text: string;
  readonly note: LeaseNote | undefined;
}

/** Since when it has been seen as it is, in milliseconds of a monotonic clock. */
export interface WatchedLease {
  readonly generation: number;
  readonly text: string;
  readonly sinceMs: number;
}

export interface Contender {
  readonly owner: string;
  /** Undefined: nothing proves that an owner from here is dead. */
  readonly place: string | undefined;
  readonly ttlMs: number;
}

export type LeaseStep =
  | {
      readonly do: 'take';
      readonly generation: number;
      /** How long somebody else may act still: for nothing but another change of the lease that was found. */
      readonly riskIfChangedMs: number;
      /** The same, whatever is found. */
      readonly riskMs: number;
      readonly because: string;
    }
  | { readonly do: 'wait'; readonly because: string };

/** The part of the TTL in which an owner acts: what it has begun by then has the rest to arrive. */
const actingShare = 3 / 4;

/** Until when an owner may act that has begun its last confirmed change at that moment. */
export function actsUntilMs(confirmedAtMs: number, ttlMs: number): number {
  return confirmedAtMs + ttlMs * actingShare;
}

/** `nowMs`: after the lease was read. */
export function watchLease(before: WatchedLease | undefined, found: FoundLease, nowMs: number): WatchedLease {
  const isSame = before !== undefined && before.generation === found.generation && before.text === found.text;
  return isSame ? before : { generation: found.generation, text: found.text, sinceMs: nowMs };
}

/** What a daemon does that is not the owner. `watched` is of `found`; `nowMs`: before it was read. */
export function nextLeaseStep(found: FoundLease | undefined, watched: WatchedLease | undefined, me: Contender, nowMs: number): LeaseStep {
  if (found === undefined) return { do: 'take', generation: 1, riskIfChangedMs: 0, riskMs: 0, because: 'nobody had it before' };
  const { generation, note } = found;
  const ttlMs = note?.ttlMs ?? me.ttlMs;
  const take = { do: 'take', generation: generation + 1, riskMs: note?.riskMs ?? 0 } as const;
  if (note?.isReleased) return { ...take, riskIfChangedMs: 0, because: `${ownerInWords(note)} has let go of it` };
  if (note && isDead(note, me)) return { ...take, riskIfChangedMs: 0, because: 'the process before this one had it' };
  const unchangedMs = watched === undefined ? 0 : nowMs - watched.sinceMs;
  const who = note === undefined ? 'somebody whose lease cannot be read' : ownerInWords(note);
  if (unchangedMs < ttlMs) return { do: 'wait', because: `${who} does it` };
  return { ...take, riskIfChangedMs: ttlMs, because: `${who} has not been heard of for ${Math.round(unchangedMs / 1000)} s` };
}

export function ownerInWords({ host, pid, version }: LeaseNote): string {
  return `pghoard ${version} on ${host} (process ${pid})`;
}

function isDead({ owner, place }: LeaseNote, me: Contender): boolean {
  return owner === me.owner || (place !== undefined && place === me.place);
}
