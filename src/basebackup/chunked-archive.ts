import { basename, join } from 'node:path';
import { chunkFilename } from '../catalog/keys.ts';
import { Limiter } from '../lib/limiter.ts';
import { type Chunk, splitIntoChunks } from './chunks.ts';
import type { ClusterSource } from './cluster-source.ts';
import { copyUnits } from './copy-units.ts';
import { DeltaStats } from './delta-stats.ts';
import { finishArchive } from './finish-archive.ts';
import type { RunningBackup } from './job.ts';
import { lookIn } from './look-at-names.job.ts';
import type { MainObject } from './main-object.ts';
import { ManifestWriter } from './manifest.ts';
import { chunkMembersMax, chunkTargetBytes, chunkThreads } from './plan.ts';
import type { ProgressCount } from './progress.ts';
import { sealChunk } from './seal-chunk.job.ts';
import { sealOptionsOf } from './seal-options.ts';
import type { BackupSession } from './session.ts';
import { ShortfallNotes } from './shortfall-notes.ts';
import { storeSealedChunk } from './stored-chunk.ts';
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
  const { job, deps, directory, signal } = backup;
  await using manifest = await ManifestWriter.create(join(directory, 'manifest.json'));
  await using stats = job.mode === 'local-tar-delta-stats' ? await DeltaStats.create(statsPlaces(backup)) : undefined;
  await copyInChunks({ ...backup, signal: AbortSignal.any([signal, session.lost]) }, source, { manifest, stats, progress });
  await stats?.tell(deps.metrics, job.site);
  progress.enter('finishing');
  return await finishArchive(backup, source, session, {
    format: 'pghoard-bb-v2',
    manifest,
    finishManifest: (head, span) => manifest.finish(head, span, stats?.text()),
  });
}

function statsPlaces({ deps, directory }: RunningBackup) {
  return { list: join(directory, 'hashes'), remembered: deps.spool.deltaHashesFile };
}

interface Notes {
  readonly manifest: ManifestWriter;
  readonly stats: DeltaStats | undefined;
  readonly progress: ProgressCount;
}

async function copyInChunks(backup: RunningBackup, source: ClusterSource, notes: Notes): Promise<void> {
  const { job, deps } = backup;
  const threads = chunkThreads({ threads: job.threads, poolThreads: deps.pool.threads, chunksInProgress: job.chunksInProgress });
  const targetBytes = chunkTargetBytes({ chunkBytesMax: job.chunkBytesMax, bytesTotal: source.bytesTotal, threads });
  const shortfall = new ShortfallNotes(deps.log);
  const look = lookIn(deps.pool, { signal: backup.signal, party: job.site });
  const walk = walkCluster(source.dataDirectory, { ...source, look, onSkipped: (path, why) => shortfall.skipped({ path, why }) });
  const chunks = splitIntoChunks(walk, { targetBytes, membersMax: chunkMembersMax });
  const tools = { ...notes, making: new Limiter(threads), shortfall, pages: source.pages };
  await copyUnits(chunks, { atOnce: job.chunksInProgress, signal: backup.signal }, (chunk, signal) =>
    storeChunk({ ...backup, signal }, chunk, tools),
  );
  shortfall.summarize();
}

interface ChunkTools extends Notes {
  /** Lets as many chunks be made at once as there are threads for it; further ones may be on their way to the store. */
  readonly making: Limiter;
  readonly shortfall: ShortfallNotes;
  readonly pages: ClusterSource['pages'];
}

async function storeChunk(backup: RunningBackup, chunk: Chunk, tools: ChunkTools): Promise<void> {
  const { job, deps, name, signal } = backup;
  const { making, manifest, stats, shortfall, progress, pages } = tools;
  const filename = chunkFilename(name, chunk.number);
  const target = join(backup.directory, basename(filename));
  const pack = { pages, ...(stats && { list: true, hashBytesMin: job.delta.fileBytesMin }) };
  const input = { members: chunk.members, target, seal: sealOptionsOf(job.seal), pack };
  const made = await making.run(() => deps.pool.run(sealChunk, input, { signal, onReport: progress.add, party: job.site }), signal);
  shortfall.take(made);
  for (const page of made.damaged) deps.onDamagedPage?.(page);
  const missing = new Set(made.skipped.map(({ path }) => path));
  const files = chunk.members.filter(({ source }) => !missing.has(source)).map(({ path }) => path);
  await storeSealedChunk(backup, { ...made, filename, target, files }, manifest);
  await stats?.add(made.files);
}
