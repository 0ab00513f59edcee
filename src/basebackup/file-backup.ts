import { stat } from 'node:fs/promises';
import type { Applicant } from '../catalog/identity-keeper.ts';
import { OperatorError } from '../lib/errors.ts';
import { readControlFile } from '../postgres/control-file.ts';
import { pageBytes } from '../postgres/page-checksum.ts';
import { majorOf } from '../postgres/versions.ts';
import { connectToCluster, estimateBytes, findTablespaces } from './cluster.ts';
import type { ClusterSource } from './cluster-source.ts';
import type { BasebackupJob, RunningBackup } from './job.ts';
import type { MainObject } from './main-object.ts';
import { ProgressCount } from './progress.ts';
import { BackupSession } from './session.ts';
import { findEmptiedDirectories } from './walk.ts';

/** Copies the files of the cluster while the server runs, stores what it makes of them, ends the session and makes the main object. */
export type Archive = (
  backup: RunningBackup,
  source: ClusterSource,
  session: BackupSession,
  progress: ProgressCount,
) => Promise<MainObject>;

/** Reads the files beneath the running server itself, between start and stop of a backup over SQL. */
export async function backUpFiles(backup: RunningBackup, archive: Archive): Promise<MainObject> {
  const { job, deps, signal } = backup;
  const progress = new ProgressCount(deps.onProgress);
  const dataDirectory = dataDirectoryOf(job);
  await using connection = await connectToCluster(job.nodes, dataDirectory, signal);
  const { cluster, bearsChecksums } = await clusterAt(dataDirectory);
  await deps.admit(cluster, signal);
  const bytesTotal = await estimateBytes(connection);
  // Looked at twice: here to refuse before the checkpoint, below because only those that exist from the start on must be copied.
  await findTablespaces(connection, dataDirectory);
  const session = await BackupSession.begin(connection, signal);
  const { uid, gid } = await stat(dataDirectory);
  const source: ClusterSource = {
    dataDirectory,
    cluster,
    serverVersion: connection.serverVersion,
    major: majorOf(connection.serverVersion),
    tablespaces: await findTablespaces(connection, dataDirectory),
    directories: await findEmptiedDirectories(dataDirectory),
    owner: { uid, gid, mtime: Math.floor(deps.clock.now().getTime() / 1000) },
    bytesTotal,
    pages: job.verifyPages && bearsChecksums ? { startLsn: session.startLsn } : undefined,
  };
  deps.log.info(
    { server: connection.target, pgVersion: connection.serverVersion, bytesTotal },
    'PostgreSQL is in backup mode, its files are copied',
  );
  progress.enter('copying', bytesTotal);
  return await archive(backup, source, session, progress);
}

async function clusterAt(dataDirectory: string): Promise<{ readonly cluster: Applicant; readonly bearsChecksums: boolean }> {
  const { systemIdentifier, segmentBytes, dataChecksums, blockBytes } = await readControlFile(dataDirectory);
  const cluster = { what: `the cluster in ${dataDirectory}`, systemIdentifier, segmentBytes };
  return { cluster, bearsChecksums: dataChecksums && blockBytes === pageBytes };
}

function dataDirectoryOf(job: BasebackupJob): string {
  if (job.dataDirectory !== undefined) return job.dataDirectory;
  throw new OperatorError('data-directory-missing', `site ${job.site} has no pg_data_directory, which ${job.mode} reads`, {
    hint: 'Set pg_data_directory, or use the mode "stream".',
  });
}
