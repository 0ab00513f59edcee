import type { BackupFormat } from '../catalog/backup-format.ts';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { ObjectInfo } from '../storage/object-store.ts';
import { sumOfMain } from './survey-backups.ts';

/** The objects of a base backup as they are listed, but for those that delta backups share. */
export interface BackupObjects {
  /** By their keys, without the main object. */
  readonly parts: ReadonlyMap<string, ObjectInfo>;
  /** Of all, main object included. */
  readonly bytes: number;
  /** Another one: something has changed. */
  readonly sum: string;
}

export async function listBackupObjects(
  { store, keys }: Catalog,
  entry: BasebackupEntry,
  format: BackupFormat,
  signal: AbortSignal,
): Promise<BackupObjects> {
  const sum = sumOfMain(entry);
  const parts = new Map<string, ObjectInfo>();
  let bytes = entry.size;
  const prefix = format === 'pghoard-bb-v2' ? keys.chunkPrefix(entry.name) : keys.deltaChunkPrefix(entry.name);
  if (format === 'pghoard-bb-v2' || format === 'pghoard-delta') {
    for await (const part of store.list(prefix, { signal })) {
      parts.set(part.key, part);
      bytes += part.size;
      sum.addObject({ name: part.key, size: part.size, lastModified: part.lastModified });
    }
  }
  return { parts, bytes, sum: String(sum) };
}
