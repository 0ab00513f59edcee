import { join } from 'node:path';
import { mainObjectSuffix } from '../catalog/keys.ts';
import { type ClusterSource, readControl } from './cluster-source.ts';
import { mainObjectMetadata } from './facts.ts';
import type { RunningBackup } from './job.ts';
import type { MainObject } from './main-object.ts';
import type { ManifestHead, ManifestSpan } from './manifest.ts';
import { sealControl } from './seal-control.job.ts';
import { sealOptionsOf } from './seal-options.ts';
import type { BackupEnd, BackupSession } from './session.ts';

/** What a backup in several objects is at the end, before its main object is made. */
export interface ArchiveParts {
  readonly format: 'pghoard-bb-v2' | 'pghoard-delta-v2';
  readonly manifest: {
    readonly path: string;
    /** Sums over everything but the main object. */
    readonly totals: { readonly inputBytes: number; readonly storedBytes: number };
  };
  readonly finishManifest: (head: ManifestHead, span: ManifestSpan) => Promise<void>;
}

/** Ends the backup in PostgreSQL once everything is stored, and makes the main object: manifest, label and control file. */
export async function finishArchive(
  backup: RunningBackup,
  source: ClusterSource,
  session: BackupSession,
  parts: ArchiveParts,
): Promise<MainObject> {
  const { bytes: controlFile, control } = await readControl(source.dataDirectory, backup.deps.clock, backup.signal);
  const end = await session.end(control, backup.signal);
  return makeMainObject(backup, source, { controlFile, end }, parts);
}

/** What PostgreSQL said in the end, and its control file as it was then. */
export interface Ending {
  readonly controlFile: Uint8Array;
  readonly end: BackupEnd;
}

export type ArchivedCluster = Pick<ClusterSource, 'dataDirectory' | 'cluster' | 'serverVersion' | 'tablespaces' | 'directories' | 'owner'>;

export async function makeMainObject(
  backup: RunningBackup,
  source: ArchivedCluster,
  { controlFile, end }: Ending,
  { format, manifest, finishManifest }: ArchiveParts,
): Promise<MainObject> {
  const { job, deps, name, directory, signal } = backup;
  await finishManifest(
    { pgdata: source.dataDirectory, pghoardVersion: job.origin.pghoardVersion, tablespaces: source.tablespaces },
    { host: job.origin.host, startTime: end.label.startTime, startWalSegment: end.label.startWalSegment, ...end },
  );
  const path = join(directory, name + mainObjectSuffix);
  const input = { backupLabel: end.labelText, controlFile, directories: source.directories, owner: source.owner };
  const sealed = await deps.pool.run(
    sealControl,
    { ...input, manifest: manifest.path, target: path, seal: sealOptionsOf(job.seal) },
    { signal, party: job.site },
  );
  const { inputBytes: plainBytes, storedBytes } = manifest.totals;
  const metadata = mainObjectMetadata(job, sealed, {
    startTime: end.label.startTime,
    startWalSegment: end.label.startWalSegment,
    endTime: end.endTime,
    endWalSegment: end.endWalSegment,
    endLsn: end.endLsn,
    backupFrom: end.label.backupFrom,
    pgVersion: source.serverVersion,
    format,
    totals: { plainBytes, storedBytes },
  });
  return { key: deps.catalog.keys.basebackupMain(name), path, storedBytes: sealed.sealedBytes, metadata, cluster: source.cluster };
}
