import type { LeaseNote } from '../catalog/lease-note.ts';
import type { LeaseStanding, SiteLease } from '../catalog/site-lease.ts';
import type { Clock } from '../lib/clock.ts';
import { explain, isOperatorError, messageOf, OperatorError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { TimeLimit } from '../lib/time-limit.ts';
import type { Admission } from './admission.ts';
import type { ClusterWatch } from './cluster-watch.ts';

export interface OwnershipDeps {
  readonly site: string;
  /** Undefined: this daemon is the only one (`lease_seconds: null`). */
  readonly lease: Pick<SiteLease, 'because' | 'holder' | 'release' | 'standing' | 'tick'> | undefined;
  readonly ttlMs: number;
  readonly admission: Pick<Admission, 'check' | 'obstacle'>;
  readonly cluster: Pick<ClusterWatch, 'readDataDirectory'>;
  /** Told whenever it may have become another's, or ours. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** `unknown`: nobody has looked yet. `barred`: what this daemon would store does not belong there, so it does not ask for the lease. */
export type Standing = LeaseStanding | 'unknown' | 'barred';

export interface OwnershipView {
  readonly held: boolean;
  readonly because: string;
  readonly holder: Pick<LeaseNote, 'host' | 'pid' | 'version' | 'since'> | null;
}

const renewalsPerTtl = 3;
const looksPerTtl = 4;
const retriesPerTtl = 6;
const releaseMsMax = 5_000;
const stopMsMax = 10_000;
const firstLookMsMax = 10_000;
const confirmEveryMs = 1_000;

/** Whether this daemon is the one that takes a site's base backups, prunes it and receives its WAL. Archiving and restoring ask nobody. */
export class Ownership {
  readonly #deps: OwnershipDeps;
  readonly #end = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #failure: string | undefined;
  #hasLooked = false;
  #told: string | undefined;
  /** Why this daemon worked on the site when that was told last; undefined once another one has. */
  #heldBecause: string | undefined;
  /** The last time that it was known, this daemon worked on the site. */
  #wasHeld = false;
  #lostTo: string | undefined;
  /** Aborted when another daemon is seen to have the lease. */
  #tenure = new AbortController();

  constructor(deps: OwnershipDeps) {
    this.#deps = deps;
  }

  get standing(): Standing {
    const { lease, admission } = this.#deps;
    if (!this.#hasLooked || this.#end.signal.aborted) return 'unknown';
    if (admission.obstacle !== undefined) return 'barred';
    return lease?.standing ?? 'held';
  }

  /** To be asked anew before each thing that must not be done twice. */
  get isHeld(): boolean {
    return this.standing === 'held';
  }

  /** Aborted once another daemon does what this one did. While the store does not answer nobody can know, and what is harmless goes on. */
  get lost(): AbortSignal {
    return this.#tenure.signal;
  }

  /** Who took the site over while this daemon worked on it; undefined where nobody did, or it came back. */
  get lostTo(): string | undefined {
    return this.#lostTo;
  }

  /** Why this daemon leaves the site to another, or does not know; undefined where it does not. */
  get hindrance(): string | undefined {
    switch (this.standing) {
      case 'held':
      case 'barred':
        return undefined;
      case 'elsewhere':
        return `another daemon works on the site: ${this.#deps.lease?.because}`;
      case 'unknown':
        return 'it is not known yet whether another daemon works on the site';
      case 'unsure':
        return `it cannot be told whether another daemon works on the site: ${this.#failure ?? this.#deps.lease?.because}`;
    }
  }

  get view(): OwnershipView {
    const { lease, admission } = this.#deps;
    const holder = lease?.holder;
    return {
      held: this.isHeld,
      because: this.hindrance ?? admission.obstacle ?? lease?.because ?? 'lease_seconds is null',
      holder: holder ? { host: holder.host, pid: holder.pid, version: holder.version, since: holder.since } : null,
    };
  }

  start(): void {
    this.#running = this.#run();
    this.#waitForFirstLook().catch(() => {});
  }

  /** Lets go, so that another daemon can go on at once. Nothing that needs the lease may be under way any more. */
  async stop(): Promise<void> {
    if (!this.#end.signal.aborted) this.#running = this.#running.then(() => this.#release());
    this.#end.abort();
    // A store that hangs must not hold up the end.
    const limit = new AbortController();
    await Promise.race([this.#running, this.#deps.clock.sleep(stopMsMax, limit.signal).catch(() => {})]);
    limit.abort();
  }

  /** Rejects with `lease-lost` unless nobody else acts at this moment. */
  requireHeld(): void {
    if (!this.isHeld) throw this.#lost();
  }

  /** Resolves once the store has said so. Rejects with `lease-lost` where another daemon has the lease; waits while the store does not answer. */
  async confirm(signal: AbortSignal, onWaiting: () => void = () => {}): Promise<void> {
    const { lease, clock } = this.#deps;
    for (;;) {
      signal.throwIfAborted();
      await lease?.tick(signal).catch(ignoreUnanswered);
      if (this.isHeld) return;
      if (this.standing !== 'unsure') throw this.#lost();
      onWaiting();
      await clock.sleep(confirmEveryMs, signal);
    }
  }

  /** A store that does not even refuse is one that does not answer. */
  async #waitForFirstLook(): Promise<void> {
    await this.#deps.clock.sleep(firstLookMsMax, this.#end.signal);
    if (this.#hasLooked) return;
    this.#failure = 'the store does not answer';
    this.#hasLooked = true;
    this.#tell();
  }

  async #run(): Promise<void> {
    const { clock, lease, ttlMs } = this.#deps;
    const { signal } = this.#end;
    while (!signal.aborted) {
      await this.#look();
      if (signal.aborted) return;
      this.#hasLooked = true;
      this.#tell();
      const share = this.#failure !== undefined ? retriesPerTtl : lease?.standing === 'elsewhere' ? looksPerTtl : renewalsPerTtl;
      await clock.sleep(ttlMs / share, signal).catch(() => {});
    }
  }

  async #look(): Promise<void> {
    const { admission, cluster, lease } = this.#deps;
    const { signal } = this.#end;
    try {
      await cluster.readDataDirectory();
      await admission.check(signal);
      if (admission.obstacle === undefined) await lease?.tick(signal);
      else await lease?.release(signal);
      this.#failure = undefined;
    } catch (error) {
      this.#failure = messageOf(error);
      if (!isOperatorError(error) && !signal.aborted)
        this.#deps.log.error({ site: this.#deps.site }, `looking for the lease failed: ${explain(error)}`);
    }
  }

  #tell(): void {
    const { site, lease, log, onChange } = this.#deps;
    const { standing } = this;
    this.#noteLoss(standing);
    if (standing === 'elsewhere') this.#tenure.abort(this.#lost());
    else if (this.#tenure.signal.aborted) this.#tenure = new AbortController();
    const text = standing === 'elsewhere' ? this.hindrance : standing;
    if (text === this.#told) return;
    this.#told = text;
    if (standing === 'held' && lease) this.#tellHeld(lease.because);
    else if (standing === 'elsewhere') {
      this.#heldBecause = undefined;
      log.info({ site }, `${this.hindrance}; this one waits, and goes on archiving and restoring`);
    } else if (standing === 'unsure') log.warn({ site }, this.hindrance ?? '');
    onChange();
  }

  /** A store that could not be asked for a while leaves it to whom it was. */
  #tellHeld(because: string): void {
    const isAsBefore = because === this.#heldBecause;
    this.#heldBecause = because;
    const why = isAsBefore ? ' as before: the store can be asked again' : `: ${because}`;
    this.#deps.log.info({ site: this.#deps.site }, `this daemon works on the site${why}`);
  }

  /** Who cannot ask may still have it; who is barred has let go of it. */
  #noteLoss(standing: Standing): void {
    if (standing === 'elsewhere' && this.#wasHeld) this.#lostTo = this.hindrance;
    if (standing === 'held') this.#lostTo = undefined;
    if (standing !== 'unsure') this.#wasHeld = standing === 'held';
  }

  async #release(): Promise<void> {
    const { site, lease, clock, log } = this.#deps;
    using limit = new TimeLimit(releaseMsMax, clock);
    await lease
      ?.release(limit.signal)
      .catch((error: unknown) => log.warn({ site }, `another daemon has to wait for the lease to run out: ${messageOf(error)}`));
  }

  #lost(): OperatorError {
    return new OperatorError(
      'lease-lost',
      `this daemon does not work on site ${this.#deps.site} any more: ${this.hindrance ?? 'it is not allowed to'}`,
      {
        retryable: true,
        hint: 'It goes on when the lease is its own again; pghoard.sites in /status tells who has it.',
      },
    );
  }
}

function ignoreUnanswered(error: unknown): void {
  if (!isOperatorError(error)) throw error;
}
