import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { type Clock, systemClock } from '../lib/clock.ts';
import { isOperatorError, OperatorError } from '../lib/errors.ts';
import type { Lsn } from './lsn.ts';
import { isSegmentBytes } from './wal-name.ts';

/** What `pg_control` says about a cluster. */
export interface ControlFile {
  readonly systemIdentifier: bigint;
  readonly pgControlVersion: number;
  readonly catalogVersion: number;
  readonly state: ClusterState;
  /** Where the record of the latest checkpoint is. */
  readonly checkpointLsn: Lsn;
  /** Where recovery would start: the redo position of that checkpoint. */
  readonly redoLsn: Lsn;
  readonly timeline: number;
  /** Up to where recovery must come before the files beside it are consistent; 0 outside of recovery. */
  readonly minRecoveryLsn: Lsn;
  readonly minRecoveryTimeline: number;
  readonly segmentBytes: number;
  readonly blockBytes: number;
  readonly dataChecksums: boolean;
}

/** DBState (pg_control.h), in the words of pg_controldata. */
const clusterStates = [
  'starting up',
  'shut down',
  'shut down in recovery',
  'shutting down',
  'in crash recovery',
  'in archive recovery',
  'in production',
] as const;

export type ClusterState = (typeof clusterStates)[number];

/** Byte offsets in ControlFileData (pg_control.h), the same from PostgreSQL 12 to 18 on 64-bit little-endian machines. */
const at = {
  systemIdentifier: 0,
  pgControlVersion: 8,
  catalogVersion: 12,
  state: 16,
  /** checkPoint, behind 4 bytes of padding and the time of the last update. */
  checkpoint: 32,
  /** checkPointCopy.redo */
  redo: 40,
  /** checkPointCopy.ThisTimeLineID */
  timeline: 48,
  /** minRecoveryPoint, behind CheckPoint (88 bytes) and unloggedLSN. */
  minRecovery: 136,
  /** minRecoveryPointTLI */
  minRecoveryTimeline: 144,
  /** blcksz, behind recovery positions, settings, maxAlign and floatFormat. */
  blockBytes: 216,
  /** xlog_seg_size, behind relseg_size and xlog_blcksz. */
  segmentBytes: 228,
  /** data_checksum_version */
  dataChecksums: 252,
} as const;

/** Where the CRC-32C of everything before it stands, by PG_CONTROL_VERSION. PostgreSQL 18 put one bool (default_char_signedness) ahead of it. */
const crcOffsetByVersion: ReadonlyMap<number, number> = new Map([
  [1201, 288],
  [1300, 288],
  [1700, 288],
  [1800, 292],
]);

const tornReadAttemptsMax = 10;
const tornReadDelayMs = 10;

/** Reads the content of a `pg_control`. Throws `control-file-unsupported` and, for a wrong checksum, `control-file-corrupt`. */
export function parseControlFile(bytes: Buffer): ControlFile {
  const crcOffset = crcOffsetOf(bytes);
  if (bytes.length < crcOffset + 4) throw corrupt(`it has only ${bytes.length} bytes`);
  if (crc32c(bytes.subarray(0, crcOffset)) !== bytes.readUInt32LE(crcOffset)) throw corrupt('its checksum does not match its content');
  const state = clusterStates[bytes.readInt32LE(at.state)];
  if (state === undefined) throw corrupt(`${bytes.readInt32LE(at.state)} is no state of a cluster`);
  const segmentBytes = bytes.readUInt32LE(at.segmentBytes);
  if (!isSegmentBytes(segmentBytes)) throw corrupt(`${segmentBytes} bytes is no WAL segment size`);
  return {
    systemIdentifier: bytes.readBigUInt64LE(at.systemIdentifier),
    pgControlVersion: bytes.readUInt32LE(at.pgControlVersion),
    catalogVersion: bytes.readUInt32LE(at.catalogVersion),
    state,
    checkpointLsn: bytes.readBigUInt64LE(at.checkpoint),
    redoLsn: bytes.readBigUInt64LE(at.redo),
    timeline: bytes.readUInt32LE(at.timeline),
    minRecoveryLsn: bytes.readBigUInt64LE(at.minRecovery),
    minRecoveryTimeline: bytes.readUInt32LE(at.minRecoveryTimeline),
    segmentBytes,
    blockBytes: bytes.readUInt32LE(at.blockBytes),
    dataChecksums: bytes.readUInt32LE(at.dataChecksums) !== 0,
  };
}

/** Where its checksum stands, which covers all before it. Throws `control-file-unsupported` and, for what is too short to tell, `control-file-corrupt`. */
export function crcOffsetOf(bytes: Buffer): number {
  if (bytes.length < 16) throw corrupt(`it has only ${bytes.length} bytes`);
  const version = bytes.readUInt32LE(at.pgControlVersion);
  return crcOffsetByVersion.get(version) ?? unsupported(version);
}

/**
 * Reads `global/pg_control` of a data directory. A running server may be writing it at that moment: then the checksum is wrong for once,
 * and it is read again. Throws as {@link parseControlFile}, and `control-file-unreadable`.
 */
export async function readControlFile(dataDirectory: string, clock: Clock = systemClock): Promise<ControlFile> {
  const path = join(dataDirectory, 'global/pg_control');
  for (let attempt = 1; ; attempt++) {
    try {
      return parseControlFile(await readBytes(path));
    } catch (error) {
      if (!isOperatorError(error, 'control-file-corrupt')) throw error;
      if (attempt >= tornReadAttemptsMax) throw new OperatorError(error.code, `cannot use ${path}`, { cause: error });
      await clock.sleep(tornReadDelayMs);
    }
  }
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new OperatorError('control-file-unreadable', `cannot read ${path}`, {
      cause: error,
      hint: 'Check pg_data_directory, and that pghoard runs as the user that owns it.',
    });
  }
}

function unsupported(version: number): never {
  const swapped = Buffer.alloc(4);
  swapped.writeUInt32BE(version);
  if (crcOffsetByVersion.has(swapped.readUInt32LE(0))) {
    throw new OperatorError('control-file-unsupported', 'the pg_control file was written on a machine with another byte order');
  }
  throw new OperatorError(
    'control-file-unsupported',
    `the pg_control file has the unknown format ${version} (PostgreSQL 12 to 18 are known)`,
  );
}

function corrupt(what: string): OperatorError {
  return new OperatorError('control-file-corrupt', `the pg_control file is damaged: ${what}`);
}
