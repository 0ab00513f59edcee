import { basename, join } from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { chunkFilename } from '../../catalog/keys.ts';
import { isOperatorError, OperatorError } from '../../lib/errors.ts';
import { Limiter } from '../../lib/limiter.ts';
import { copyUnits } from '../copy-units.ts';
import type { RunningBackup } from '../job.ts';
import type { ManifestWriter } from '../manifest.ts';
import { damagedPageIn } from '../pg-basebackup.ts';
import { chunkThreads } from '../plan.ts';
import type { ProgressCount } from '../progress.ts';
import type { ReplicationSource } from '../replication-source.ts';
import { sealOptionsOf } from '../seal-options.ts';
import { connectionLost } from '../session.ts';
import { storeSealedChunk } from '../stored-chunk.ts';
import type { ClusterNames } from './cluster-names.ts';
import { ComingChunks } from './coming-chunks.ts';
import { type ChunkGrant, readStream, type StreamedBackup, type StreamInput, type StreamReport } from './read-stream.job.ts';
import { sealPieces } from './seal-pieces.job.ts';

const label = 'pghoard_base_backup';

export interface ReceiveOptions {
  readonly source: ReplicationSource;
  readonly names: ClusterNames;
  readonly manifest: ManifestWriter;
  /** Where the server's own manifest is put. */
  readonly serverManifest: string;
  readonly progress: ProgressCount;
}

/** One job reads the base backup from its connection; others seal what it hands them. Resolves once all chunks are stored, and what came fits the server's manifest. */
export async function receiveChunks(backup: RunningBackup, options: ReceiveOptions): Promise<StreamedBackup> {
  const { job, deps } = backup;
  const threads = chunkThreads({ threads: job.threads, poolThreads: deps.pool.threads, chunksInProgress: job.chunksInProgress });
  const stop = new AbortController();
  const signal = AbortSignal.any([backup.signal, stop.signal]);
  const coming = new ComingChunks();
  const { port1: grants, port2: granted } = new MessageChannel();
  const reading = read({ ...backup, signal }, options, { coming, granted, threads });
  reading.then(
    () => coming.finish(),
    (error: unknown) => stop.abort(error),
  );
  const tools = { ...options, coming, grants, making: new Limiter(threads) };
  try {
    const units = { atOnce: job.chunksInProgress, signal };
    await copyUnits(coming.numbers(), units, (number, unitSignal) => storeChunk({ ...backup, signal: unitSignal }, number, tools));
  } catch (error) {
    stop.abort(error);
    await reading.catch(() => {});
    throw error;
  } finally {
    grants.close();
  }
  return reading;
}

async function read(
  { job, deps, signal }: RunningBackup,
  { source, names, serverManifest, progress }: ReceiveOptions,
  { coming, granted, threads }: { readonly coming: ComingChunks; readonly granted: MessagePort; readonly threads: number },
): Promise<StreamedBackup> {
  let isBegun = false;
  let isPageTold = false;
  const hear = (report: StreamReport): void => {
    switch (report.kind) {
      case 'begun':
        isBegun = true;
        deps.log.info(
          { server: source.target, pgVersion: source.serverVersion, bytesTotal: report.bytesTotal },
          'PostgreSQL has begun the base backup and streams it',
        );
        return progress.enter('copying', report.bytesTotal);
      case 'chunk-begun':
        return coming.begin(report.number);
      case 'chunk-ended':
        return coming.end(report.number, report.paths);
      case 'warning': {
        deps.log.warn({ said: report.text }, 'PostgreSQL warns');
        const page = damagedPageIn(report.text);
        if (page === undefined) return;
        isPageTold = true;
        deps.onDamagedPage?.(page);
      }
    }
  };
  const input: StreamInput = {
    node: source.node,
    systemIdentifier: source.cluster.systemIdentifier,
    request: { label, bytesPerSecondMax: job.bytesPerSecondMax, tablespaceMap: names.hasLongLocation },
    tablespaceNames: names.tablespaces,
    chunkBytesMax: job.chunkBytesMax,
    threads,
    grants: granted,
    manifest: serverManifest,
  };
  const onReport = (message: unknown) => (isStreamReport(message) ? hear(message) : progress.add(message));
  try {
    const streamed = await deps.pool.run(readStream, input, { signal, party: job.site, transfer: [granted], mostlyWaits: true, onReport });
    // A role can be set to hear of no warnings.
    if (streamed.end.isDamaged && !isPageTold) deps.onDamagedPage?.('a page that the server does not name');
    return streamed;
  } catch (error) {
    signal.throwIfAborted();
    if (isBegun && isOperatorError(error, 'postgres-unreachable')) throw connectionLost(error);
    if (!isBegun && isOperatorError(error, 'postgres-error')) throw refused(error);
    throw error;
  }
}

interface ChunkTools extends ReceiveOptions {
  readonly coming: ComingChunks;
  readonly grants: MessagePort;
  /** Lets as many chunks be sealed at once as there are threads for it; further ones may be on their way to the store. */
  readonly making: Limiter;
}

async function storeChunk(backup: RunningBackup, number: number, tools: ChunkTools): Promise<void> {
  const { job, deps, name, directory, signal } = backup;
  const { coming, grants, making, progress, manifest } = tools;
  const filename = chunkFilename(name, number);
  const target = join(directory, basename(filename));
  const spill = `${target}.plain`;
  const sealed = await making.run(async () => {
    const { port1, port2: port } = new MessageChannel();
    const grant: ChunkGrant = { port: port1, spill };
    grants.postMessage(grant, [port1]);
    try {
      if (!(await coming.comes(number, signal))) return undefined;
      const input = { port, spill, target, seal: sealOptionsOf(job.seal) };
      return await deps.pool.run(sealPieces, input, { signal, onReport: progress.add, party: job.site, transfer: [port] });
    } finally {
      port.close();
    }
  }, signal);
  if (!sealed) return;
  const files = await coming.pathsOf(number, signal);
  await storeSealedChunk(backup, { ...sealed, filename, target, files }, manifest);
}

function isStreamReport(message: unknown): message is StreamReport {
  return typeof message === 'object' && message !== null && 'kind' in message;
}

function refused(cause: OperatorError): OperatorError {
  return new OperatorError('backup-refused', 'PostgreSQL did not start the backup', {
    cause,
    hint: 'The role needs the REPLICATION attribute, and wal_level must be replica or logical.',
  });
}
