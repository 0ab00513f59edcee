import { z } from 'zod';
import type { Catalog } from '../catalog/catalog.ts';
import { isOperatorError } from '../lib/errors.ts';
import { formatJson } from '../lib/json.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import { type FolderEvidence, folderSchema, nothingProven } from './proven.ts';

const count = z.int().nonnegative();

/** Of a base backup that has not been read to its end. */
const unfinishedSchema = z.object({
  format: z.literal(1),
  begun_at: z.iso.datetime(),
  /** Of its objects; with another one it is begun anew. */
  sum: z.string(),
  bytes: count,
  /** Numbers of the parts that have been read and are sound, as ranges. */
  read: z.array(z.tuple([count, count])),
});

export type UnfinishedBackup = z.output<typeof unfinishedSchema>;

/** Folders of which nobody else wants to know. */
export type NotedFolder = 'xlog_partial' | 'basebackup_delta';

/** Larger ones are none of ours: a run for every 4096 objects. */
const bytesMax = 4 * 1024 * 1024;

export function backupProgressKey({ keys }: Catalog, name: string): string {
  return keys.verifyProgressOfBasebackup(name);
}

export async function readBackupProgress(catalog: Catalog, name: string, signal: AbortSignal): Promise<UnfinishedBackup | undefined> {
  return read(catalog, backupProgressKey(catalog, name), unfinishedSchema, signal);
}

export async function writeBackupProgress(catalog: Catalog, name: string, progress: UnfinishedBackup, signal: AbortSignal): Promise<void> {
  await write(catalog, backupProgressKey(catalog, name), progress, signal);
}

export async function forgetBackupProgress(catalog: Catalog, name: string, signal: AbortSignal): Promise<void> {
  await catalog.store.delete(backupProgressKey(catalog, name), { signal });
}

export async function readFolder(catalog: Catalog, folder: NotedFolder, signal: AbortSignal): Promise<FolderEvidence> {
  return (await read(catalog, catalog.keys.verifyProgressPrefix + folder, folderSchema, signal)) ?? nothingProven;
}

export async function writeFolder(catalog: Catalog, folder: NotedFolder, evidence: FolderEvidence, signal: AbortSignal): Promise<void> {
  await write(catalog, catalog.keys.verifyProgressPrefix + folder, evidence, signal);
}

/** Undefined where there is none, or none that can be used: then everything is read anew. */
async function read<T>({ store }: Catalog, key: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    const { entry, bytes } = await store.get(key, { signal });
    if (entry.size > bytesMax) return undefined;
    const pieces: Uint8Array[] = [];
    for await (const piece of bytes) pieces.push(Uint8Array.from(piece));
    const parsed = schema.safeParse(JSON.parse(Buffer.concat(pieces).toString('utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || isOperatorError(error, 'object-missing', 'object-incomplete', 'object-unreadable'))
      return undefined;
    throw error;
  }
}

async function write({ store }: Catalog, key: string, document: object, signal: AbortSignal): Promise<void> {
  await store.put(key, sourceOfBytes(Buffer.from(formatJson(document))), { metadata: {}, isShortLived: true, signal });
}
