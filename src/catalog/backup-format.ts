import { OperatorError } from '../lib/errors.ts';
import type { BasebackupEntry } from './basebackup-entry.ts';

/** `raw`: the tar that pg_basebackup wrote, stored without a `format` in its metadata. The others as in docs/FORMAT.md. */
export type BackupFormat = 'raw' | 'pghoard-bb-v1' | 'pghoard-bb-v2' | 'pghoard-delta';

/** Throws `basebackup-format-unsupported`. */
export function formatOf({ key, format }: Pick<BasebackupEntry, 'key' | 'format'>): BackupFormat {
  if (format === undefined) return 'raw';
  if (format === 'pghoard-bb-v1' || format === 'pghoard-bb-v2') return format;
  if (format === 'pghoard-delta-v1' || format === 'pghoard-delta-v2') return 'pghoard-delta';
  throw new OperatorError('basebackup-format-unsupported', `${key} has the format '${format}', which this version cannot restore`, {
    hint: 'Choose another base backup with --basebackup, or restore this one with the version of pghoard that wrote it.',
  });
}

/** Whether the backup is in several objects, of which the main one lists the others. */
export function hasManifest(format: BackupFormat): boolean {
  return format === 'pghoard-bb-v2' || format === 'pghoard-delta';
}
