import { join } from 'node:path';
import { BroadcastChannel } from 'node:worker_threads';
import { type ClusterSource, readControl } from './cluster-source.ts';
import { mainObjectMetadata } from './facts.ts';
import type { RunningBackup } from './job.ts';
import type { MainObject } from './main-object.ts';
import { manifestOfSingleObject } from './manifest.ts';
import type { ProgressCount } from './progress.ts';
import { sealOptionsOf } from './seal-options.ts';
import { filesRead, type SingleEnding, sealSingle } from './seal-single.job.ts';
import type { BackupEnd, BackupSession } from './session.ts';
import { ShortfallNotes } from './shortfall-notes.ts';

/** Format `pghoard-bb-v1`: one worker makes the whole archive; the backup is ended when it has read the last file. */
export async function archiveAsSingleObject(
  backup: RunningBackup,
  source: ClusterSource,
  session: BackupSession,
  progress: ProgressCount,
): Promise<MainObject> {
  const { job, deps, name, directory } = backup;
  const stop = new AbortController();
  const signal = AbortSignal.any([backup.signal, session.lost, stop.signal]);
  const channel = `pghoard-basebackup-${name}-${deps.random.hex(8)}`;
  const end = Promise.withResolvers<BackupEnd>();
  end.promise.catch((error: unknown) => stop.abort(error));
  const path = join(directory, `${name}.tar`);
  const { dataDirectory, major, tablespaces, directories, owner } = source;
  const head = { pgdata: dataDirectory, pghoardVersion: job.origin.pghoardVersion, tablespaces };
  const sealed = await deps.pool.run(
    sealSingle,
    {
      dataDirectory,
      major,
      tablespaces,
      directories,
      owner,
      manifest: manifestOfSingleObject(head),
      channel,
      target: path,
      seal: sealOptionsOf(job.seal),
      pages: source.pages,
    },
    {
      signal,
      party: job.site,
      onReport: (message) => {
        if (message === filesRead) end.resolve(endAndTell(backup, source, session, channel));
        else progress.add(message);
      },
    },
  );
  const { label, endTime, endWalSegment, endLsn } = await end.promise;
  const notes = new ShortfallNotes(deps.log);
  notes.take(sealed);
  notes.summarize();
  for (const page of sealed.damaged) deps.onDamagedPage?.(page);
  const metadata = mainObjectMetadata(job, sealed, {
    startTime: label.startTime,
    startWalSegment: label.startWalSegment,
    endTime,
    endWalSegment,
    endLsn,
    backupFrom: label.backupFrom,
    pgVersion: source.serverVersion,
    format: 'pghoard-bb-v1',
    tablespaces,
  });
  return { key: deps.catalog.keys.basebackup(name), path, storedBytes: sealed.sealedBytes, metadata, cluster: source.cluster };
}

async function endAndTell(backup: RunningBackup, source: ClusterSource, session: BackupSession, channel: string): Promise<BackupEnd> {
  const { bytes: controlFile, control } = await readControl(source.dataDirectory, backup.deps.clock, backup.signal);
  const end = await session.end(control, backup.signal);
  const ending: SingleEnding = { backupLabel: end.labelText, controlFile };
  const sender = new BroadcastChannel(channel);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
  sender.postMessage(ending);
  sender.close();
  return end;
}
