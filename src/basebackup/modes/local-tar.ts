import { stat } from 'node:fs/promises';
import { OperatorError } from '../../lib/errors.ts';
import { majorOf } from '../../postgres/versions.ts';
import { archiveInChunks } from '../chunked-archive.ts';
import { connectToCluster, estimateBytes, findTablespaces } from '../cluster.ts';
import type { ClusterSource } from '../cluster-source.ts';
import type { BasebackupJob, RunningBackup } from '../job.ts';
import type { MainObject } from '../main-object.ts';
import { ProgressCount } from '../progress.ts';
import { BackupSession } from '../session.ts';
import { archiveAsSingleObject } from '../single-archive.ts';
import { findEmptiedDirectories } from '../walk.ts';

/** `basebackup_mode: local-tar`: reads the files beneath the running server itself, between start and stop of a backup over SQL. */
export async function takeLocalTar(backup: RunningBackup): Promise<MainObject> {
  const { job, deps, signal } = backup;
  const progress = new ProgressCount(deps.onProgress);
  const dataDirectory = dataDirectoryOf(job);
  await using connection = await connectToCluster(job.nodes, dataDirectory, signal);
  const bytesTotal = await estimateBytes(connection);
  // Looked at twice: here to refuse before the checkpoint, below because only those that exist from the start on must be copied.
  await findTablespaces(connection, dataDirectory);
  const session = await BackupSession.begin(connection, signal);
  const { uid, gid } = await stat(dataDirectory);
  const source: ClusterSource = {
    dataDirectory,
    serverVersion: connection.serverVersion,
    major: majorOf(connection.serverVersion),
    tablespaces: await findTablespaces(connection, dataDirectory),
    directories: await findEmptiedDirectories(dataDirectory),
    owner: { uid, gid, mtime: Math.floor(deps.clock.now().getTime() / 1000) },
    bytesTotal,
  };
  progress.enter('copying', bytesTotal);
  const archive = job.format === 'pghoard-bb-v1' ? archiveAsSingleObject : archiveInChunks;
  return await archive(backup, source, session, progress);
}

function dataDirectoryOf(job: BasebackupJob): string {
  if (job.dataDirectory !== undefined) return job.dataDirectory;
  throw new OperatorError('data-directory-missing', `site ${job.site} has no pg_data_directory, which local-tar reads`, {
    hint: 'Set pg_data_directory, or use the mode "pipe".',
  });
}
