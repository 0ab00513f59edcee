import { createHash } from 'node:crypto';
import { WalIndexCollector } from '../catalog/wal-index/collect-wal-index.ts';
import { type SealedWalIndex, sealWalIndex } from '../catalog/wal-index/seal-wal-index.ts';
import type { SealOptions, SealResult } from '../codec/codec-options.ts';
import { defineJob } from '../codec/job.ts';
import { Sealer } from '../codec/seal.ts';
import { SinkFile } from '../codec/sink-file.ts';
import type { SeenCluster } from '../postgres/seen-cluster.ts';
import { type ClusterFacts, readWalBeginning, readWalSource, type WrittenPart } from './wal-source.ts';

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
  /** Of a segment that is still being written; otherwise the whole file. */
  readonly beginning?: WrittenPart;
  /** The file to make. */
  readonly sealedPath: string;
  readonly seal: SealOptions;
  /** Whether to make its index, too. */
  readonly isIndexed?: boolean;
}

/** Digest of a WAL file's content, which is checked like one that is archived. */
export const hashWal = defineJob(import.meta.url, 'hashWal', async (input: HashWalInput, { signal }): Promise<string> => {
  const hash = createHash(input.hash);
  await readWalSource(input.name, input.path, input.cluster, (bytes) => void hash.update(bytes), signal);
  return hash.digest('hex');
});

export interface SealedWal extends SealResult {
  /** What the segment says of its cluster; nothing for a history file. */
  readonly seen: SeenCluster;
  /** Of a segment, where one was asked for. */
  readonly index?: SealedWalIndex;
}

/** WAL file → checked, compressed, encrypted, fsynced; on the way, its records are walked for its index. Nothing is left if it fails. */
export const sealWal = defineJob(import.meta.url, 'sealWal', async (input: SealWalInput, { signal }): Promise<SealedWal> => {
  using file = new SinkFile(input.sealedPath);
  using sealer = new Sealer(input.seal, file.write);
  const { name, path, beginning, cluster, isIndexed = false } = input;
  const collector = isIndexed ? new WalIndexCollector() : undefined;
  const update = (bytes: Uint8Array) => {
    const sealing = sealer.update(bytes);
    // By now they are in the processor's cache.
    collector?.update(bytes);
    return sealing;
  };
  const seen = beginning
    ? await readWalBeginning(name, path, beginning, cluster, update, signal)
    : await readWalSource(name, path, cluster, update, signal);
  const result = await sealer.finish();
  file.finish();
  const index = collector?.finish(name);
  return { ...result, seen, ...(index && { index: await sealWalIndex(index, input.seal.publicKey) }) };
});
