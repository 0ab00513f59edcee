import type { MessagePort } from 'node:worker_threads';
import { defineJob } from '../../codec/job.ts';
import { SinkFile } from '../../codec/sink-file.ts';
import { OperatorError } from '../../lib/errors.ts';
import { type BaseBackupArchive, type BaseBackupEnd, type BaseBackupRequest, streamBaseBackup } from '../../postgres/base-backup.ts';
import { connect } from '../../postgres/client.ts';
import type { ConnInfo } from '../../postgres/conninfo.ts';
import { identifySystem } from '../../postgres/replication.ts';
import { chunkMembersMax, chunkTargetBytes } from '../plan.ts';
import type { CopyReport } from '../sealed-file.ts';
import { BackupReceiver, type ReceivedParts } from './backup-receiver.ts';
import { ChunkFeed } from './chunk-feed.ts';
import { type ChunkSink, ChunkWriter } from './chunk-writer.ts';
import { PieceWindow } from './piece-window.ts';
import { PortReader } from './port-reader.ts';

/** So many buffers of 1 MiB are between the connection and the jobs that seal. */
const windowPieces = 16;
/** A report of files for each of them would cost more than to send them. */
const filesPerReport = 256;

export interface StreamInput {
  readonly node: ConnInfo;
  /** Of the cluster that was seen to be the right one. */
  readonly systemIdentifier: bigint;
  readonly request: BaseBackupRequest;
  /** By OID. */
  readonly tablespaceNames: ReadonlyMap<number, string>;
  readonly chunkBytesMax: number;
  /** How many chunks are sealed at once. */
  readonly threads: number;
  /** Brings a {@link ChunkGrant} for each chunk that may be begun. */
  readonly grants: MessagePort;
  /** Where the server's manifest is put. */
  readonly manifest: string;
}

/** A job waits at the other end of `port` for what the next chunk consists of. */
export interface ChunkGrant {
  readonly port: MessagePort;
  /** Path for what comes faster than that job takes it. */
  readonly spill: string;
}

/** What is told while the base backup comes. */
export type StreamReport =
  | { readonly kind: 'begun'; readonly bytesTotal: number | undefined }
  | { readonly kind: 'chunk-begun'; readonly number: number }
  | { readonly kind: 'chunk-ended'; readonly number: number; readonly paths: readonly string[] }
  | { readonly kind: 'warning'; readonly text: string };

export interface StreamedBackup extends ReceivedParts {
  readonly end: BaseBackupEnd;
}

/** A base backup over the replication protocol, from the connection into chunks, which other jobs seal. None of it is believed before the server's manifest fits. */
export const readStream = defineJob(import.meta.url, 'readStream', async (input: StreamInput, context): Promise<StreamedBackup> => {
  const { signal } = context;
  const tell = (report: StreamReport | CopyReport) => context.report(report);
  const window = new PieceWindow(windowPieces, signal);
  using grants = new PortReader<ChunkGrant>(input.grants, signal, window.wake);
  using manifest = new SinkFile(input.manifest);
  using files = new FileCount(tell);
  await using connection = await connect(input.node, { replication: true, applicationName: 'pghoard', signal });
  const { systemIdentifier } = await identifySystem(connection);
  if (systemIdentifier !== input.systemIdentifier) throw otherCluster(connection.target);
  const receiver = new BackupReceiver({
    serverVersion: connection.serverVersion,
    tablespaceNames: input.tablespaceNames,
    begin: (archives) => {
      const bytesTotal = bytesOf(archives);
      tell({ kind: 'begun', bytesTotal });
      return new ChunkWriter(new GrantedChunks(grants, window, tell), {
        targetBytes: chunkTargetBytes({ ...input, bytesTotal }),
        membersMax: chunkMembersMax,
      });
    },
    keepManifest: manifest.write,
    onFile: files.add,
    onWarning: (text) => tell({ kind: 'warning', text }),
  });
  const end = await streamBaseBackup(connection, input.request, receiver, signal);
  const parts = receiver.finish({ systemIdentifier, end });
  manifest.finish(false);
  return { ...parts, end };
});

/** Fills each chunk as soon as a job is there to seal it. */
class GrantedChunks implements ChunkSink {
  readonly #grants: PortReader<ChunkGrant>;
  readonly #window: PieceWindow;
  readonly #tell: (report: StreamReport) => void;
  #feed: ChunkFeed | undefined;

  constructor(grants: PortReader<ChunkGrant>, window: PieceWindow, tell: (report: StreamReport) => void) {
    this.#grants = grants;
    this.#window = window;
    this.#tell = tell;
  }

  async begin(number: number): Promise<void> {
    const grant = await this.#grants.next();
    if (grant === null) throw new Error('no more chunks may be begun');
    this.#tell({ kind: 'chunk-begun', number });
    this.#feed = new ChunkFeed({ ...grant, window: this.#window, mayRunAhead: () => this.#grants.waiting > 0 });
  }

  write(bytes: Uint8Array): void | Promise<void> {
    return this.#feed?.write(bytes);
  }

  end(number: number, paths: readonly string[]): void {
    this.#tell({ kind: 'chunk-ended', number, paths });
    this.#feed?.end();
  }
}

/** Files that came; a report for each would cost more than the file. */
class FileCount implements Disposable {
  readonly #tell: (report: CopyReport) => void;
  #files = 0;

  constructor(tell: (report: CopyReport) => void) {
    this.#tell = tell;
  }

  readonly add = (): void => {
    if (++this.#files === filesPerReport) this.#report();
  };

  [Symbol.dispose](): void {
    this.#report();
  }

  #report(): void {
    this.#tell({ bytes: 0, files: this.#files });
    this.#files = 0;
  }
}

function bytesOf(archives: readonly BaseBackupArchive[]): number | undefined {
  const kilobytes = archives.reduce((sum, archive) => sum + (archive.kilobytes ?? 0), 0);
  return kilobytes === 0 ? undefined : kilobytes * 1024;
}

function otherCluster(target: string): OperatorError {
  return new OperatorError('cluster-mismatch', `the server that now answers at ${target} is of another cluster than a moment ago`, {
    retryable: true,
    hint: 'Is there a proxy in between that leads to several servers? Name them one by one in "nodes".',
  });
}
