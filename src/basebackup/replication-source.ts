import type { Applicant } from '../catalog/identity-keeper.ts';
import { connectToFirst } from '../postgres/connect-to-first.ts';
import type { ConnInfo } from '../postgres/conninfo.ts';
import { readServerFacts } from '../postgres/replication.ts';
import { majorOf } from '../postgres/versions.ts';
import type { RunningBackup } from './job.ts';

/** A server that lets us in for replication, seen once. */
export interface ReplicationSource {
  readonly node: ConnInfo;
  /** For messages. */
  readonly target: string;
  readonly cluster: Applicant & { readonly systemIdentifier: bigint; readonly segmentBytes: number };
  readonly serverVersion: number;
}

/** The first node that answers over the replication protocol. Rejects where the store is for another cluster than that. */
export async function findReplicationSource({ job, deps, signal }: RunningBackup): Promise<ReplicationSource> {
  let node: ConnInfo = {};
  const take = async (_connection: unknown, taken: ConnInfo) => void (node = taken);
  await using connection = await connectToFirst(job.nodes, { replication: true, signal }, take);
  const { serverVersion, target } = connection;
  const { systemIdentifier, segmentBytes } = await readServerFacts(connection);
  const cluster = { what: `the cluster at ${target}`, systemIdentifier, segmentBytes, major: majorOf(serverVersion) };
  await deps.admit(cluster, signal);
  return { node, target, cluster, serverVersion };
}
