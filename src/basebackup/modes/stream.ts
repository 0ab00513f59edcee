import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { chunkFilename } from '../../catalog/keys.ts';
import { type BackupLabel, parseBackupLabel } from '../../postgres/backup-label.ts';
import { parseControlFile } from '../../postgres/control-file.ts';
import { lastWalNameBefore } from '../../postgres/wal-name.ts';
import { checkTablespaceName } from '../cluster.ts';
import { makeMainObject } from '../finish-archive.ts';
import type { RunningBackup } from '../job.ts';
import type { MainObject } from '../main-object.ts';
import { ManifestWriter } from '../manifest.ts';
import { ProgressCount } from '../progress.ts';
import { findReplicationSource } from '../replication-source.ts';
import { sealChunk } from '../seal-chunk.job.ts';
import { sealOptionsOf } from '../seal-options.ts';
import type { BackupEnd } from '../session.ts';
import { storeSealedChunk } from '../stored-chunk.ts';
import { askForNames } from '../stream/cluster-names.ts';
import type { StreamedBackup } from '../stream/read-stream.job.ts';
import { receiveChunks } from '../stream/receive-chunks.ts';
import type { FoundEntry } from '../walk.ts';

/** `basebackup_mode: stream`: the server sends the cluster over the replication protocol, and what comes is stored as `local-tar` would. */
export async function takeStreamed(backup: RunningBackup): Promise<MainObject> {
  const { job, deps, directory, signal } = backup;
  const progress = new ProgressCount(deps.onProgress);
  const source = await findReplicationSource(backup);
  const names = await askForNames(source.node, deps.log, signal);
  for (const name of names.tablespaces.values()) checkTablespaceName(name);
  const begunAt = deps.clock.now();
  const serverManifest = join(directory, 'backup_manifest');
  await using manifest = await ManifestWriter.create(join(directory, 'manifest.json'));
  const streamed = await receiveChunks(backup, { source, names, manifest, serverManifest, progress });
  // By our own clock, a little after the end: a recovery target before it could lie within the backup.
  const endTime = deps.clock.now();
  progress.enter('finishing');
  const controlFile = Buffer.from(streamed.controlFile);
  parseControlFile(controlFile);
  await storeServerManifest(backup, serverManifest, streamed, manifest);
  const label = parseBackupLabel(streamed.backupLabel, { startTimeFallback: begunAt });
  const end: BackupEnd = { labelText: streamed.backupLabel, label, endTime, ...endOf(streamed, label, source.cluster) };
  const cluster = { ...source, ...streamed, dataDirectory: names.dataDirectory ?? job.dataDirectory ?? '' };
  return await makeMainObject(
    backup,
    cluster,
    { controlFile, end },
    {
      format: 'pghoard-bb-v2',
      manifest,
      finishManifest: (head, span) => manifest.finish(head, span),
    },
  );
}

/** Of a standby the end is where its control file says, and recovery must find the checkpoint too. */
function endOf(
  { end }: StreamedBackup,
  { checkpointLocation }: BackupLabel,
  { segmentBytes }: { readonly segmentBytes: number },
): Pick<BackupEnd, 'endWalSegment' | 'endLsn'> {
  const endLsn = checkpointLocation < end.lsn ? end.lsn : checkpointLocation + 1n;
  return { endWalSegment: lastWalNameBefore(endLsn, end.timeline, segmentBytes), endLsn };
}

/** As a chunk of its own, since it comes last: with it pg_verifybackup can check what was restored. */
async function storeServerManifest(
  backup: RunningBackup,
  path: string,
  { chunks, owner }: StreamedBackup,
  manifest: ManifestWriter,
): Promise<void> {
  const { job, deps, name, directory, signal } = backup;
  const filename = chunkFilename(name, chunks + 1);
  const target = join(directory, basename(filename));
  const { size } = await stat(path);
  const member: FoundEntry = { ...owner, path: 'pgdata/backup_manifest', source: path, type: 'file', size, mode: 0o600 };
  const input = { members: [member], target, seal: sealOptionsOf(job.seal), pack: { asGiven: true } };
  const sealed = await deps.pool.run(sealChunk, input, { signal, party: job.site });
  await storeSealedChunk(backup, { ...sealed, filename, target, files: [member.path] }, manifest);
}
