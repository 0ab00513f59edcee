import type { endSegmentOfNode } from '../../src/daemon/servers/end-segment-of-node.ts';
import type { ServerProbe } from '../../src/daemon/servers/server-probe.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { OperatorError } from '../../src/lib/errors.ts';
import type { PostgresNode } from '../../src/postgres/node.ts';
import { historyNameOf, walNameOf } from '../../src/postgres/wal-name.ts';
import { storeUnreachable } from '../../src/storage/store-errors.ts';
import type { Hole } from '../../src/wal/gaps/gaps.ts';
import type { WalNodes } from '../../src/wal/gaps/wal-nodes.ts';
import { type MadeUpCluster, type MadeUpServer, segmentBytes } from './made-up-postgres.ts';
import { numberOf, type SimulatedSite } from './simulated-site.ts';

export interface MadeUpServersDeps {
  readonly sites: readonly SimulatedSite[];
  /** Of the daemon that asks. */
  readonly clock: Clock;
  /** As it is in truth. */
  readonly now: () => Date;
  /** A server has handed over a file for a site. */
  readonly onStored: (site: string, name: string) => void;
}

interface Found {
  readonly site: SimulatedSite;
  readonly cluster: MadeUpCluster;
  readonly server: MadeUpServer;
}

/** As long as a connection is waited for. */
const connectMsMax = 10_000;
/** As `wal_keep_size` has it. */
const segmentsKept = 3n;

/** What a daemon asks of made-up servers, which are known by the host of their connection string. */
export class MadeUpServers {
  readonly #deps: MadeUpServersDeps;

  constructor(deps: MadeUpServersDeps) {
    this.#deps = deps;
  }

  /** Who they are. */
  get probe(): ServerProbe {
    return {
      ask: async (node, signal) => {
        const { cluster, server } = await this.#connect(node, signal, Number.POSITIVE_INFINITY);
        return cluster.answerOf(server, this.#deps.now());
      },
      close: async () => {},
    };
  }

  readonly endSegment: typeof endSegmentOfNode = async (node, { name }, signal) => {
    const { cluster, server } = await this.#connect(node, signal);
    if (server.role === 'standby') throw new OperatorError('postgres-error', 'recovery is in progress');
    if (walNameOf(server.lsn, server.timeline, segmentBytes).slice(8) !== name.slice(8)) return false;
    cluster.switchWal(server);
    return true;
  };

  /** What they still have of WAL that is not stored. */
  readonly walNodes: WalNodes = {
    archive: async (node, hole, { signal }) => {
      const found = await this.#connect(node, signal);
      for (let number = hole.first; number <= hole.last; number++) await this.#handOver(found, hole, number);
    },
    archiveHistory: async (node, timeline, { signal }) => {
      const { site, cluster, server } = await this.#connect(node, signal);
      if (server.isForeign) throw otherCluster();
      if (!hasHistory(cluster, server, timeline)) throw new OperatorError('postgres-error', 'it has no such history');
      await this.#store(site, historyNameOf(timeline));
    },
    readHistory: async (node, timeline, { signal }) => {
      const { cluster, server } = await this.#connect(node, signal);
      return !server.isForeign && hasHistory(cluster, server, timeline) ? cluster.histories.get(timeline) : undefined;
    },
  };

  async #handOver({ site, cluster, server }: Found, { line }: Hole, number: bigint): Promise<void> {
    const name = line.nameAt(number);
    if (name === undefined) return;
    if (server.isForeign) throw otherCluster();
    if (number >= numberOf(server.lsn)) throw new OperatorError('wal-position-ahead', `it is not yet at ${name}`, { retryable: true });
    if (cluster.nameAt(number, server.timeline) !== name) throw new OperatorError('wal-diverged', `it has never been at ${name}`);
    if (number + segmentsKept < numberOf(server.lsn)) throw new OperatorError('wal-removed', `it has removed ${name}`);
    await this.#store(site, name);
  }

  async #store(site: SimulatedSite, name: string): Promise<void> {
    if (site.store.weather !== 'fair') throw storeUnreachable(`store ${name}`, 'the made-up store');
    await site.keep(name);
    this.#deps.onStored(site.name, name);
  }

  async #connect({ conninfo }: PostgresNode, signal: AbortSignal, msMax = connectMsMax): Promise<Found> {
    signal.throwIfAborted();
    const found = this.#find(conninfo['host'] ?? '');
    if (found?.server.isHanging === true) await (Number.isFinite(msMax) ? this.#deps.clock.sleep(msMax, signal) : abortOf(signal));
    if (found?.server.isUp !== true || found.server.isHanging)
      throw new OperatorError('postgres-unreachable', 'connection refused', { retryable: true });
    return found;
  }

  #find(host: string): Found | undefined {
    for (const site of this.#deps.sites) {
      const { cluster } = site;
      const server = cluster.servers.find((each) => each.host === host);
      if (server !== undefined) return { site, cluster, server };
    }
    return undefined;
  }
}

function hasHistory(cluster: MadeUpCluster, { timeline: own }: MadeUpServer, timeline: number): boolean {
  return own === timeline || cluster.histories.get(own)?.some((left) => left.timeline === timeline) === true;
}

function otherCluster(): OperatorError {
  return new OperatorError('cluster-mismatch', 'the server is of another cluster');
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
}
