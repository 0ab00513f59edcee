import { holdsItsWal, needsStoredWal } from '../../catalog/basebackup-entry.ts';
import { isOperatorError, messageOf, type OperatorError } from '../../lib/errors.ts';
import { formatLsn } from '../../postgres/lsn.ts';
import { endOf, type RecoveryTarget } from '../choose.ts';
import { coveredWishes, type SiteBackup } from '../kept-alone.ts';
import type { RestoreSource } from '../plan.ts';
import type { RecoveryWishes } from '../recovery-settings.ts';
import type { PlanKnowledge } from './plan-knowledge.ts';
import type { ReachablePlace } from './plan-refusal.ts';
import { refusalOf, type Tried } from './refuse-target.ts';
import { type Route, routeTo, timelineFor } from './route.ts';
import { type Outcome, type Reached, reach, reachEnd, type SearchDeps } from './target-reached.ts';
import { lastOf } from './wal-way.ts';

/** How a target is reached: from which base backup, and along which WAL. */
export interface FoundRecovery {
  readonly backup: SiteBackup;
  readonly knowledge: PlanKnowledge;
  /** What is really asked of PostgreSQL: the end of a base backup may be all that there is. */
  readonly wishes: RecoveryWishes;
  /** Undefined where the base backup carries all the WAL that it needs. */
  readonly route: Route | undefined;
  readonly reached: Reached | undefined;
  /** Newer base backups, and why it is none of them. */
  readonly skipped: readonly { readonly name: string; readonly because: string }[];
}

export interface FindDeps extends Omit<SearchDeps, 'noneFrom'> {
  /** `since`: of WAL only what begins with this segment, or later. */
  readonly knowledge: (source: RestoreSource, since: string | undefined, signal: AbortSignal) => Promise<PlanKnowledge>;
}

interface Attempt extends Tried {
  readonly found?: FoundRecovery;
}

/** So many base backups are tried, the newest first: further back only the same would come of it. */
const triedMax = 50;

/** Tries base backups from the newest on. `applicable`: newest first. Throws {@link PlanRefusal}. */
export async function findRecovery(
  { applicable, all }: { readonly applicable: readonly SiteBackup[]; readonly all: readonly SiteBackup[] },
  wishes: RecoveryWishes,
  deps: FindDeps,
): Promise<FoundRecovery> {
  const tried: Tried[] = [];
  const trier = new Trier(all, wishes, deps);
  for (const backup of applicable.slice(0, triedMax)) {
    const each = await trier.attempt(backup);
    if (each.found !== undefined) return { ...each.found, skipped: tried.map(({ backup: { name }, because }) => ({ name, because })) };
    tried.push(each);
    // What lies behind all WAL of a base backup lies behind that of older ones, on the same timeline.
    if (each.outcome?.is === 'behind' && wishes.timeline !== 'current') break;
  }
  const unsure = tried.find(({ outcome }) => outcome?.is === 'absent' && !outcome.isExhaustive);
  if (unsure?.route !== undefined) return trier.toTheEnd(unsure.backup, unsure.route);
  throw await trier.refusal(tried);
}

/** The first place behind a target that lies before every base backup. */
export function firstBehind(all: readonly SiteBackup[], wishes: RecoveryWishes, deps: FindDeps): Promise<ReachablePlace | null> {
  return new Trier(all, wishes, deps).firstBehind(wishes.target);
}

class Trier {
  readonly #all: readonly SiteBackup[];
  readonly #wishes: RecoveryWishes;
  readonly #deps: FindDeps;
  readonly #known = new Map<RestoreSource, { readonly since: string | undefined; readonly knowledge: PlanKnowledge }>();
  /** Of this timeline what is sought is not in the WAL from this segment on. */
  #none: { readonly timeline: number; readonly from: bigint } | undefined;

  constructor(all: readonly SiteBackup[], wishes: RecoveryWishes, deps: FindDeps) {
    this.#all = all;
    this.#wishes = wishes;
    this.#deps = deps;
  }

  async attempt(backup: SiteBackup): Promise<Attempt> {
    const { pool, signal } = this.#deps;
    const { source } = backup;
    const knowledge = await this.#knowledge(backup);
    const wishes = await this.#covered(backup);
    if (typeof wishes === 'string') return { backup, route: undefined, because: wishes, outcome: undefined };
    const found = { backup, knowledge, wishes, skipped: [] };
    if (holdsItsWal(backup)) return this.#alone(found);
    // Where its WAL is kept elsewhere nothing is known of it.
    if (!needsStoredWal(backup))
      return { backup, route: undefined, because: '', outcome: undefined, found: { ...found, route: undefined, reached: undefined } };
    const route = routeTo(timelineFor(wishes.timeline, backup, knowledge), backup, knowledge);
    if (typeof route === 'string') return { backup, route: undefined, because: route, outcome: undefined };
    const noneFrom = this.#none?.timeline === route.timeline ? this.#none.from : undefined;
    const outcome = await reach(wishes.target, route, source, { pool, signal, noneFrom });
    const because = whyNot(outcome);
    if (outcome.is === 'absent' && outcome.isExhaustive) this.#none = { timeline: route.timeline, from: route.way.first };
    if (outcome.is !== 'reached') return { backup, route, because, outcome };
    return { backup, route, because, outcome, found: { ...found, wishes: clearOfHole(wishes, route, outcome), route, reached: outcome } };
  }

  async toTheEnd(backup: SiteBackup, route: Route): Promise<FoundRecovery> {
    const outcome = await reachEnd(route, backup.source, this.#deps);
    const reached = outcome.is === 'reached' ? outcome : undefined;
    return { backup, knowledge: await this.#knowledge(backup), wishes: this.#wishes, route, reached, skipped: [] };
  }

  async refusal(tried: readonly Tried[]): Promise<OperatorError> {
    const { target } = this.#wishes;
    return refusalOf(target, tried, await this.firstBehind(target));
  }

  /** The first base backup whose end lies behind the target. */
  async firstBehind(target: RecoveryTarget): Promise<ReachablePlace | null> {
    const behind = this.#all
      .filter((backup) => isBehind(backup, target))
      .toSorted((a, b) => endOf(a).getTime() - endOf(b).getTime())
      .slice(0, triedMax);
    for (const backup of behind) {
      const knowledge = await this.#knowledge(backup);
      const { timeline } = this.#wishes;
      const route = holdsItsWal(backup) ? undefined : routeTo(timelineFor(timeline, backup, knowledge), backup, knowledge);
      if (typeof route === 'string') continue;
      const lsn = backup.endLsn ?? route?.consistentAt;
      return {
        time: endOf(backup).toISOString(),
        lsn: lsn === undefined ? null : formatLsn(lsn),
        timeline: Number.parseInt(backup.startWalSegment.slice(0, 8), 16),
        basebackup: backup.name,
      };
    }
    return null;
  }

  /** Only what is behind a base backup matters to it: older ones need more. */
  async #knowledge({ source, startWalSegment }: SiteBackup): Promise<PlanKnowledge> {
    const known = this.#known.get(source);
    if (known !== undefined && (known.since === undefined || known.since.slice(8) <= startWalSegment.slice(8))) return known.knowledge;
    const since = known === undefined ? startWalSegment : undefined;
    const knowledge = await this.#deps.knowledge(source, since, this.#deps.signal);
    this.#known.set(source, { since, knowledge });
    return knowledge;
  }

  async #covered(backup: SiteBackup): Promise<RecoveryWishes | string> {
    try {
      return await coveredWishes(this.#wishes, { backup, all: this.#all }, () => {}, this.#deps.signal);
    } catch (error) {
      if (isOperatorError(error, 'target-not-covered')) return messageOf(error);
      throw error;
    }
  }

  #alone(found: Omit<FoundRecovery, 'route' | 'reached'>): Attempt {
    const { backup, wishes } = found;
    const isItsEnd = wishes.target.kind === 'latest' || wishes.target.kind === 'immediate';
    const because = `base backup ${backup.name} carries its own WAL, and is restored to the moment at which it ended`;
    if (!isItsEnd) return { backup, route: undefined, because, outcome: undefined };
    return { backup, route: undefined, because: '', outcome: undefined, found: { ...found, route: undefined, reached: undefined } };
  }
}

/** PostgreSQL, which reads ahead, must not come to a hole just behind the target: it would give up. */
function clearOfHole(wishes: RecoveryWishes, { way, isBeforeHole }: Route, { last }: Reached): RecoveryWishes {
  return isBeforeHole && last === lastOf(way) && wishes.prefetch === undefined ? { ...wishes, prefetch: 'off' } : wishes;
}

function isBehind(backup: SiteBackup, target: RecoveryTarget): boolean {
  if (target.kind === 'time') return endOf(backup).getTime() > target.time.epochMs;
  return target.kind === 'lsn' && backup.endLsn !== undefined && backup.endLsn > target.lsn;
}

function whyNot(outcome: Outcome): string {
  switch (outcome.is) {
    case 'reached':
      return '';
    case 'before':
      return 'it becomes consistent only behind the target';
    case 'behind':
      return 'all WAL that is stored without a hole lies before it';
    case 'absent':
      return 'it is not in the WAL behind it';
  }
}
