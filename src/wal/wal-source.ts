import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { LentBuffer, lentBytes } from '../codec/lent-buffer.ts';
import { timed } from '../codec/step-times.ts';
import { OperatorError, systemErrorCode } from '../lib/errors.ts';
import type { SeenCluster } from '../postgres/seen-cluster.ts';
import { parseTimelineHistory } from '../postgres/timeline-history.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { checkWalSegment } from '../postgres/wal-page.ts';

/** What is known of the cluster that a site archives; what is unknown is not checked. */
export interface ClusterFacts {
  readonly systemIdentifier?: bigint;
  /** WAL segment size in bytes. */
  readonly segmentBytes?: number;
  /** Server version as a number, `150018`. */
  readonly pgVersion?: number;
}

/** Native compressors give memory back only when the event loop turns. */
const bytesPerTurn = 4 << 20;

/**
 * Reads a WAL file of PostgreSQL once, for a worker thread: opened without following a link, judged by its first bytes before anything is passed
 * on, and refused if it changed while it was read. `onBytes` may keep nothing of what it is handed. Resolves to what a segment says of its cluster.
 *
 * Throws `wal-file-missing` (also for a link or anything else that is not a regular file), `wal-file-unreadable`, `wal-invalid`, `cluster-mismatch`,
 * `wal-changed`.
 */
export async function readWalSource(
  name: string,
  path: string,
  cluster: ClusterFacts,
  onBytes: (bytes: Uint8Array) => void | Promise<void>,
  signal: AbortSignal,
): Promise<SeenCluster> {
  const fd = openWalFile(path);
  try {
    const before = identify(fd, path);
    using lent = new LentBuffer();
    const buffer = lent.bytes;
    let total = 0;
    let seen: SeenCluster = {};
    const read = () => timed('read', () => fill(fd, buffer));
    for (let length = read(); length > 0; length = read()) {
      const bytes = buffer.subarray(0, length);
      if (total === 0) seen = checkContent(name, bytes, Number(before.size), cluster);
      await onBytes(bytes);
      total += length;
      if (total % bytesPerTurn === 0) await turn(signal);
    }
    if (total === 0) checkContent(name, buffer.subarray(0, 0), 0, cluster);
    const after = identify(fd, path);
    if (after.size !== before.size || after.mtimeNs !== before.mtimeNs || BigInt(total) !== before.size) throw changed(name, path);
    return seen;
  } finally {
    closeSync(fd);
  }
}

/** The part of a segment that has been written. */
export interface WrittenPart {
  readonly bytes: number;
  readonly segmentBytes: number;
}

/**
 * As {@link readWalSource}, for a segment that is still being written: of its content only the beginning counts, and zeros stand for the rest.
 */
export async function readWalBeginning(
  name: string,
  path: string,
  { bytes, segmentBytes }: WrittenPart,
  cluster: ClusterFacts,
  onBytes: (bytes: Uint8Array) => void | Promise<void>,
  signal: AbortSignal,
): Promise<SeenCluster> {
  const fd = openWalFile(path);
  try {
    using lent = new LentBuffer();
    const buffer = lent.bytes.subarray(0, segmentBytes);
    let seen: SeenCluster = {};
    for (let at = 0; at < segmentBytes; at += buffer.length) {
      const wanted = Math.min(Math.max(bytes - at, 0), buffer.length);
      if (fill(fd, buffer.subarray(0, wanted)) < wanted) throw changed(name, path);
      buffer.fill(0, wanted);
      if (at === 0) seen = checkContent(name, buffer, segmentBytes, cluster);
      await onBytes(buffer);
      if ((at + buffer.length) % bytesPerTurn === 0) await turn(signal);
    }
    return seen;
  } finally {
    closeSync(fd);
  }
}

/**
 * Throws `wal-invalid` unless the content is what the name says, or `cluster-mismatch`. `first`: the first MiB at most, so a history file whole. Returns
 * what a segment says of its cluster; a history file says nothing.
 */
export function checkContent(name: string, first: Buffer, fileBytes: number, cluster: SeenCluster): SeenCluster {
  if (classifyWalFile(name) === 'history') {
    checkHistory(name, first, fileBytes);
    return {};
  }
  const { long, major } = checkWalSegment(name, first, { ...cluster, fileBytes });
  return { systemIdentifier: long?.systemIdentifier, segmentBytes: long?.segmentBytes, major };
}

function checkHistory(name: string, first: Buffer, fileBytes: number): void {
  if (fileBytes === 0) throw new OperatorError('wal-invalid', `${name} is not a timeline history: the file is empty`);
  if (fileBytes > lentBytes) throw new OperatorError('wal-invalid', `${name} is not a timeline history: it has ${fileBytes} bytes`);
  try {
    parseTimelineHistory(first.toString('utf8'));
  } catch (error) {
    throw new OperatorError('wal-invalid', `${name} is not a timeline history`, { cause: error });
  }
}

/** O_NONBLOCK: a named pipe in the place of a segment must not hold the worker for ever. */
function openWalFile(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    switch (systemErrorCode(error)) {
      case 'ENOENT':
      case 'ENOTDIR':
        throw new OperatorError('wal-file-missing', `there is no WAL file ${path}`, { cause: error });
      case 'ELOOP':
      case 'ENXIO':
        throw new OperatorError('wal-file-missing', `${path} is not a regular file, only regular files are archived`, { cause: error });
      case 'EACCES':
      case 'EPERM':
        throw new OperatorError('wal-file-unreadable', `may not read WAL file ${path}`, {
          cause: error,
          hint: 'Run pghoard as the user that owns the data directory, usually postgres.',
        });
      default:
        throw new OperatorError('wal-file-unreadable', `cannot read WAL file ${path}`, { cause: error, retryable: true });
    }
  }
}

function identify(fd: number, path: string): { readonly size: bigint; readonly mtimeNs: bigint } {
  const stats = fstatSync(fd, { bigint: true });
  if (!stats.isFile()) throw new OperatorError('wal-file-missing', `${path} is not a regular file, only regular files are archived`);
  return stats;
}

/** Fills the buffer as far as the file reaches. */
function fill(fd: number, buffer: Buffer): number {
  let length = 0;
  while (length < buffer.length) {
    const read = readSync(fd, buffer, length, buffer.length - length, null);
    if (read === 0) break;
    length += read;
  }
  return length;
}

async function turn(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
}

function changed(name: string, path: string): OperatorError {
  return new OperatorError('wal-changed', `WAL file ${name} changed while it was read from ${path}`, {
    hint: 'Only finished segments may be archived. PostgreSQL will offer it again.',
    retryable: true,
  });
}
