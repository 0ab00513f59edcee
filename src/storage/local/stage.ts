import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, lstat, open, rm, utimes } from 'node:fs/promises';
import { systemErrorCode } from '../../lib/errors.ts';
import { whileItGrows } from '../../lib/while-it-grows.ts';
import { abortable } from '../abortable.ts';
import { temporaryIn } from '../files/names.ts';
import type { StagedFiles } from '../files/publish.ts';
import { formatSidecar } from '../files/sidecar.ts';
import { sourceUnreadable } from '../object-source.ts';
import type { Metadata, ObjectSource } from '../object-store.ts';
import { sourceSizeWrong } from '../store-errors.ts';

export interface Staged extends StagedFiles {
  readonly lastModified: Date;
  /** Removes what was not put in place. */
  discard(): Promise<void>;
}

export interface StageRequest {
  readonly key: string;
  readonly source: ObjectSource;
  readonly metadata: Metadata;
  /** Without a hash of its content beside it, so that it can be replaced in one step. */
  readonly isShortLived?: boolean | undefined;
  readonly signal: AbortSignal | undefined;
  readonly now: Date;
}

export async function stage(directory: string, request: StageRequest): Promise<Staged> {
  const dataPath = temporaryIn(directory);
  const sidecarPath = temporaryIn(directory);
  const discard = async () => {
    await rm(dataPath, { force: true });
    await rm(sidecarPath, { force: true });
  };
  try {
    const { file } = request.source;
    const sha256 = file === undefined ? await writeStream(dataPath, request) : await takeFile(file, dataPath, request);
    const sidecarText = formatSidecar(request.metadata, request.isShortLived ? undefined : sha256);
    await writeDurably(sidecarPath, sidecarText);
    request.signal?.throwIfAborted();
    const { mtime } = await lstat(dataPath);
    return { dataPath, sidecarPath, sidecarText, lastModified: mtime, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

/** Bytes pass through our hands anyway, so their hash is recorded as the original does. */
async function writeStream(to: string, { key, source, signal }: StageRequest): Promise<string> {
  const hash = createHash('sha256');
  let written = 0;
  await using file = await open(to, 'wx', 0o600);
  for await (const piece of abortable(source.open(), signal)) {
    written += piece.length;
    if (written > source.size) throw sourceSizeWrong(key, source.size, written);
    hash.update(piece);
    await file.writeFile(piece);
  }
  if (written !== source.size) throw sourceSizeWrong(key, source.size, written);
  await file.sync();
  return hash.digest('hex');
}

/** A second name for the same bytes where the file system allows it, else a copy made by the kernel. No hash: the bytes are not read here. */
async function takeFile(from: string, to: string, { key, source, signal, now }: StageRequest): Promise<undefined> {
  signal?.throwIfAborted();
  const { size, isLink } = await describeSource(from);
  if (!isLink && size !== source.size) throw sourceSizeWrong(key, source.size, size);
  if (isLink || !(await tryLink(from, to))) await whileItGrows(to, source.onProgress, () => copyDurably(from, to));
  const stored = await lstat(to);
  if (stored.size !== source.size) throw sourceSizeWrong(key, source.size, stored.size);
  await utimes(to, now, now);
}

async function describeSource(path: string): Promise<{ size: number; isLink: boolean }> {
  try {
    const found = await lstat(path);
    return { size: found.size, isLink: found.isSymbolicLink() };
  } catch (error) {
    throw sourceUnreadable(path, error);
  }
}

/** EPERM and EACCES: files of other users may not be linked (`protected_hardlinks`), but perhaps read. */
const noLinkCodes: ReadonlySet<string> = new Set(['EXDEV', 'EPERM', 'EACCES', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (noLinkCodes.has(systemErrorCode(error) ?? '')) return false;
    throw error;
  }
}

async function copyDurably(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  await using file = await open(to, 'r');
  await file.sync();
}

async function writeDurably(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(text);
  await file.sync();
}
