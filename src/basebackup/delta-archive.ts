import { lstat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deltaFiles, deltaIndexMetadata, deltaIndexText, requireDeltaFiles } from '../catalog/delta-files.ts';
import { Limiter } from '../lib/limiter.ts';
import { sourceOfFile } from '../storage/object-source.ts';
import type { ClusterSource } from './cluster-source.ts';
import { copyUnits } from './copy-units.ts';
import { type ClusterAttributes, DeltaManifest } from './delta-manifest.ts';
import { DeltaStorer } from './delta-storer.ts';
import { DeltaTally } from './delta-tally.ts';
import { splitIntoDeltaUnits } from './delta-units.ts';
import { finishArchive } from './finish-archive.ts';
import type { RunningBackup } from './job.ts';
import { lookIn } from './look-at-names.job.ts';
import type { MainObject } from './main-object.ts';
import { chunkMembersMax, chunkTargetBytes, chunkThreads } from './plan.ts';
import type { ProgressCount } from './progress.ts';
import type { BackupSession } from './session.ts';
import { ShortfallNotes } from './shortfall-notes.ts';
import { walkCluster } from './walk.ts';

/**
 * Format `pghoard-delta-v2`: large files are objects named by the hash of their content, and are stored only where no earlier backup has; small
 * ones go into bundles, tiny ones into the manifest. Which hashes the store has is asked of the store itself, so that the private key, which the
 * manifests of earlier backups may need, is not.
 */
export async function archiveAsDelta(
  backup: RunningBackup,
  source: ClusterSource,
  session: BackupSession,
  progress: ProgressCount,
): Promise<MainObject> {
  const { deps, directory, signal } = backup;
  const attributes = await findAttributes(source.dataDirectory);
  await using manifest = await DeltaManifest.create(directory, deps.clock.now());
  const tally = new DeltaTally();
  const isFirst = await isFirstDelta(backup);
  await copyAsDelta({ ...backup, signal: AbortSignal.any([signal, session.lost]) }, source, { manifest, attributes, tally, progress });
  const copied = deps.clock.now();
  progress.enter('finishing');
  const main = await finishArchive(backup, source, session, {
    format: 'pghoard-delta-v2',
    manifest,
    finishManifest: (head, span) => manifest.finish(head, span, attributes, copied),
  });
  await storeIndex(backup, manifest);
  // Last of all: from here on the index protects what this backup shares with earlier ones.
  await requireDeltaFiles(deps.catalog, manifest.digests, signal);
  tally.tell(deps.metrics, { prefix: 'pghoard.delta_backup', remained: 'remained_data_size' }, { site: backup.job.site }, isFirst);
  return main;
}

/** No earlier one has stored a file. */
async function isFirstDelta({ deps, signal }: RunningBackup): Promise<boolean> {
  for await (const _ of deltaFiles(deps.catalog, signal)) return false;
  return true;
}

/**
 * As PostgreSQL made them: it gives the same to all files of a cluster, and the same to all directories. Not those of `pg_control`: in a
 * cluster that the original restored, or that was restored from what it took, that file alone has another mode.
 */
async function findAttributes(dataDirectory: string): Promise<ClusterAttributes> {
  const of = async (path: string) => {
    const { mode, uid, gid } = await lstat(join(dataDirectory, path));
    return { mode: mode & 0o7777, uid, gid };
  };
  return { file: await of('PG_VERSION'), directory: await of('global') };
}

async function copyAsDelta(
  backup: RunningBackup,
  source: ClusterSource,
  notes: {
    readonly manifest: DeltaManifest;
    readonly attributes: ClusterAttributes;
    readonly tally: DeltaTally;
    readonly progress: ProgressCount;
  },
): Promise<void> {
  const { job, deps } = backup;
  const threads = chunkThreads({ threads: job.threads, poolThreads: deps.pool.threads, chunksInProgress: job.chunksInProgress });
  const bundleBytes = chunkTargetBytes({ chunkBytesMax: job.delta.bundleBytesMax, bytesTotal: source.bytesTotal, threads });
  const shortfall = new ShortfallNotes(deps.log);
  const look = lookIn(deps.pool, { signal: backup.signal, party: job.site });
  const walk = walkCluster(source.dataDirectory, { ...source, look, onSkipped: (path, why) => shortfall.skipped({ path, why }) });
  const units = splitIntoDeltaUnits(walk, {
    fileBytesMin: job.delta.fileBytesMin,
    bundleBytes,
    bundleMembersMax: chunkMembersMax,
    attributes: notes.attributes,
    onDirectory: (path) => notes.manifest.addDirectory(path),
  });
  const storer = new DeltaStorer(backup, { ...notes, shortfall, making: new Limiter(threads), pages: source.pages });
  await copyUnits(units, { atOnce: job.chunksInProgress, signal: backup.signal }, (unit, signal) => storer.store(unit, signal));
  shortfall.summarize();
  storer.summarize();
}

async function storeIndex({ job, deps, name, directory, signal }: RunningBackup, { digests }: DeltaManifest): Promise<void> {
  const path = join(directory, 'index');
  await writeFile(path, deltaIndexText(digests), { mode: 0o600, flag: 'wx', flush: true });
  const { size } = await lstat(path);
  await deps.uploads.upload({
    site: job.site,
    store: deps.catalog.store,
    key: deps.catalog.keys.deltaIndex(name),
    source: sourceOfFile(path, size),
    metadata: { ...deltaIndexMetadata, host: job.origin.host, 'Content-Length': String(size) },
    fileType: 'basebackup_delta',
    signal,
  });
}
