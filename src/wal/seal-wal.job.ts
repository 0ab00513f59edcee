import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { walMetadata } from '../catalog/wal-entry.ts';
import type { SealOptions } from '../codec/codec-options.ts';
import { defineJob } from '../codec/job.ts';
import { Sealer } from '../codec/seal.ts';
import { fsyncDirectorySync, writeFileAtomic } from '../lib/atomic-file.ts';
import { systemRandom } from '../lib/random.ts';
import type { Metadata } from '../storage/object-store.ts';
import { namingFullDisk } from './full-disk.ts';
import { type ClusterFacts, readWalSource } from './wal-source.ts';

export interface HashWalInput {
  readonly name: string;
  readonly path: string;
  readonly cluster: ClusterFacts;
  /** As node:crypto names it. */
  readonly hash: string;
}

export interface SealWalInput {
  readonly name: string;
  readonly path: string;
  readonly cluster: ClusterFacts;
  /** The spool file to make; its metadata goes beside it, so that an upload can be taken up after a crash. */
  readonly spoolPath: string;
  readonly seal: SealOptions & { readonly plainHash: string };
  readonly encryptionKeyId?: string;
  readonly host: string;
  /** As configuration and metadata name it. */
  readonly hashAlgorithm: string;
}

export interface SealedWal {
  readonly sealedBytes: number;
  readonly metadata: Metadata;
}

/** Digest of a WAL file's content, which is checked like one that is archived. */
export const hashWal = defineJob(import.meta.url, 'hashWal', async (input: HashWalInput, { signal }): Promise<string> => {
  const hash = createHash(input.hash);
  await readWalSource(input.name, input.path, input.cluster, (bytes) => void hash.update(bytes), signal);
  return hash.digest('hex');
});

/** WAL file → compressed, encrypted, durable pair of files in the spool. Nothing is left there if it fails. */
export const sealWal = defineJob(import.meta.url, 'sealWal', async (input: SealWalInput, { signal }): Promise<SealedWal> => {
  const temporary = `${input.spoolPath}.${systemRandom.hex(6)}.tmp`;
  try {
    return await namingFullDisk(dirname(input.spoolPath), async () => {
      const { plainBytes, sealedBytes, plainHash } = await sealTo(temporary, input, signal);
      const metadata = walMetadata({
        compression: input.seal.compression,
        plainBytes,
        storedBytes: sealedBytes,
        host: input.host,
        hashAlgorithm: input.hashAlgorithm,
        ...(plainHash !== undefined && { hash: plainHash }),
        ...(input.cluster.pgVersion !== undefined && { pgVersion: input.cluster.pgVersion }),
        ...(input.encryptionKeyId !== undefined && { encryptionKeyId: input.encryptionKeyId }),
      });
      await publishPair(temporary, input.spoolPath, metadata);
      return { sealedBytes, metadata };
    });
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
});

async function sealTo(path: string, input: SealWalInput, signal: AbortSignal) {
  const fd = openSync(path, 'wx', 0o600);
  try {
    using sealer = new Sealer(input.seal, (bytes) => writeAll(fd, bytes));
    await readWalSource(input.name, input.path, input.cluster, (bytes) => sealer.update(bytes), signal);
    const result = await sealer.finish();
    fsyncSync(fd);
    return result;
  } finally {
    closeSync(fd);
  }
}

/** The metadata makes the pair complete, so it goes last, and that of an older file goes first. */
async function publishPair(temporary: string, path: string, metadata: Metadata): Promise<void> {
  const sidecar = `${path}.metadata`;
  rmSync(sidecar, { force: true });
  renameSync(temporary, path);
  fsyncDirectorySync(dirname(path));
  await writeFileAtomic(sidecar, JSON.stringify(metadata));
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done);
}
