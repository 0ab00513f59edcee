import type { Clock } from '../../lib/clock.ts';
import { explain, type OperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Random } from '../../lib/random.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import type { SeenCluster } from '../../postgres/seen-cluster.ts';
import type { Alerts } from '../alerts/alerts.ts';
import { leaderOf } from './leader.ts';
import { NodeWatch } from './node-watch.ts';
import { PrimaryProgress } from './primary-progress.ts';
import type { ServerProbe } from './server-probe.ts';
import type { NodeView, ServerSample } from './server-sample.ts';
import { alertOfFailure, isTooEarly, serverAlerts, troublesOf, type UsableNode, usableNodes } from './troubles.ts';

export interface ServerWatchDeps {
  readonly site: string;
  readonly nodes: readonly PostgresNode[];
  readonly probe: ServerProbe;
  /** Of which cluster the site is, as far as that is known. */
  readonly expected: () => SeenCluster;
  readonly alerts: Pick<Alerts, 'raise' | 'clear' | 'isRaised'>;
  /** Told when a server has come, gone, or become something else. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
}

const firstAnswersMsMax = 3_000;

/** Asks every server of a site every few seconds who it is and how far it has come, each over one connection of its own. Never rejects. */
export class ServerWatch {
  readonly #deps: ServerWatchDeps;
  readonly #watches: readonly NodeWatch[];
  readonly #raised = new Map<string, string>();
  #telling: Promise<void> = Promise.resolve();
  #leader: number | undefined;
  readonly #progress = new PrimaryProgress();
  #noted: ServerSample | undefined;
  readonly #allAsked = Promise.withResolvers<void>();
  #isFirstJudgement = true;
  #seen = '';

  constructor(deps: ServerWatchDeps) {
    this.#deps = deps;
    const { site, probe, alerts, clock, random, metrics, log } = deps;
    const common = {
      site,
      probe,
      onAsked: () => this.#asked(),
      isToldByAlert: (error: OperatorError) => !error.retryable && !alerts.isRaised(alertOfFailure(error), site),
      clock,
      random,
      metrics,
      log,
    };
    this.#watches = deps.nodes.map((node, index) => new NodeWatch({ ...common, index, node }));
  }

  /** All servers of the site, in the order of its configuration. */
  get nodes(): readonly NodeView[] {
    return this.#watches.map(({ view }) => view);
  }

  /** Those that answer and are of the cluster of the site. */
  get usable(): readonly UsableNode[] {
    return usableNodes(this.nodes, this.#expected);
  }

  /** The primary, which the site follows; undefined while none answers. */
  get leader(): UsableNode | undefined {
    return leaderOf(this.usable, this.#leader);
  }

  /** By how many seconds each standby that answers is behind the primary, by its index. */
  get lagSeconds(): ReadonlyMap<number, number> {
    const nowMs = this.#deps.clock.monotonicMs();
    const standbys = this.usable.filter(({ sample }) => sample.role === 'standby');
    return new Map(standbys.map((node) => [node.index, this.#progress.lagSeconds(node, nowMs)]));
  }

  /** Of the primary, else of another server of the cluster. */
  get pgVersion(): number | undefined {
    return (this.leader ?? this.usable[0])?.sample.pgVersion;
  }

  /** Resolves once each server has been asked, or has had its time to answer. */
  async asked(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const end = new AbortController();
    const patience = clock.sleep(firstAnswersMsMax, AbortSignal.any([signal, end.signal])).catch(() => {});
    await Promise.race([this.#allAsked.promise, patience]);
    end.abort();
  }

  start(): void {
    if (this.#watches.length === 0) this.#allAsked.resolve();
    for (const watch of this.#watches) watch.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch.stop()));
    await this.#telling;
    await this.#deps.probe.close();
  }

  /** Where nothing else tells, the server that is named first is the one that is meant. */
  get #expected(): SeenCluster {
    const known = this.#deps.expected();
    if (known.systemIdentifier !== undefined) return known;
    const first = this.nodes.find(({ sample }) => sample !== undefined)?.sample;
    return { ...known, systemIdentifier: first?.systemIdentifier };
  }

  #asked(): void {
    const { leader } = this;
    this.#leader = leader?.index ?? this.#leader;
    if (leader && leader.sample !== this.#noted) this.#progress.note(leader, this.#deps.clock.monotonicMs());
    this.#noted = leader?.sample;
    const views = this.nodes;
    if (this.#watches.every(({ isAsked }) => isAsked)) this.#allAsked.resolve();
    const seen = JSON.stringify(
      views.map(({ obstacle, sample }) => [obstacle === undefined, sample?.role, sample?.timeline, sample?.pgVersion]),
    );
    if (seen !== this.#seen) this.#deps.onChange();
    this.#seen = seen;
    this.#telling = this.#telling
      .then(() => this.#tell())
      .catch((error: unknown) => this.#deps.log.error({ site: this.#deps.site }, `cannot write an alert file: ${explain(error)}`));
  }

  async #tell(): Promise<void> {
    const { site, alerts, clock } = this.#deps;
    const nodes = this.#watches.map(({ view, failure }) => ({ ...view, failure }));
    // What an earlier process left stands until everything has been looked at.
    if (!this.#watches.every(({ isAsked }) => isAsked)) return;
    const nowMs = clock.monotonicMs();
    const troubles = troublesOf(nodes, this.#expected, nowMs);
    // Nor is it gone because servers that do not answer have not been watched for long.
    const isUndecided = this.#isFirstJudgement && isTooEarly(nodes, nowMs);
    for (const name of serverAlerts) {
      const because = troubles.filter((trouble) => trouble.name === name).map((trouble) => trouble.because);
      if (because.length > 0 || !isUndecided) await this.#setAlert(name, because.join('; '), alerts, site);
    }
    this.#isFirstJudgement = isUndecided;
  }

  async #setAlert(name: (typeof serverAlerts)[number], because: string, alerts: ServerWatchDeps['alerts'], site: string): Promise<void> {
    const raised = this.#raised.get(name) ?? '';
    if (because === raised && !this.#isFirstJudgement) return;
    await (because === '' ? alerts.clear(name, site) : alerts.raise(name, site, because));
    this.#raised.set(name, because);
  }
}
