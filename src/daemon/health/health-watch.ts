import type { BasebackupListing } from '../../catalog/catalog.ts';
import { type Recoverability, unknownRecoverability } from '../../catalog/recoverability/recoverability.ts';
import type { SiteConfig } from '../../config/load.ts';
import { explain } from '../../lib/errors.ts';
import type { PlanKnowledge } from '../../restore/plan/plan-knowledge.ts';
import type { DaemonParts } from '../daemon-parts.ts';
import type { LeasedReceiver } from '../leased-receiver.ts';
import { retentionRulesOf } from '../retention-rules.ts';
import type { SiteLoop } from '../site-loop.ts';
import type { WalGaps } from '../wal-gaps.ts';
import { type AskedServer, areOnlyStandbys, primaryOf, sampledOf, whyNoPrimary } from './asked-servers.ts';
import { factsOf } from './findings.ts';
import type { BackupsView, ServersView, SiteHealthView, WalView } from './health-view.ts';
import type { NextAction } from './next-action.ts';
import { nextDeletion } from './next-deletion.ts';
import type { ProofWatch } from './proof-watch.ts';
import { RecoverabilityMemo } from './recoverability-memo.ts';
import type { SampleBook } from './sample-book.ts';
import type { SampleMemory } from './sample-memory.ts';
import { type SiteHealth, siteHealth } from './site-health.ts';
import type { SpoolWatch } from './spool-watch.ts';
import type { StoreWatch } from './store-watch.ts';

export interface HealthWatchDeps {
  readonly parts: Pick<DaemonParts, 'alerts' | 'clock' | 'log'>;
  readonly site: SiteConfig;
  readonly loop: Pick<
    SiteLoop,
    | 'listing'
    | 'keptAlone'
    | 'backupFailures'
    | 'runningBackup'
    | 'because'
    | 'dueAt'
    | 'preserved'
    | 'retentionPostponed'
    | 'pendingDeletion'
  >;
  readonly gaps: Pick<WalGaps, 'view' | 'gaps' | 'troubles'> | undefined;
  readonly receiver: () => Pick<LeasedReceiver, 'status'> | undefined;
  readonly servers: { readonly nodes: readonly AskedServer[]; readonly usable: readonly AskedServer[] };
  /** Whether this daemon works on the site. */
  readonly isOwn: () => boolean;
  readonly store: StoreWatch;
  readonly spool: SpoolWatch;
  readonly book: SampleBook;
  readonly proof: ProofWatch;
}

const beatMs = 1_000;

/** Sees how a site is, again and again: what has to be seen when it happens is kept, the rest is asked when somebody wants to know. */
export class HealthWatch {
  readonly #deps: HealthWatchDeps;
  readonly #end = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #lastSample: object | undefined;
  readonly #memo = new RecoverabilityMemo();
  /** Found anew with each listing. */
  #alone: { readonly of: BasebackupListing | undefined; readonly names: ReadonlySet<string> } = { of: undefined, names: new Set() };

  constructor(deps: HealthWatchDeps) {
    this.#deps = deps;
  }

  /** How it is now. */
  get health(): SiteHealth {
    const view = this.#view();
    return siteHealth(view, (facts) => this.#memo.find(facts, view.wal?.gaps));
  }

  /** Which moments can be restored. */
  get recoverability(): { readonly at: Date; readonly found: Recoverability } {
    const view = this.#view();
    const facts = factsOf(view);
    const found = typeof facts === 'string' ? unknownRecoverability(facts) : this.#memo.find(facts, view.wal?.gaps);
    return { at: view.now, found };
  }

  /** The same with all that a restore is planned from; or why nobody knows. */
  get planKnowledge(): PlanKnowledge | string {
    const view = this.#view();
    const facts = factsOf(view);
    if (typeof facts === 'string') return facts;
    return { found: this.#memo.find(facts, view.wal?.gaps), archive: facts.archive, drills: facts.evidence.drills };
  }

  /** For the state file. */
  get memory(): SampleMemory {
    return this.#deps.book.memory;
  }

  start(): void {
    this.#running = Promise.all([this.#repeat(() => this.#lookHere()), this.#repeat(() => this.#deps.proof.look(this.#end.signal))]);
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #repeat(look: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#deps.parts;
    while (!this.#end.signal.aborted) {
      try {
        await look();
      } catch (error) {
        log.error({ site: this.#deps.site.name }, `a look at the health of the site failed: ${explain(error)}`);
      }
      await clock.sleep(beatMs, this.#end.signal).catch(() => {});
    }
  }

  /** A store that does not answer must not hold this up. */
  async #lookHere(): Promise<void> {
    this.#takeSample();
    await this.#deps.spool.look();
  }

  #takeSample(): void {
    const { servers, book } = this.#deps;
    const sample = primaryOf(servers.usable);
    if (sample === undefined || sample === this.#lastSample) return;
    this.#lastSample = sample;
    book.add(sampledOf(sample));
  }

  #view(): SiteHealthView {
    const { parts, site, loop, store, spool } = this.#deps;
    return {
      site: site.name,
      now: parts.clock.now(),
      active: site.active,
      walMode: site.active_backup_mode,
      backups: this.#backups(),
      wal: this.#wal(),
      servers: this.#servers(),
      store: store.view,
      spool: spool.view,
      // What the daemon itself has concerns each of its sites.
      alerts: parts.alerts.active
        .filter((alert) => alert.site === site.name || alert.site === null)
        .map(({ name, because }) => ({ name, because })),
      because: loop.because,
      deletion: this.#deletion(),
      knowledge: { ...this.#deps.proof.knowledge, alone: this.#keptAlone() },
    };
  }

  #keptAlone(): ReadonlySet<string> {
    const { loop } = this.#deps;
    const { listing } = loop;
    if (this.#alone.of !== listing) this.#alone = { of: listing, names: loop.keptAlone };
    return this.#alone.names;
  }

  #deletion(): NextAction | undefined {
    const { parts, site, loop, isOwn } = this.#deps;
    const { listing, preserved, dueAt, retentionPostponed: postponed, pendingDeletion } = loop;
    if (listing === undefined || !isOwn()) return undefined;
    const rules = retentionRulesOf(site);
    const view = { entries: listing.entries, preserved, rules, dueAt, postponed, pending: pendingDeletion?.because };
    return nextDeletion(view, parts.clock.now());
  }

  #backups(): BackupsView {
    const { listing, backupFailures: failures, runningBackup: running, dueAt } = this.#deps.loop;
    return { listing, failures, running, dueAt };
  }

  #wal(): WalView | undefined {
    const { gaps, receiver } = this.#deps;
    if (gaps === undefined) return undefined;
    const status = receiver()?.status;
    return { archive: gaps.view, gaps: gaps.gaps, troubles: gaps.troubles, beginning: status?.stored, receiver: status };
  }

  #servers(): ServersView {
    const { servers, book } = this.#deps;
    const { nodes, usable } = servers;
    const { samples, clockSetBack, sampledMsAgo } = book;
    const obstacle = primaryOf(usable) === undefined ? whyNoPrimary(nodes, usable) : undefined;
    return { samples, clockSetBack, sampledMsAgo, obstacle, onlyStandbys: areOnlyStandbys(nodes, usable) };
  }
}
