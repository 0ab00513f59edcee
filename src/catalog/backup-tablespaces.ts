import type { Metadata } from '../storage/object-store.ts';
import type { Manifest } from './manifest.ts';

/** A tablespace as the backup names it. */
export interface BackupTablespace {
  readonly name: string;
  readonly oid: number;
  /** Of its directory at the source. */
  readonly path: string;
}

/** From the pairs `tablespace-name-<oid>`, `tablespace-path-<oid>` that `pghoard-bb-v1` keeps in its metadata. */
export function tablespacesOfMetadata(metadata: Metadata): BackupTablespace[] {
  return Object.entries(metadata).flatMap(([key, name]) => {
    const oid = /^tablespace-name-(\d+)$/.exec(key)?.[1];
    return oid === undefined ? [] : [{ name, oid: Number(oid), path: metadata[`tablespace-path-${oid}`] ?? '' }];
  });
}

export function tablespacesOfManifest(manifest: Manifest): BackupTablespace[] {
  return Object.entries(manifest.tablespaces).map(([name, { oid, path }]) => ({ name, oid, path }));
}
