import { readdir } from 'node:fs/promises';
import { OperatorError } from '../lib/errors.ts';
import { connectToFirst } from '../postgres/connect-to-first.ts';
import type { ConnInfo } from '../postgres/conninfo.ts';
import { readControlFile } from '../postgres/control-file.ts';
import { identifySystem, readTimelineHistory } from '../postgres/replication.ts';
import { TimelineLine } from '../postgres/timeline-line.ts';
import { finishedUpTo } from './sync-plan.ts';
import { findWalDirectory } from './wal-directory.ts';
import type { ClusterFacts } from './wal-source.ts';

/** The server whose WAL is synchronised, and its files on this host. */
export interface SyncCluster {
  readonly line: TimelineLine;
  readonly walDirectory: string;
  readonly names: readonly string[];
  /** See `SyncView`. */
  readonly unfinishedFrom: bigint;
  readonly facts: ClusterFacts;
}

/** Asks the first node that answers where its WAL is, and looks into the data directory. Rejects with `data-directory-mismatch` where they are two clusters. */
export async function lookAtCluster(nodes: readonly ConnInfo[], dataDirectory: string, signal: AbortSignal): Promise<SyncCluster> {
  const control = await readControlFile(dataDirectory);
  const { segmentBytes } = control;
  const { systemIdentifier, position, ...place } = await askServer(nodes, signal);
  if (control.systemIdentifier !== systemIdentifier) {
    throw new OperatorError(
      'data-directory-mismatch',
      `${dataDirectory} belongs to the cluster ${control.systemIdentifier}, but the server of "nodes" to ${systemIdentifier}`,
      { hint: 'Set "nodes" and pg_data_directory of the site to the same cluster.' },
    );
  }
  const walDirectory = await findWalDirectory(dataDirectory);
  if (walDirectory === undefined) throw new OperatorError('wal-file-missing', `there is no WAL directory in ${dataDirectory}`);
  return {
    line: new TimelineLine({ ...place, position, segmentBytes }),
    walDirectory,
    // Listed after the server was asked: what had been finished by then is there, or recycled and thus archived.
    names: await readdir(walDirectory),
    unfinishedFrom: finishedUpTo(control, position) / BigInt(segmentBytes),
    facts: { systemIdentifier, segmentBytes },
  };
}

async function askServer(nodes: readonly ConnInfo[], signal: AbortSignal) {
  await using connection = await connectToFirst(nodes, { replication: true, signal });
  const identity = await identifySystem(connection);
  return { ...identity, history: await readTimelineHistory(connection, identity.timeline) };
}
