import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import type { UnsealOptions } from '../codec/codec-options.ts';
import { unsealFile } from '../codec/files.ts';
import { defineJob } from '../codec/job.ts';
import { LentBuffer } from '../codec/lent-buffer.ts';
import { isOperatorError, OperatorError, systemErrorCode } from '../lib/errors.ts';
import type { SeenCluster } from '../postgres/seen-cluster.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { parseWalPageHeader, walHeaderBytes } from '../postgres/wal-page.ts';
import { checkContent } from './wal-source.ts';

export interface UnsealWalInput {
  readonly name: string;
  /** Whose content this is, for messages. */
  readonly origin: string;
  /** The object's bytes as they came from the store. */
  readonly sealedPath: string;
  /** They are the store's own, and are not removed. */
  readonly isSealedKept: boolean;
  /** Where the plain file goes once it has proved to be what its name says. */
  readonly plainPath: string;
  readonly unseal: UnsealOptions & { readonly plainHash: string };
  /** From the object's metadata, by the same algorithm. */
  readonly expectedHash?: string;
  /** Of which it must be, where that is known for certain. */
  readonly cluster?: SeenCluster;
}

export interface PlainWal {
  readonly bytes: number;
  readonly hash: string;
  /** Of a segment, from its own header. */
  readonly segmentBytes?: number;
}

export interface VerifyWalInput {
  readonly path: string;
  readonly bytes: number;
  readonly hash: string;
  /** As node:crypto names it. */
  readonly hashAlgorithm: string;
}

/** Where it is until it is whole. A worker that dies leaves it behind. */
export function temporaryPlainOf(plainPath: string): string {
  return `${plainPath}.plain.tmp`;
}

/** Fetched object → plain WAL file, checked by hash (where the store has one) and by its own header. Throws `object-corrupt`, `cluster-mismatch`. */
export const unsealWal = defineJob(import.meta.url, 'unsealWal', async (input: UnsealWalInput, { signal }): Promise<PlainWal> => {
  const temporary = temporaryPlainOf(input.plainPath);
  try {
    const { plainBytes, plainHash } = await unsealFile(input.sealedPath, temporary, input.unseal, { signal, isDurable: false });
    if (plainHash === undefined || (input.expectedHash !== undefined && plainHash !== input.expectedHash)) throw hashDiffers(input);
    const segmentBytes = checkPlainFile(input, temporary, plainBytes);
    renameSync(temporary, input.plainPath);
    return { bytes: plainBytes, hash: plainHash, ...(segmentBytes !== undefined && { segmentBytes }) };
  } finally {
    rmSync(temporary, { force: true });
    if (!input.isSealedKept) rmSync(input.sealedPath, { force: true });
  }
});

/** Whether a file that was fetched earlier is still there as it was. */
export const verifyWal = defineJob(import.meta.url, 'verifyWal', async (input: VerifyWalInput): Promise<boolean> => {
  try {
    return hashOfFile(input) === input.hash;
  } catch (error) {
    if (systemErrorCode(error) !== undefined) return false;
    throw error;
  }
});

function hashOfFile({ path, bytes, hashAlgorithm }: VerifyWalInput): string | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    if (fstatSync(fd).size !== bytes) return undefined;
    const hash = createHash(hashAlgorithm);
    using lent = new LentBuffer();
    for (let length = readSync(fd, lent.bytes); length > 0; length = readSync(fd, lent.bytes)) hash.update(lent.bytes.subarray(0, length));
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}

/** Segment size by the file's own header; `undefined` for a history file. */
function checkPlainFile(input: UnsealWalInput, path: string, plainBytes: number): number | undefined {
  const isHistory = classifyWalFile(input.name) === 'history';
  const first = readFirst(path, isHistory ? Math.min(plainBytes, 1 << 20) : walHeaderBytes);
  try {
    checkContent(input.name, first, plainBytes, input.cluster ?? {});
    return isHistory ? undefined : parseWalPageHeader(first).long?.segmentBytes;
  } catch (error) {
    if (!isOperatorError(error)) throw error;
    if (error.code === 'cluster-mismatch') throw ofOtherCluster(input, error);
    throw corrupt(input, 'is not what its name says', error);
  }
}

function readFirst(path: string, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  const fd = openSync(path, 'r');
  try {
    return buffer.subarray(0, readSync(fd, buffer, 0, bytes, 0));
  } finally {
    closeSync(fd);
  }
}

function hashDiffers(input: UnsealWalInput): OperatorError {
  return corrupt(input, 'does not have the content that its metadata promises');
}

function ofOtherCluster({ name, origin }: UnsealWalInput, cause: OperatorError): OperatorError {
  return new OperatorError('cluster-mismatch', `stored WAL ${name} in ${origin} is not of the cluster of its site`, {
    cause,
    hint: 'Another program has stored it since the site got its identity. Recovery must not end here unseen: remove the object, or bring back the right one.',
  });
}

function corrupt(input: UnsealWalInput, what: string, cause?: unknown): OperatorError {
  return new OperatorError('object-corrupt', `stored WAL ${input.name} in ${input.origin} ${what}`, {
    ...(cause !== undefined && { cause }),
    hint: 'Recovery cannot go past this segment from here. Look for a copy in the pg_wal of the server or its standbys and archive it again.',
  });
}
