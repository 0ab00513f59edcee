import type { CompressionAlgorithm } from '../codec/codec-options.ts';
import { OperatorError } from '../lib/errors.ts';
import type { BackupFrom } from '../postgres/backup-label.ts';
import { formatLsn, type Lsn, parseLsn } from '../postgres/lsn.ts';
import type { Metadata, ObjectEntry } from '../storage/object-store.ts';
import { basebackupNameOf } from './keys.ts';
import { metadataOf, normaliseMetadata, parseCount } from './metadata-fields.ts';
import { formatTimestamp, parseTimestamp } from './timestamp.ts';
import { parseCompression } from './wal-entry.ts';

export interface BasebackupEntry {
  /** Of its main object. */
  readonly key: string;
  /** Without `.00000000.pghoard`. */
  readonly name: string;
  /** Stored bytes of the main object alone. */
  readonly size: number;
  readonly lastModified: Date;
  readonly startTime: Date;
  readonly endTime?: Date;
  readonly startWalSegment: string;
  /** The last one that recovery must read to make it consistent. Absent for what old versions took on a standby or by pg_basebackup. */
  readonly endWalSegment?: string;
  /** Where recovery makes it consistent. Absent for backups of old versions. */
  readonly endLsn?: Lsn;
  /** Absent for backups of old versions. */
  readonly backupFrom?: BackupFrom;
  /** Absent: a plain tar. */
  readonly format?: string;
  readonly pgVersion?: number;
  readonly plainSize?: number;
  /** Stored bytes of all its parts, or of the main object where it is the only one. */
  readonly storedSize: number;
  readonly compression?: CompressionAlgorithm;
  readonly encryptionKeyId?: string;
  /** As stored, but with names in lower case. */
  readonly metadata: Metadata;
  /** Of the main object, as {@link ObjectEntry} has it. */
  readonly digest?: string;
}

/** Reads what any version of the original, or we, stored a base backup with. Throws `basebackup-unreadable`. */
export function parseBasebackupEntry(entry: ObjectEntry): BasebackupEntry {
  const metadata = normaliseMetadata(entry.metadata);
  const { key, size, lastModified } = entry;
  return {
    key,
    name: basebackupNameOf(key),
    size,
    lastModified,
    metadata,
    startTime: startTimeOf(key, metadata),
    startWalSegment: startWalSegmentOf(key, metadata),
    storedSize: parseCount(metadata['total-size-enc']) ?? size,
    ...(entry.digest !== undefined && { digest: entry.digest }),
    ...optionalFields(key, metadata),
  };
}

/** A base backup that can be restored without any stored WAL. */
export function holdsItsWal({ metadata }: Pick<BasebackupEntry, 'metadata'>): boolean {
  return metadata['active-backup-mode'] === 'standalone_hot_backup';
}

/** Where pghoard archives no WAL (`basic`), it is kept elsewhere. */
export function needsStoredWal(entry: Pick<BasebackupEntry, 'metadata'>): boolean {
  return !holdsItsWal(entry) && entry.metadata['active-backup-mode'] !== 'basic';
}

function optionalFields(key: string, metadata: Metadata): Partial<BasebackupEntry> {
  const fields: Partial<BasebackupEntry> = {
    endTime: parseTimestamp(metadata['end-time'] ?? ''),
    endWalSegment: isSegment(metadata['end-wal-segment']) ? metadata['end-wal-segment'] : undefined,
    endLsn: endLsnOf(metadata['end-lsn']),
    backupFrom: backupFromOf(metadata['backup-from']),
    format: metadata['format'] || undefined,
    pgVersion: parseCount(metadata['pg-version']),
    plainSize: parseCount(metadata['total-size-plain']) ?? parseCount(metadata['original-file-size']),
    compression: compressionOf(key, metadata),
    encryptionKeyId: metadata['encryption-key-id'] || undefined,
  } as Partial<BasebackupEntry>;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function startTimeOf(key: string, metadata: Metadata): Date {
  const text = metadata['start-time'];
  if (text === undefined) throw unreadable(key, 'its metadata has no start-time');
  return parseTimestamp(text) ?? unreadableValue(key, 'start-time', text);
}

function startWalSegmentOf(key: string, metadata: Metadata): string {
  const text = metadata['start-wal-segment'];
  if (text === undefined) throw unreadable(key, 'its metadata has no start-wal-segment');
  return isSegment(text) ? text : unreadableValue(key, 'start-wal-segment', text);
}

function compressionOf(key: string, metadata: Metadata): CompressionAlgorithm | undefined {
  try {
    return parseCompression(metadata['compression-algorithm']);
  } catch (cause) {
    throw unreadable(key, 'nobody knows its compression algorithm', cause);
  }
}

function backupFromOf(text: string | undefined): BackupFrom | undefined {
  return text === 'primary' || text === 'standby' ? text : undefined;
}

function endLsnOf(text: string | undefined): Lsn | undefined {
  return text !== undefined && /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/.test(text) ? parseLsn(text) : undefined;
}

function isSegment(text: string | undefined): text is string {
  return text !== undefined && /^[0-9A-F]{24}$/.test(text);
}

function unreadableValue(key: string, field: string, text: string): never {
  throw unreadable(key, `its ${field} is ${JSON.stringify(text)}`);
}

function unreadable(key: string, why: string, cause?: unknown): OperatorError {
  return new OperatorError('basebackup-unreadable', `${key} is not a base backup that can be used: ${why}`, {
    cause,
    hint: 'If something else put it there, move it away. If it was a backup, repair its metadata from a copy of the store.',
  });
}

export interface BasebackupDescription {
  readonly startTime: Date;
  readonly startWalSegment: string;
  readonly endTime?: Date | undefined;
  readonly endWalSegment?: string | undefined;
  readonly endLsn?: Lsn | undefined;
  readonly backupFrom?: BackupFrom | undefined;
  readonly compression: CompressionAlgorithm;
  /** Written by `basic` and `pipe` only, where one compression made the whole object. */
  readonly compressionLevel?: number | undefined;
  readonly encryptionKeyId?: string | undefined;
  readonly format?: string | undefined;
  /** Plaintext bytes of the main object: of the whole tar, or of the control tar of a chunked backup. */
  readonly plainBytes: number;
  /** Stored bytes of the main object. */
  readonly storedBytes: number;
  /** Sums over the chunks, without the main object; chunked backups only. */
  readonly totals?: { readonly plainBytes: number; readonly storedBytes: number } | undefined;
  readonly pgVersion: number;
  readonly host: string;
  readonly site: string;
  readonly activeBackupMode: string;
  readonly basebackupMode: string;
  readonly decisionTime: Date;
  readonly reason: 'scheduled' | 'requested';
  readonly normalizedTime?: Date | undefined;
  /** Formats `pghoard-bb-v1` only: the original reads tablespaces from the metadata there. */
  readonly tablespaces?: readonly { readonly oid: number; readonly name: string; readonly path: string }[] | undefined;
}

/** What the main object of a base backup is stored with. */
export function describeBasebackup(backup: BasebackupDescription): Metadata {
  const fields: Record<string, string | number | Date | undefined> = {
    'backup-decision-time': backup.decisionTime,
    'backup-reason': backup.reason,
    'normalized-backup-time': backup.normalizedTime,
    site: backup.site,
    'start-time': backup.startTime,
    'start-wal-segment': backup.startWalSegment,
    'end-time': backup.endTime,
    'end-wal-segment': backup.endWalSegment,
    'end-lsn': backup.endLsn === undefined ? undefined : formatLsn(backup.endLsn),
    'backup-from': backup.backupFrom,
    'pg-version': backup.pgVersion,
    'active-backup-mode': backup.activeBackupMode,
    'basebackup-mode': backup.basebackupMode,
    'compression-algorithm': backup.compression,
    'compression-level': backup.compressionLevel,
    format: backup.format,
    'original-file-size': backup.plainBytes,
    host: backup.host,
    'encryption-key-id': backup.encryptionKeyId,
    'total-size-plain': backup.totals?.plainBytes,
    'total-size-enc': backup.totals?.storedBytes,
    'Content-Length': backup.storedBytes,
  };
  for (const { oid, name, path } of backup.tablespaces ?? []) {
    fields[`tablespace-name-${oid}`] = name;
    fields[`tablespace-path-${oid}`] = path;
  }
  return metadataOf(fields, formatTimestamp);
}

/** What a chunk of a `pghoard-bb-v2` backup, a bundle of a delta backup (with the same `format`) or a delta file is stored with. */
export function chunkMetadata(chunk: {
  readonly compression: CompressionAlgorithm;
  readonly encryptionKeyId?: string | undefined;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly host: string;
  readonly format?: 'pghoard-bb-v2' | 'pghoard-delta-v2';
}): Metadata {
  const fields = {
    'compression-algorithm': chunk.compression,
    'encryption-key-id': chunk.encryptionKeyId,
    format: chunk.format ?? 'pghoard-bb-v2',
    'original-file-size': chunk.plainBytes,
    host: chunk.host,
    'Content-Length': chunk.storedBytes,
  };
  return metadataOf(fields, formatTimestamp);
}
