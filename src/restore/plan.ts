import { stat } from 'node:fs/promises';
import { type BackupFormat, formatOf, hasManifest } from '../catalog/backup-format.ts';
import { type BackupTablespace, tablespacesOfManifest, tablespacesOfMetadata } from '../catalog/backup-tablespaces.ts';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { fileCount, type Manifest } from '../catalog/manifest.ts';
import { manifestInvalid } from '../catalog/manifest-stream.ts';
import type { StoredObject } from '../catalog/stored-object.ts';
import type { JobRunner } from '../codec/pool.ts';
import type { StorageOptions } from '../storage/options.ts';
import type { Layout } from './layout.ts';
import { readManifest } from './read-manifest.job.ts';
import { placeTablespaces, type TablespaceWishes, tablespacesMappedByOid } from './tablespaces.ts';

/** A site whose base backups may be restored. */
export interface RestoreSource {
  readonly site: string;
  readonly catalog: Catalog;
  /** For worker threads, which open the store themselves. */
  readonly storage: StorageOptions;
  /** PEM by key id. */
  readonly privateKeys: Readonly<Record<string, string>>;
  /** Base backups may be kept for themselves, without the WAL behind them (`keep`). */
  readonly keepsAlone?: boolean;
}

export interface RestorePlan {
  readonly source: RestoreSource;
  readonly entry: BasebackupEntry;
  readonly layout: Layout;
  /** Largest first, so that no thread is left alone with a large one at the end. */
  readonly parts: readonly StoredObject[];
  readonly storedBytes: number;
  /** Of the tars, which is a little more than that of the files; undefined where the backup does not say. */
  readonly plainBytes: number | undefined;
  readonly fileCount: number | undefined;
  /** Files that are in none of the parts; present in delta backups. */
  readonly delta: DeltaPart | undefined;
}

export interface DeltaPart {
  /** Its manifest lists them. */
  readonly main: StoredObject;
  /** Absent in backups of the original. */
  readonly attributes: Manifest['attributes'];
}

export interface PlanRequest {
  /** Absolute. */
  readonly dataDirectory: string;
  readonly tablespaces: TablespaceWishes;
}

/** Finds out what is to be fetched and where it goes. Reads the manifest, writes nothing. */
export async function planRestore(
  source: RestoreSource,
  entry: BasebackupEntry,
  request: PlanRequest,
  deps: { readonly pool: JobRunner; readonly signal: AbortSignal },
): Promise<RestorePlan> {
  const format = formatOf(entry);
  const main = mainObjectOf(source, entry, format);
  const manifest = hasManifest(format) ? await deps.pool.run(readManifest, main, { signal: deps.signal }) : undefined;
  const tablespaces = await placeTablespaces(tablespacesOf(entry, format, manifest, request.tablespaces), request.tablespaces, isDirectory);
  const parts = [main, ...(manifest ? chunksOf(source, main, manifest, format) : [])];
  const delta = format === 'pghoard-delta' ? manifest?.manifest : undefined;
  if (format === 'pghoard-delta' && !delta) throw manifestInvalid('it does not list the files of a delta backup');
  return {
    source,
    entry,
    layout: { format, dataDirectory: request.dataDirectory, tablespaces },
    parts: parts.toSorted((a, b) => (b.storedBytes ?? 0) - (a.storedBytes ?? 0)),
    storedBytes: delta ? entry.size + delta.upload_result.total_stored_size : parts.reduce((sum, part) => sum + (part.storedBytes ?? 0), 0),
    plainBytes: entry.plainSize,
    fileCount: delta ? delta.snapshot_result.files : manifest?.chunks.reduce((sum, chunk) => sum + fileCount(chunk), 0),
    delta: delta && { main, attributes: manifest?.attributes },
  };
}

function mainObjectOf({ storage, privateKeys }: RestoreSource, entry: BasebackupEntry, format: BackupFormat): StoredObject {
  return {
    storage,
    key: entry.key,
    storedBytes: entry.size,
    // In a backup of several objects `plainSize` is that of the others.
    plainBytes: hasManifest(format) ? undefined : entry.plainSize,
    privateKeys,
  };
}

function chunksOf({ catalog: { keys } }: RestoreSource, main: StoredObject, manifest: Manifest, format: BackupFormat): StoredObject[] {
  return manifest.chunks.map((chunk) => ({
    ...main,
    key: format === 'pghoard-delta' ? keys.deltaChunkFile(chunk.chunk_filename) : keys.chunkFile(chunk.chunk_filename),
    storedBytes: chunk.result_size,
    storedSha256: chunk.result_sha256,
    plainBytes: chunk.input_size,
  }));
}

function tablespacesOf(
  entry: BasebackupEntry,
  format: BackupFormat,
  manifest: Manifest | undefined,
  wishes: TablespaceWishes,
): BackupTablespace[] {
  if (manifest) return tablespacesOfManifest(manifest);
  return format === 'pghoard-bb-v1' ? tablespacesOfMetadata(entry.metadata) : tablespacesMappedByOid(wishes);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
