import { rm } from 'node:fs/promises';
import type { CodecPool } from '../codec/pool.ts';
import { cannotWrite } from '../codec/sink-file.ts';
import { isOperatorError } from '../lib/errors.ts';
import { countFailure, type Metrics } from '../lib/metrics.ts';
import type { Urgency } from '../lib/urgency.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import type { Spool } from '../transfer/spool.ts';
import { requireRoom } from './require-room.ts';
import { type SealedWal, sealWal } from './seal-wal.job.ts';
import type { SpooledWal } from './spooled-wal.ts';
import { sealedWalMetadata, sealOptionsOf, type WalSealing } from './wal-sealing.ts';
import type { ClusterFacts } from './wal-source.ts';

export interface SealToSpoolDeps {
  readonly spool: Spool;
  readonly pool: CodecPool;
  readonly sealing: WalSealing;
  /** Name of this host, for the metadata. */
  readonly host: string;
  /** What is known of the cluster by now; asked anew for each file. */
  readonly cluster: () => ClusterFacts;
  readonly metrics: Metrics;
}

export interface FileToSeal {
  readonly name: string;
  readonly path: string;
  readonly urgency: Urgency;
  /** Whether what happens in it is to be noted, where it is a segment. */
  readonly isIndexed: boolean;
  readonly signal: AbortSignal;
}

/**
 * Resolves once the file is in the spool with its metadata, durably. Rejects with `wal-file-missing`, `wal-file-unreadable`, `wal-invalid`, `cluster-mismatch`,
 * `wal-changed` and `disk-full`, and leaves nothing then.
 */
export async function sealToSpool(file: FileToSeal, deps: SealToSpoolDeps): Promise<SpooledWal & Pick<SealedWal, 'index'>> {
  const { name, path, urgency, signal } = file;
  const { pool, spool, sealing, host, metrics } = deps;
  const cluster = deps.cluster();
  const spoolPath = spoolPathOf(name, spool);
  const sealedPath = spool.temporaryFor(spoolPath);
  const isIndexed = file.isIndexed && classifyWalFile(name) !== 'history';
  const input = { name, path, cluster, sealedPath, seal: sealOptionsOf(sealing), isIndexed };
  await requireRoom(spoolPath, path);
  const result = await pool.run(sealWal, input, { signal, urgency }).catch(async (error: unknown) => {
    const isDead = isOperatorError(error, 'worker-died');
    if (!signal.aborted) countFailure(metrics, isDead ? 'compressor_run_critical' : 'compressor_run', error);
    // It could not do that itself any more.
    if (isDead) await rm(sealedPath, { force: true });
    throw error;
  });
  const metadata = sealedWalMetadata(sealing, result, { host, pgVersion: cluster.pgVersion });
  try {
    await spool.publish(sealedPath, spoolPath, metadata);
  } catch (error) {
    await rm(sealedPath, { force: true });
    throw cannotWrite(spoolPath, error);
  }
  const { seen, index, sealedBytes: size } = result;
  return { name, path: spoolPath, size, metadata, seen, ...(index && { index }) };
}

/** Where a file of that name waits. */
export function spoolPathOf(name: string, spool: Spool): string {
  return classifyWalFile(name) === 'history' ? spool.historyFile(name) : spool.walFile(name);
}
