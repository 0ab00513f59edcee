import type { BlobItem, BlockBlobClient } from '@azure/storage-blob';
import { azureCodeOf } from './errors.ts';

/** What an upload left is not worth waiting for. */
const discardMs = 10_000;

/** Seconds, the shortest that Azure has. */
const leaseSeconds = 15;

/**
 * Takes away the blocks of an upload that failed. As good as it goes: Azure does so by itself after a week, and counts nothing else upon it.
 */
export async function discardBlocks(blob: BlockBlobClient): Promise<void> {
  try {
    await removeUncommitted(blob, AbortSignal.timeout(discardMs));
  } catch {}
}

/** Whether an item of a listing may be blocks of which no blob has been made. */
export function mayBeUncommitted({ properties }: BlobItem, before: Date): boolean {
  // Their time may be missing. What was begun later than `before` may be under way.
  const { contentLength, lastModified } = properties;
  return (contentLength ?? 0) === 0 && (lastModified === undefined || Number.isNaN(lastModified.getTime()) || lastModified < before);
}

/**
 * Resolves to whether there were blocks without a blob and they are gone. A lease, which Azure gives on such blocks too, keeps anybody from
 * making a blob of them between the look and the deletion: a blob is never deleted here.
 */
export async function removeUncommitted(blob: BlockBlobClient, signal: AbortSignal | undefined): Promise<boolean> {
  const options = signal ? { abortSignal: signal } : {};
  if (await isBlob(blob, options)) return false;
  const lease = blob.getBlobLeaseClient();
  try {
    await lease.acquireLease(leaseSeconds, options);
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
  if (!(await isBlob(blob, options)) && (await isDeleted(blob, lease.leaseId, options))) return true;
  await lease.releaseLease(options);
  return false;
}

interface Abortable {
  readonly abortSignal?: AbortSignal;
}

async function isBlob(blob: BlockBlobClient, options: Abortable): Promise<boolean> {
  try {
    await blob.getProperties(options);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

async function isDeleted(blob: BlockBlobClient, leaseId: string, options: Abortable): Promise<boolean> {
  try {
    await blob.delete({ ...options, conditions: { leaseId } });
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return azureCodeOf(error) === 'BlobNotFound';
}
