import { rm } from 'node:fs/promises';
import { chunkMetadata } from '../catalog/basebackup-entry.ts';
import type { SealResult } from '../codec/codec-options.ts';
import { sourceOfFile } from '../storage/object-source.ts';
import { sealKeys } from './facts.ts';
import type { RunningBackup } from './job.ts';
import type { ManifestWriter } from './manifest.ts';

/** A chunk that is finished in the spool. */
export interface SealedChunk extends SealResult {
  /** `<name>/<name>.00000001.pghoard` */
  readonly filename: string;
  /** Path of the file. */
  readonly target: string;
  /** Of the sealed bytes, hex. */
  readonly sealedSha256: string;
  /** Paths of its members. */
  readonly files: readonly string[];
}

/** Stores a chunk, notes it in the manifest, and removes it from the spool. */
export async function storeSealedChunk({ job, deps, signal }: RunningBackup, chunk: SealedChunk, manifest: ManifestWriter): Promise<void> {
  const { filename, target, plainBytes, sealedBytes } = chunk;
  await deps.uploads.upload({
    site: job.site,
    store: deps.catalog.store,
    key: deps.catalog.keys.chunkFile(filename),
    source: sourceOfFile(target, sealedBytes),
    metadata: chunkMetadata({ ...sealKeys(job), host: job.origin.host, plainBytes, storedBytes: sealedBytes }),
    fileType: 'basebackup_chunk',
    signal,
  });
  await manifest.addChunk({
    chunkFilename: filename,
    inputBytes: plainBytes,
    storedBytes: sealedBytes,
    storedSha256: chunk.sealedSha256,
    files: chunk.files,
  });
  await rm(target);
}
