import type { Clock } from '../../lib/clock.ts';
import { explain } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Random } from '../../lib/random.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import type { SeenCluster } from '../../postgres/seen-cluster.ts';
import type { Alerts } from '../alerts/alerts.ts';
import { NodeWatch } from './node-watch.ts';
import type { ServerProbe } from './server-probe.ts';
import type { NodeView } from './server-sample.ts';
import { serverAlerts, troublesOf, type UsableNode, usableNodes } from './troubles.ts';

export interface ServerWatchDeps {
  readonly site: string;
  readonly nodes: readonly PostgresNode[];
  readonly probe: ServerProbe;
  /** Of which cluster the site is, as far as that is known. */
  readonly expected: () => SeenCluster;
  readonly alerts: Pick<Alerts, 'raise' | 'clear'>;
  /** Told when a server has come, gone, or become something else. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** Asks every server of a site every few seconds who it is and how far it has come, each over one connection of its own. Never rejects. */
export class ServerWatch {
  readonly #deps: ServerWatchDeps;
  readonly #watches: readonly NodeWatch[];
  readonly #raised = new Map<string, string>();
  #telling: Promise<void> = Promise.resolve();
  #isFirstJudgement = true;
  #seen = '';

  constructor(deps: ServerWatchDeps) {
    this.#deps = deps;
    const { site, probe, clock, random, metrics, log } = deps;
    const onAsked = () => this.#asked();
    this.#watches = deps.nodes.map((node, index) => new NodeWatch({ site, index, node, probe, onAsked, clock, random, metrics, log }));
  }

  /** All servers of the site, in the order of its configuration. */
  get nodes(): readonly NodeView[] {
    return this.#watches.map(({ view }) => view);
  }

  /** Those that answer and are of the cluster of the site. */
  get usable(): readonly UsableNode[] {
    return usableNodes(this.nodes, this.#expected);
  }

  /** Of the primary, else of another server of the cluster. */
  get pgVersion(): number | undefined {
    const { usable } = this;
    return (usable.find(({ sample }) => sample.role === 'primary') ?? usable[0])?.sample.pgVersion;
  }

  start(): void {
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
    const views = this.nodes;
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
    if (nodes.some(({ sample, failure }) => sample === undefined && failure === undefined)) return;
    const troubles = troublesOf(nodes, this.#expected, clock.monotonicMs());
    for (const name of serverAlerts) {
      const because = troubles.filter((trouble) => trouble.name === name).map((trouble) => trouble.because);
      await this.#setAlert(name, because.join('; '), alerts, site);
    }
    this.#isFirstJudgement = false;
  }

  async #setAlert(name: (typeof serverAlerts)[number], because: string, alerts: ServerWatchDeps['alerts'], site: string): Promise<void> {
    const raised = this.#raised.get(name) ?? '';
    if (because === raised && !this.#isFirstJudgement) return;
    await (because === '' ? alerts.clear(name, site) : alerts.raise(name, site, because));
    this.#raised.set(name, because);
  }
}
