import { type Applicant, type IdentityKeeper, otherCluster } from '../catalog/identity-keeper.ts';
import type { SiteIdentity } from '../catalog/site-identity.ts';
import type { Clock } from '../lib/clock.ts';
import { explain, isOperatorError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { TimeLimit } from '../lib/time-limit.ts';
import { differenceOf } from '../postgres/seen-cluster.ts';
import { majorOf } from '../postgres/versions.ts';
import { untilAborted } from '../wal/until-aborted.ts';
import type { ClusterFacts } from '../wal/wal-source.ts';
import type { AlertName } from './alerts/alert-catalogue.ts';
import type { Alerts } from './alerts/alerts.ts';
import type { ClusterWatch } from './cluster-watch.ts';

export interface AdmissionDeps {
  readonly site: string;
  readonly keeper: Pick<IdentityKeeper, 'admit' | 'identity' | 'noteMajor'>;
  readonly cluster: Pick<ClusterWatch, 'facts' | 'readDataDirectory'>;
  readonly alerts: Pick<Alerts, 'raise' | 'clear'>;
  readonly clock: Clock;
  readonly log: Log;
}

const alertByCode: Readonly<Record<string, AlertName>> = {
  'cluster-mismatch': 'cluster_mismatch',
  'identity-unreadable': 'cluster_mismatch',
  'store-denied': 'store_denied',
  'store-empty': 'store_empty',
  'store-missing': 'store_missing',
};
/** What these say is of the cluster, not of the store. */
const verdicts = ['cluster-mismatch', 'identity-unreadable'];
/** PostgreSQL pauses for a minute after a few refusals of archive_command. */
const quietMsMin = 150_000;
/** Each look is a request to the store. */
const checkMsMin = 60_000;
/** WAL that is to be received waits for the store no longer. */
const answerMsMax = 10_000;

/** Keeps what does not belong to a site out of its store, and tells the operator. */
export class Admission {
  readonly #deps: AdmissionDeps;
  #obstacle: string | undefined;
  /** What was told last; null before anything was. */
  #told: string | undefined | null = null;
  #refusedAtMs = Number.NEGATIVE_INFINITY;
  /** What was found well last, and when. */
  #checked: string | undefined;
  #checkedAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
  }

  /** The cluster of the site, once it is known. */
  get identity(): SiteIdentity | undefined {
    return this.#deps.keeper.identity;
  }

  /** What WAL is checked against: as the store says, else as the data directory or the server. */
  get facts(): ClusterFacts {
    const { identity } = this;
    const seen = this.#deps.cluster.facts;
    return identity === undefined ? seen : { ...seen, systemIdentifier: identity.systemIdentifier, segmentBytes: identity.segmentBytes };
  }

  /** Why nothing may be stored or deleted now; undefined where nothing keeps from that. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /** Rejects as {@link IdentityKeeper.admit} does, for the applicant and for the cluster that the site's settings lead to. */
  async admit(applicant: Applicant, signal: AbortSignal): Promise<void> {
    // What says nothing of itself is as its data directory is now, not as it was some seconds ago.
    if (applicant.systemIdentifier === undefined) await this.#deps.cluster.readDataDirectory();
    try {
      await this.#deps.keeper.admit([...this.#residents(), applicant], signal);
    } catch (error) {
      await this.#refused(error);
      throw error;
    }
  }

  /**
   * The same for WAL that is to be received: a store that does not answer, is not there or refuses keeps it from being stored but not from coming here.
   * Then the applicant is compared with what is known.
   */
  async receive(applicant: Applicant, signal: AbortSignal): Promise<void> {
    using limit = new TimeLimit(answerMsMax, this.#deps.clock);
    try {
      const within = AbortSignal.any([signal, limit.signal]);
      await untilAborted(this.admit(applicant, within), within);
    } catch (error) {
      signal.throwIfAborted();
      if (!limit.signal.aborted && (!isOperatorError(error) || verdicts.includes(error.code))) throw error;
      const difference = this.identity && differenceOf(this.identity, applicant);
      if (difference !== undefined) throw otherCluster(this.#deps.site, applicant.what, difference);
    }
  }

  /** Rejects with `store-empty` where the store had backups and now has nothing at all. */
  async confirmStore(signal: AbortSignal): Promise<void> {
    await this.#deps.keeper.admit([], signal);
  }

  /** Looks from time to time, so that a refusal is seen before anything asks. Rejects with failures of the store that may pass. */
  async check(signal: AbortSignal): Promise<void> {
    const { keeper, cluster, clock } = this.#deps;
    const residents = this.#residents();
    const facts = JSON.stringify(residents, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    const isFresh = facts === this.#checked && clock.monotonicMs() - this.#checkedAtMs < checkMsMin;
    if (isFresh && this.#obstacle === undefined && this.#told === undefined) return;
    try {
      await keeper.admit(residents, signal);
      const { pgVersion } = cluster.facts;
      if (pgVersion !== undefined) await keeper.noteMajor(majorOf(pgVersion), signal);
    } catch (error) {
      if (!isOperatorError(error) || (error.retryable && alertByCode[error.code] === undefined)) throw error;
      this.#obstacle = `nothing is stored or deleted: ${messageOf(error)}`;
      await this.#refused(error);
      return;
    }
    this.#obstacle = undefined;
    this.#checked = facts;
    this.#checkedAtMs = clock.monotonicMs();
    if (this.#told !== undefined && clock.monotonicMs() - this.#refusedAtMs >= quietMsMin) await this.#allClear();
  }

  #residents(): Applicant[] {
    const { pgVersion, ...seen } = this.#deps.cluster.facts;
    if (seen.systemIdentifier === undefined) return [];
    const major = pgVersion === undefined ? undefined : majorOf(pgVersion);
    return [{ what: 'the cluster that pg_data_directory and "nodes" lead to', ...seen, major }];
  }

  async #refused(error: unknown): Promise<void> {
    const alert = isOperatorError(error) ? alertByCode[error.code] : undefined;
    if (alert === undefined) return;
    const { site, alerts, clock, log } = this.#deps;
    this.#refusedAtMs = clock.monotonicMs();
    const because = explain(error);
    if (because === this.#told) return;
    this.#told = because;
    log.error({ site }, because);
    await alerts.raise(alert, site, messageOf(error));
  }

  /** Also of what an earlier process raised. */
  async #allClear(): Promise<void> {
    this.#told = undefined;
    for (const name of new Set(Object.values(alertByCode))) await this.#deps.alerts.clear(name, this.#deps.site);
  }
}
