import { type FileHandle, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cannotWrite } from '../../codec/sink-file.ts';
import { OperatorError } from '../../lib/errors.ts';
import { connect } from '../../postgres/client.ts';
import { formatLsn, type Lsn } from '../../postgres/lsn.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { readServerFacts, readTimelineHistoryFile, type ServerFacts } from '../../postgres/replication.ts';
import type { ReplicationStream } from '../../postgres/replication-stream.ts';
import { startReplication } from '../../postgres/start-replication.ts';
import { formatWalName } from '../../postgres/wal-name.ts';
import type { ClusterFacts } from '../wal-source.ts';
import type { Hole } from './gaps.ts';

export interface NodeWalDeps {
  readonly cluster: () => ClusterFacts;
  /** For one file at a time. */
  readonly directory: string;
  /** Resolves once the file is stored. */
  readonly archive: (name: string, path: string) => Promise<unknown>;
  readonly signal: AbortSignal;
}

/** Segments of one timeline, by their numbers; both included. */
interface Part {
  readonly timeline: number;
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * Has a node stream what is missing in a hole, from its beginning on, and archives it segment by segment. Rejects where the node does not have all of
 * it: `wal-removed`, `wal-diverged`, `wal-timeline-ahead`, `wal-position-ahead` (retryable), `cluster-mismatch`, or whatever keeps it from being asked.
 */
export async function archiveFromNode({ conninfo }: PostgresNode, { line, first, last }: Hole, deps: NodeWalDeps): Promise<void> {
  for (const stretch of line.finished()) {
    const part = {
      timeline: stretch.timeline,
      first: stretch.first > first ? stretch.first : first,
      last: stretch.end <= last ? stretch.end - 1n : last,
    };
    if (part.first > part.last) continue;
    await using connection = await connect(conninfo, { replication: true, applicationName: 'pghoard', signal: deps.signal });
    const server = await readServerFacts(connection);
    checkServer(server, part, line.segmentBytes, deps);
    const startLsn = part.first * BigInt(line.segmentBytes);
    await using stream = await startReplication(connection, { startLsn, timeline: part.timeline }, { signal: deps.signal });
    await archivePart(stream, part, line.segmentBytes, deps);
  }
}

/** Archives the history of a timeline as the node has it. Rejects with `postgres-error` where it has none. */
export async function archiveHistoryFromNode({ conninfo }: PostgresNode, timeline: number, deps: NodeWalDeps): Promise<void> {
  await using connection = await connect(conninfo, { replication: true, applicationName: 'pghoard', signal: deps.signal });
  checkCluster(await readServerFacts(connection), deps);
  const file = await readTimelineHistoryFile(connection, timeline);
  if (file === undefined) return;
  const path = join(deps.directory, `${file.name}.mend.tmp`);
  await using _cleanup = { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
  await writeFile(path, file.content, { mode: 0o600 }).catch((error: unknown) => Promise.reject(cannotWrite(path, error)));
  await deps.archive(file.name, path);
}

function checkCluster({ systemIdentifier }: ServerFacts, { cluster }: NodeWalDeps): void {
  const known = cluster().systemIdentifier;
  if (known === undefined || known === systemIdentifier) return;
  throw new OperatorError('cluster-mismatch', `the server has the system identifier ${systemIdentifier}, the site ${known}`);
}

function checkServer(server: ServerFacts, { timeline, last }: Part, segmentBytes: number, deps: NodeWalDeps): void {
  checkCluster(server, deps);
  const end = (last + 1n) * BigInt(segmentBytes);
  if (server.timeline > timeline || server.position >= end) return;
  throw new OperatorError('wal-position-ahead', `the server is only at ${formatLsn(server.position)}, before ${formatLsn(end)}`, {
    retryable: true,
  });
}

async function archivePart(
  stream: ReplicationStream,
  { timeline, first, last }: Part,
  segmentBytes: number,
  deps: NodeWalDeps,
): Promise<void> {
  const source = new SegmentSource(stream, first * BigInt(segmentBytes));
  for (let number = first; number <= last; number++) {
    const name = formatWalName({ timeline, number }, segmentBytes);
    const path = join(deps.directory, `${name}.mend.tmp`);
    await using _cleanup = { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    const file = await open(path, 'w', 0o600).catch((error: unknown) => Promise.reject(cannotWrite(path, error)));
    try {
      await source.copy(segmentBytes, file, path);
    } finally {
      await file.close();
    }
    await deps.archive(name, path);
  }
}

/** Cuts a stream into segments. */
class SegmentSource {
  readonly #stream: ReplicationStream;
  #position: Lsn;
  /** What came beyond the end of the last segment. */
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: ReplicationStream, position: Lsn) {
    this.#stream = stream;
    this.#position = position;
  }

  async copy(count: number, file: FileHandle, path: string): Promise<void> {
    for (let left = count; left > 0; ) {
      const bytes = this.#rest.length > 0 ? this.#rest : await this.#receive();
      const wanted = bytes.subarray(0, left);
      await file.writeFile(wanted).catch((error: unknown) => Promise.reject(cannotWrite(path, error)));
      left -= wanted.length;
      this.#position += BigInt(wanted.length);
      // The stream uses its buffer again.
      this.#rest = Uint8Array.from(bytes.subarray(wanted.length));
    }
  }

  async #receive(): Promise<Uint8Array> {
    for (;;) {
      const message = await this.#stream.next();
      if (message === undefined) {
        throw new OperatorError('wal-diverged', `the server left the timeline at ${formatLsn(this.#position)}, where more WAL is missing`);
      }
      if (message.kind === 'wal') return message.bytes;
      // Zero promises nothing: a server that waits for a receiver of our name must not take this for it.
      if (message.replyRequested) this.#stream.sendStatus({ written: this.#position, flushed: 0n, applied: 0n });
    }
  }
}
