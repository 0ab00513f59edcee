import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { chunkMetadata } from '../catalog/basebackup-entry.ts';
import { chunkFilename, mainObjectSuffix } from '../catalog/keys.ts';
import { forEachLimited, Limiter } from '../lib/limiter.ts';
import { sourceOfFile } from '../storage/object-source.ts';
import { type Chunk, splitIntoChunks } from './chunks.ts';
import { type ClusterSource, readControlBytes } from './cluster-source.ts';
import { mainObjectMetadata, sealKeys } from './facts.ts';
import type { RunningBackup } from './job.ts';
import type { MainObject } from './main-object.ts';
import { ManifestWriter } from './manifest.ts';
import { chunkMembersMax, chunkTargetBytes, chunkThreads } from './plan.ts';
import type { ProgressCount } from './progress.ts';
import { sealChunk } from './seal-chunk.job.ts';
import { sealControl } from './seal-control.job.ts';
import { sealOptionsOf } from './seal-options.ts';
import type { BackupSession } from './session.ts';
import { ShortfallNotes } from './shortfall-notes.ts';
import { walkCluster } from './walk.ts';

/**
 * Format `pghoard-bb-v2`: the files go into chunks, which are made by several workers and uploaded while the next ones are made. What
 * remains is a small main object with the manifest, the label and the control file.
 */
export async function archiveInChunks(
  backup: RunningBackup,
  source: ClusterSource,
  session: BackupSession,
  progress: ProgressCount,
): Promise<MainObject> {
  const { job, deps, name, directory, signal } = backup;
  await using manifest = await ManifestWriter.create(join(directory, 'manifest.json'));
  await copyInChunks({ ...backup, signal: AbortSignal.any([signal, session.lost]) }, source, manifest, progress);
  progress.enter('finishing');
  const controlFile = await readControlBytes(source.dataDirectory, deps.clock, signal);
  const end = await session.end(signal);
  await manifest.finish(
    { pgdata: source.dataDirectory, pghoardVersion: job.origin.pghoardVersion, tablespaces: source.tablespaces },
    { host: job.origin.host, startTime: end.label.startTime, startWalSegment: end.label.startWalSegment, ...end },
  );
  const path = join(directory, name + mainObjectSuffix);
  const control = { backupLabel: end.labelText, controlFile, directories: source.directories, owner: source.owner };
  const sealed = await deps.pool.run(
    sealControl,
    { ...control, manifest: manifest.path, target: path, seal: sealOptionsOf(job.seal) },
    { signal },
  );
  const { inputBytes: plainBytes, storedBytes } = manifest.totals;
  const metadata = mainObjectMetadata(job, sealed, {
    startTime: end.label.startTime,
    startWalSegment: end.label.startWalSegment,
    endTime: end.endTime,
    endWalSegment: end.endWalSegment,
    pgVersion: source.serverVersion,
    format: 'pghoard-bb-v2',
    totals: { plainBytes, storedBytes },
  });
  return { key: deps.catalog.keys.basebackupMain(name), path, storedBytes: sealed.sealedBytes, metadata };
}

async function copyInChunks(
  backup: RunningBackup,
  source: ClusterSource,
  manifest: ManifestWriter,
  progress: ProgressCount,
): Promise<void> {
  const { job, deps } = backup;
  const threads = chunkThreads({ threads: job.threads, poolThreads: deps.pool.threads, chunksInProgress: job.chunksInProgress });
  const targetBytes = chunkTargetBytes({ chunkBytesMax: job.chunkBytesMax, bytesTotal: source.bytesTotal, threads });
  const notes = new ShortfallNotes(deps.log);
  const walk = walkCluster(source.dataDirectory, { ...source, onSkipped: (path, why) => notes.skipped({ path, why }) });
  const chunks = splitIntoChunks(walk, { targetBytes, membersMax: chunkMembersMax });

  // The first failure, of the walk or of any chunk, stops all others and is the one that is told.
  const stop = new AbortController();
  const signal = AbortSignal.any([backup.signal, stop.signal]);
  const making = new Limiter(threads);
  const store = async (chunk: Chunk) => {
    try {
      await storeChunk({ ...backup, signal }, chunk, { making, manifest, notes, progress });
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  };
  await forEachLimited(untilFailure(chunks, stop), job.chunksInProgress, store);
  signal.throwIfAborted();
  notes.summarize();
}

async function* untilFailure(chunks: AsyncIterable<Chunk>, stop: AbortController): AsyncGenerator<Chunk> {
  try {
    yield* chunks;
  } catch (error) {
    stop.abort(error);
  }
}

interface ChunkTools {
  /** Lets as many chunks be made at once as there are threads for it; further ones may be on their way to the store. */
  readonly making: Limiter;
  readonly manifest: ManifestWriter;
  readonly notes: ShortfallNotes;
  readonly progress: ProgressCount;
}

async function storeChunk(backup: RunningBackup, chunk: Chunk, { making, manifest, notes, progress }: ChunkTools): Promise<void> {
  const { job, deps, name, signal } = backup;
  const filename = chunkFilename(name, chunk.number);
  const target = join(backup.directory, basename(filename));
  const input = { members: chunk.members, target, seal: sealOptionsOf(job.seal) };
  const made = await making.run(() => deps.pool.run(sealChunk, input, { signal, onReport: progress.add }), signal);
  notes.take(made);
  await deps.uploads.upload({
    site: job.site,
    store: deps.catalog.store,
    key: deps.catalog.keys.chunkFile(filename),
    source: sourceOfFile(target, made.sealedBytes),
    metadata: chunkMetadata({ ...sealKeys(job), host: job.origin.host, plainBytes: made.plainBytes, storedBytes: made.sealedBytes }),
    fileType: 'basebackup_chunk',
    signal,
  });
  const missing = new Set(made.skipped.map(({ path }) => path));
  await manifest.addChunk({
    chunkFilename: filename,
    inputBytes: made.plainBytes,
    storedBytes: made.sealedBytes,
    files: chunk.members.filter(({ source }) => !missing.has(source)).map(({ path }) => path),
  });
  await rm(target);
}
