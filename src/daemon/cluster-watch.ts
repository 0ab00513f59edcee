import { isOperatorError, messageOf } from '../lib/errors.ts';
import { readControlFile } from '../postgres/control-file.ts';
import type { ClusterFacts } from '../wal/wal-source.ts';

export interface ClusterWatchDeps {
  /** `pg_data_directory`. */
  readonly directory: string | null;
  /** What the servers say. */
  readonly serverVersion: () => number | undefined;
}

/** Knows what WAL is checked against: identity and segment size from `pg_control`, or from the server that it is received from, and the server's version. */
export class ClusterWatch {
  readonly #deps: ClusterWatchDeps;
  #identity: Pick<ClusterFacts, 'systemIdentifier' | 'segmentBytes'> = {};
  #learnedVersion: number | undefined;
  #obstacle: string | undefined;

  constructor(deps: ClusterWatchDeps) {
    this.#deps = deps;
  }

  /** What is known by now. */
  get facts(): ClusterFacts {
    const pgVersion = this.#deps.serverVersion() ?? this.#learnedVersion;
    return { ...this.#identity, ...(pgVersion === undefined ? {} : { pgVersion }) };
  }

  /** Of which cluster the data directory is, else what a receiver was told. */
  get identity(): Pick<ClusterFacts, 'systemIdentifier' | 'segmentBytes'> {
    return this.#identity;
  }

  /** Why the data directory cannot be read; undefined while it can. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /** Takes what a receiver was told by the server; the data directory, where it can be read, knows better. */
  learn({ systemIdentifier, segmentBytes, pgVersion }: ClusterFacts): void {
    this.#learnedVersion = pgVersion ?? this.#learnedVersion;
    if (this.#identity.systemIdentifier !== undefined || systemIdentifier === undefined || segmentBytes === undefined) return;
    this.#identity = { systemIdentifier, segmentBytes };
  }

  /** Looks at `pg_control` again. Never rejects: a site that cannot be looked at still serves restores. */
  async readDataDirectory(): Promise<void> {
    const { directory } = this.#deps;
    if (directory === null) {
      this.#obstacle = 'pg_data_directory is not set';
      return;
    }
    try {
      const { systemIdentifier, segmentBytes } = await readControlFile(directory);
      if (this.#identity.systemIdentifier !== systemIdentifier) this.#learnedVersion = undefined;
      this.#identity = { systemIdentifier, segmentBytes };
      this.#obstacle = undefined;
    } catch (error) {
      if (!isOperatorError(error)) throw error;
      this.#obstacle = `the data directory cannot be read: ${messageOf(error)}`;
    }
  }
}
