import { readdir } from 'node:fs/promises';
import { OperatorError } from '../lib/errors.ts';
import { connectToFirst } from '../postgres/connect-to-first.ts';
import type { ConnInfo } from '../postgres/conninfo.ts';
import { readControlFile } from '../postgres/control-file.ts';
import { identifySystem, readTimelineHistory } from '../postgres/replication.ts';
import { finishedUpTo } from './sync-plan.ts';
import { TimelineLine } from './timeline-line.ts';
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
  // In this order: what is in the directory by then is finished up to the position, or even further.
  const { line, position, systemIdentifier } = await askServer(nodes, dataDirectory, signal);
  const control = await readControlFile(dataDirectory);
  if (control.systemIdentifier !== systemIdentifier) {
    throw new OperatorError(
      'data-directory-mismatch',
      `${dataDirectory} belongs to the cluster ${control.systemIdentifier}, but the server of "nodes" to ${systemIdentifier}`,
      { hint: 'Set "nodes" and pg_data_directory of the site to the same cluster.' },
    );
  }
  const walDirectory = await findWalDirectory(dataDirectory);
  if (walDirectory === undefined) throw new OperatorError('wal-file-missing', `there is no WAL directory in ${dataDirectory}`);
  const { segmentBytes } = control;
  return {
    line,
    walDirectory,
    names: await readdir(walDirectory),
    unfinishedFrom: finishedUpTo(control, position) / BigInt(segmentBytes),
    facts: { systemIdentifier, segmentBytes },
  };
}

async function askServer(nodes: readonly ConnInfo[], dataDirectory: string, signal: AbortSignal) {
  await using connection = await connectToFirst(nodes, { replication: true, signal });
  const { timeline, position, systemIdentifier } = await identifySystem(connection);
  const history = await readTimelineHistory(connection, timeline);
  const { segmentBytes } = await readControlFile(dataDirectory);
  return { line: new TimelineLine({ timeline, position, history, segmentBytes }), position, systemIdentifier };
}
