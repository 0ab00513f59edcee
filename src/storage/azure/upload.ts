import { createHash } from 'node:crypto';
import type { BlockBlobClient, BlockBlobCommitBlockListOptions } from '@azure/storage-blob';
import type { ObjectSource } from '../object-store.ts';
import { type Part, type PartLimits, partBytesFor, uploadInParts, wholeSource } from '../parts.ts';
import { uploadDiffers } from '../store-errors.ts';
import { type Attempt, azureCodeOf, withStoreErrors } from './errors.ts';
import { discardBlocks } from './unfinished.ts';

const mebibyte = 1024 * 1024;

/** Of Azure, since its version of 2019; smaller than that serves the memory. */
export const blockLimits: PartLimits = { partBytes: 8 * mebibyte, partBytesMax: 4000 * mebibyte, partsMax: 50_000 };

/** Blocks of one upload under way at once; with the one being read, what it holds in memory. */
const blocksAtOnce = 3;

/** Of the names of blocks: as in Microsoft's own libraries, so that what they left is rarely in the way; and what a number and some of a hash need. */
const nameBytesUsual = 48;
const nameBytesMin = 6;

export interface Upload {
  readonly blob: BlockBlobClient;
  readonly source: ObjectSource;
  readonly limits: PartLimits;
  readonly attempt: Attempt & { readonly key: string };
  /** Metadata, conditions, tier and so on. */
  readonly options: BlockBlobCommitBlockListOptions;
}

export interface Uploaded {
  readonly lastModified: Date;
  /** MD5, of what is not in blocks. */
  readonly digest?: string;
}

/** In one request where that is enough. Both ways what the store got is compared with what was sent by MD5, by itself and once more here. */
export async function upload(work: Upload): Promise<Uploaded> {
  return work.source.size <= work.limits.partBytes ? uploadWhole(work) : uploadBlocks(work);
}

async function uploadWhole({ blob, source, attempt, options }: Upload): Promise<Uploaded> {
  const { key, storeName, signal } = attempt;
  const bytes = await wholeSource(source, key, signal);
  const md5 = createHash('md5').update(bytes).digest();
  const stored = await withStoreErrors(attempt, () => blob.upload(bytes, bytes.length, { ...options, transactionalContentMD5: md5 }));
  const kept = stored.contentMD5 && Buffer.from(stored.contentMD5);
  if (!kept?.equals(md5) || !stored.lastModified)
    throw uploadDiffers(key, storeName, `its MD5 is ${kept ? kept.toString('hex') : 'not told'}`);
  return { lastModified: stored.lastModified, digest: md5.toString('hex') };
}

async function uploadBlocks(work: Upload): Promise<Uploaded> {
  const { source, limits, attempt } = work;
  const { key, storeName, signal } = attempt;
  const ids: string[] = [];
  const names = { bytes: nameBytesUsual };
  try {
    const partBytes = partBytesFor(source.size, limits, storeName);
    await uploadInParts(source, { key, partBytes, parallel: blocksAtOnce, signal }, async (part) => {
      // Blocks under way are let through where another one fails: they could still arrive once all were discarded.
      ids[part.number - 1] = await stageBlock(work, part, names);
    });
    return await commit(work, ids);
  } catch (error) {
    const discarded = discardBlocks(work.blob);
    // Who aborted does not wait for a store that may not answer.
    if (!signal?.aborted) await discarded;
    throw error;
  }
}

interface BlockNames {
  bytes: number;
}

/** All names of blocks waiting under one key must have the same length: where another program has left some, theirs. */
async function stageBlock({ blob, attempt, options }: Upload, part: Part, names: BlockNames): Promise<string> {
  const aborting = attempt.signal ? { abortSignal: attempt.signal } : {};
  const md5 = createHash('md5').update(part.bytes).digest();
  const stage = async (): Promise<string> => {
    const id = blockId(part.number, md5, names.bytes);
    await blob.stageBlock(id, part.bytes, part.bytes.length, { ...scopeOf(options), transactionalContentMD5: md5, ...aborting });
    return id;
  };
  return withStoreErrors(attempt, async () => {
    try {
      return await stage();
    } catch (error) {
      const bytes = azureCodeOf(error) === 'InvalidBlobOrBlock' ? await nameBytesOfWaiting(blob, aborting) : undefined;
      if (bytes === undefined || bytes < nameBytesMin) throw error;
      names.bytes = bytes;
      return stage();
    }
  });
}

/** Of what goes with the blob, blocks have to name this. */
function scopeOf({ encryptionScope }: BlockBlobCommitBlockListOptions): { encryptionScope?: string } {
  return encryptionScope === undefined ? {} : { encryptionScope };
}

/**
 * A block is named by its number and content. So an upload that is repeated replaces what it left before, and of two uploads of one key at the same time
 * neither can get blocks of the other under a name of its own.
 */
function blockId(number: number, md5: Buffer, bytes: number): string {
  const id = Buffer.alloc(bytes);
  id.writeUInt32BE(number);
  md5.copy(id, 4);
  return id.toString('base64');
}

async function nameBytesOfWaiting(blob: BlockBlobClient, aborting: { abortSignal?: AbortSignal }): Promise<number | undefined> {
  const { uncommittedBlocks } = await blob.getBlockList('uncommitted', aborting);
  const name = uncommittedBlocks?.[0]?.name;
  return name === undefined ? undefined : Buffer.from(name, 'base64').length;
}

async function commit({ blob, source, attempt, options }: Upload, ids: readonly string[]): Promise<Uploaded> {
  const { key, storeName } = attempt;
  const { etag } = await withStoreErrors(attempt, () => blob.commitBlockList([...ids], options));
  const {
    contentLength,
    lastModified,
    etag: now,
  } = await withStoreErrors({ ...attempt, what: `look at ${key}` }, () =>
    blob.getProperties(attempt.signal ? { abortSignal: attempt.signal } : {}),
  );
  const isOurs = etag !== undefined && now === etag;
  if (etag === undefined || !lastModified || (isOurs && contentLength !== source.size))
    throw uploadDiffers(key, storeName, `it has ${contentLength} bytes instead of ${source.size}`);
  return { lastModified };
}
