import type { JobRunner } from '../../codec/pool.ts';
import { isOperatorError } from '../../lib/errors.ts';
import type { Lsn } from '../../postgres/lsn.ts';
import type { RecoveryTarget } from '../choose.ts';
import type { RestoreSource } from '../plan.ts';
import type { TargetTime } from '../target-time.ts';
import type { FoundPlaces, Sought } from './find-places.ts';
import type { NearCommits } from './near-commits.ts';
import type { Route } from './route.ts';
import { searchCommits, searchPlaces } from './search-wal.job.ts';
import { lastOf, numberAt } from './wal-way.ts';

/** Where recovery along a route ends. */
export interface Reached {
  /** The end of the WAL that is stored, where there is no other. */
  readonly lsn: Lsn;
  /** Number of the last segment that recovery reads. */
  readonly last: bigint;
  /** Undefined: nobody can tell. */
  readonly commits: NearCommits | undefined;
  /** What is not certain of it, in words. */
  readonly doubts: readonly string[];
}

export type Outcome =
  | ({ readonly is: 'reached' } & Reached)
  /** The base backup becomes consistent only behind it. */
  | { readonly is: 'before' }
  /** All WAL of the route lies before it; its last commit. */
  | { readonly is: 'behind'; readonly commits: NearCommits | undefined }
  /** There is no such transaction or restore point on the route, as far as that can be told. */
  | { readonly is: 'absent'; readonly isExhaustive: boolean; readonly otherNames: readonly string[] };

export interface SearchDeps {
  /** In WAL from this segment on nothing was found before. */
  readonly noneFrom?: bigint | undefined;
  readonly pool: JobRunner;
  readonly signal: AbortSignal;
}

/** As a plan that reads all of the WAL: where recovery stops is not known. */
export function reachEnd(route: Route, source: RestoreSource, deps: SearchDeps): Promise<Outcome> {
  return new Search(route, source, deps).toEnd([
    'where the target lies is not known: PostgreSQL looks for it, and does not start where it finds none',
  ]);
}

/** What becomes of a target on a route. */
export async function reach(target: RecoveryTarget, route: Route, source: RestoreSource, deps: SearchDeps): Promise<Outcome> {
  const search = new Search(route, source, deps);
  switch (target.kind) {
    case 'latest':
      return route.isBeforeHole ? search.behind() : search.toEnd([]);
    case 'immediate':
      return search.toConsistency();
    case 'lsn':
      return search.toLsn(target.lsn, target.isExclusive ?? false);
    case 'time':
      return search.toTime({ kind: 'time', time: microsecondsOf(target.time), isExclusive: target.isExclusive ?? false });
    case 'xid':
      // PostgreSQL compares the low half of what it is given.
      return search.toPlace({ kind: 'xid', xid: Number(BigInt(target.xid) & 0xffff_ffffn) }, target.isExclusive ?? false);
    case 'name':
      return search.toPlace({ kind: 'name', name: target.name }, true);
  }
}

/** Of a record's header (XLogRecord). */
const recordBytesMin = 24n;

export function microsecondsOf({ epochMs, microseconds }: TargetTime): number {
  return epochMs * 1000 + microseconds;
}

class Search {
  readonly #route: Route;
  readonly #source: RestoreSource;
  readonly #deps: SearchDeps;

  constructor(route: Route, source: RestoreSource, deps: SearchDeps) {
    this.#route = route;
    this.#source = source;
    this.#deps = deps;
  }

  async toEnd(doubts: readonly string[]): Promise<Outcome> {
    const { way } = this.#route;
    return { is: 'reached', lsn: way.end, last: lastOf(way), commits: await this.#commitsAt(way.end, true), doubts };
  }

  async toConsistency(): Promise<Outcome> {
    const { consistentAt: lsn, isExactlyConsistentAt } = this.#route;
    const doubts = isExactlyConsistentAt ? [] : ['where the base backup becomes consistent is not noted with it, only in which segment'];
    return this.#reached(lsn, this.#numberBefore(lsn), false, doubts);
  }

  async toLsn(lsn: Lsn, isExclusive: boolean): Promise<Outcome> {
    const { way } = this.#route;
    if (this.#isBeforeConsistency(lsn)) return { is: 'before' };
    if (lsn >= way.end) return this.behind();
    const commits = await this.#commitsAt(lsn, !isExclusive);
    const end = commits?.recordsEnd;
    if (end !== undefined && lsn > end.lsn - recordBytesMin) return this.behind();
    const doubts = this.#doubtsOf(lsn);
    const isLast = commits !== undefined && commits.after === undefined && commits.before?.lsn !== lsn && !end?.isSwitch;
    if (isLast) doubts.push('no transaction ends behind it: where no record begins behind it, PostgreSQL fails and does not start');
    // Recovery stops behind the first record that begins there or later, and what that is no index tells.
    const isExact = isExclusive || commits?.before?.lsn === lsn;
    const known = commits && { ...commits, isExact: commits.isExact && isExact };
    return { is: 'reached', lsn, last: this.#within(numberAt(way, lsn)), commits: known, doubts };
  }

  async toTime(sought: Sought & { readonly kind: 'time' }): Promise<Outcome> {
    const found = await this.#places(sought);
    if (found === undefined) return this.toEnd([noIndexes]);
    const [place] = found.places;
    if (place === undefined) return found.isExhaustive ? this.behind() : this.toEnd([someUnread]);
    if (this.#isBeforeConsistency(place.lsn)) return { is: 'before' };
    const reached = await this.#reached(place.lsn, place.segment, false, found.isExhaustive ? [] : [someUnread]);
    return reached;
  }

  async toPlace(sought: Exclude<Sought, { kind: 'time' }>, isExclusive: boolean): Promise<Outcome> {
    const found = await this.#places(sought);
    if (found === undefined) return { is: 'absent', isExhaustive: false, otherNames: [] };
    const [place] = found.places;
    if (place === undefined) return { is: 'absent', isExhaustive: found.isExhaustive, otherNames: found.otherNames };
    if (this.#isBeforeConsistency(place.lsn)) return { is: 'before' };
    return this.#reached(place.lsn, place.segment, !isExclusive, []);
  }

  async #reached(lsn: Lsn, last: bigint, isIncluded: boolean, doubts: readonly string[]): Promise<Outcome> {
    const commits = await this.#commitsAt(lsn, isIncluded);
    return { is: 'reached', lsn, last: this.#within(last), commits, doubts: [...doubts, ...this.#doubtsOf(lsn)] };
  }

  async behind(): Promise<Outcome> {
    return { is: 'behind', commits: await this.#commitsAt(this.#route.way.end, true) };
  }

  #isBeforeConsistency(lsn: Lsn): boolean {
    return lsn < this.#route.consistentAt;
  }

  #doubtsOf(lsn: Lsn): string[] {
    const { consistentAt, isExactlyConsistentAt, way } = this.#route;
    const isNear = !isExactlyConsistentAt && numberAt(way, lsn) === numberAt(way, consistentAt);
    return isNear ? ['it lies in the last segment that the base backup needs, maybe before its end: then PostgreSQL refuses it'] : [];
  }

  #numberBefore(lsn: Lsn): bigint {
    return numberAt(this.#route.way, lsn > 0n ? lsn - 1n : lsn);
  }

  #within(number: bigint): bigint {
    const last = lastOf(this.#route.way);
    return number > last ? last : number;
  }

  #places(sought: Sought): Promise<FoundPlaces | undefined> {
    const { way } = this.#route;
    const { pool, signal, noneFrom } = this.#deps;
    return this.#where((source) => pool.run(searchPlaces, { source, way, sought, noneFrom }, { signal }));
  }

  #commitsAt(lsn: Lsn, isIncluded: boolean): Promise<NearCommits | undefined> {
    const { way } = this.#route;
    return this.#where((source) => this.#deps.pool.run(searchCommits, { source, way, lsn, isIncluded }, { signal: this.#deps.signal }));
  }

  /** Where the private key is elsewhere nothing can be read. */
  async #where<T>(look: (source: Parameters<typeof searchPlaces.run>[0]['source']) => Promise<T>): Promise<T | undefined> {
    const { storage, privateKeys, catalog } = this.#source;
    try {
      return await look({ storage, prefix: catalog.keys.prefix, privateKeys });
    } catch (error) {
      if (isOperatorError(error, 'key-missing', 'key-wrong')) return undefined;
      throw error;
    }
  }
}

const noIndexes = 'the indexes of the WAL cannot be read here: where recovery stops is not known, and the WAL is counted to its end';
const someUnread = 'some WAL has no index yet: recovery may stop earlier than at what is told';
