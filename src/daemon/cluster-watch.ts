import type { SiteConfig } from '../config/load.ts';
import { explain, isOperatorError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { connect } from '../postgres/client.ts';
import { type ConnInfo, resolveConninfo } from '../postgres/conninfo.ts';
import { readControlFile } from '../postgres/control-file.ts';
import type { ClusterFacts } from '../wal/wal-source.ts';
import type { Alerts } from './alerts/alerts.ts';

export interface ClusterWatchDeps {
  readonly site: SiteConfig;
  readonly alerts: Alerts;
  readonly log: Log;
}

/** Learns what WAL is checked against: identity and segment size from `pg_control`, the server's version by asking it. */
export class ClusterWatch {
  readonly #deps: ClusterWatchDeps;
  #identity: Pick<ClusterFacts, 'systemIdentifier' | 'segmentBytes'> = {};
  #pgVersion: number | undefined;
  #obstacle: string | undefined;

  constructor(deps: ClusterWatchDeps) {
    this.#deps = deps;
  }

  /** What is known by now. */
  get facts(): ClusterFacts {
    return { ...this.#identity, ...(this.#pgVersion === undefined ? {} : { pgVersion: this.#pgVersion }) };
  }

  /** Why the data directory cannot be read; undefined while it can. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /** Takes what a receiver was told by the server; the data directory, where it can be read, knows better. */
  learn({ systemIdentifier, segmentBytes, pgVersion }: ClusterFacts): void {
    this.#pgVersion = pgVersion ?? this.#pgVersion;
    if (this.#identity.systemIdentifier !== undefined || systemIdentifier === undefined || segmentBytes === undefined) return;
    this.#identity = { systemIdentifier, segmentBytes };
  }

  /** Looks again; asks the server only while its version is unknown. Never rejects: a site that cannot be looked at still serves restores. */
  async refresh(signal: AbortSignal): Promise<void> {
    await this.readDataDirectory();
    if (this.#deps.site.active && this.#pgVersion === undefined) await this.#askServer(signal);
  }

  /** Looks at `pg_control` only. */
  async readDataDirectory(): Promise<void> {
    const directory = this.#deps.site.pg_data_directory;
    if (directory === null) {
      this.#obstacle = 'pg_data_directory is not set';
      return;
    }
    try {
      const { systemIdentifier, segmentBytes } = await readControlFile(directory);
      if (this.#identity.systemIdentifier !== systemIdentifier) this.#pgVersion = undefined;
      this.#identity = { systemIdentifier, segmentBytes };
      this.#obstacle = undefined;
    } catch (error) {
      if (!isOperatorError(error)) throw error;
      this.#obstacle = `the data directory cannot be read: ${messageOf(error)}`;
    }
  }

  async #askServer(signal: AbortSignal): Promise<void> {
    const { site, alerts, log } = this.#deps;
    try {
      this.#pgVersion = await versionOfFirst(
        site.nodes.map((node) => node.conninfo),
        signal,
      );
    } catch (error) {
      if (signal.aborted) return;
      const alert = isOperatorError(error, 'postgres-authentication') ? 'authentication_error' : 'configuration_error';
      await alerts.raise(alert, site.name, `cannot ask the server of site ${site.name} for its version: ${explain(error)}`);
      return;
    }
    if (this.#pgVersion === undefined) return;
    log.info({ site: site.name, pgVersion: this.#pgVersion }, 'connected to PostgreSQL');
    await alerts.clear('authentication_error', site.name);
    await alerts.clear('configuration_error', site.name);
  }
}

/** Of the first server that answers; undefined where there is none to ask. Rejects with what the last one said. */
async function versionOfFirst(nodes: readonly ConnInfo[], signal: AbortSignal): Promise<number | undefined> {
  const [node, ...others] = nodes;
  if (node === undefined) return undefined;
  try {
    await using connection = await connect(await resolveConninfo(node, process.env), { applicationName: 'pghoard', signal });
    return connection.serverVersion;
  } catch (error) {
    if (others.length === 0 || signal.aborted) throw error;
    return versionOfFirst(others, signal);
  }
}
