import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { defineJob, type JobContext } from '../codec/job.ts';
import { LentBuffer, lentBytes } from '../codec/lent-buffer.ts';
import { type CommonAttributes, embeddedBytesMax, fileHash, mtimeNsOf } from './delta-file.ts';
import { notAFile, openSource, sourceUnreadable } from './open-source.ts';
import { type PageCheck, PageChecker } from './page-check.ts';
import type { CopyReport } from './sealed-file.ts';

const bytesPerTurn = 16 * lentBytes;
/** A file that was small enough for the manifest and grew stays in it up to this; the rest of what grows that fast is in the WAL. */
const grownBytesMax = 64 * 1024;

export interface FileToRead {
  /** Absolute path to read from. */
  readonly source: string;
  /** Whether the content goes into the manifest; else it is hashed, unless it became so small that it goes there too. */
  readonly embed: boolean;
  /** Below PGDATA, for what is told of its pages. */
  readonly path?: string;
}

export interface FileAttributes extends CommonAttributes {
  /** Of what was read. */
  readonly size: number;
  readonly mtimeNs: number;
}

export type ReadFile =
  | { readonly gone: string }
  | (FileAttributes & { readonly base64: string })
  | (FileAttributes & { readonly hexdigest: string /** Pages with wrong checksums. */; readonly damaged?: readonly string[] });

/** Reads files of a running cluster, none further than to the size it had when opened: small ones whole, large ones to learn their hash. */
export const readDeltaFiles = defineJob(
  import.meta.url,
  'readDeltaFiles',
  async (
    { files, pages }: { readonly files: readonly FileToRead[]; readonly pages?: PageCheck | undefined },
    context,
  ): Promise<ReadFile[]> => {
    using lent = new LentBuffer();
    const done: ReadFile[] = [];
    for (const file of files) done.push(await readOne(file, pages, lent.bytes, context));
    return done;
  },
);

async function readOne(
  { source, embed, path = '' }: FileToRead,
  check: PageCheck | undefined,
  buffer: Buffer,
  context: JobContext,
): Promise<ReadFile> {
  const opened = openSource(source);
  if ('gone' in opened) return opened;
  try {
    const stats = fstatSync(opened.fd);
    if (!stats.isFile()) return { gone: notAFile };
    const { mode, uid, gid, mtimeMs } = stats;
    const attributes = { mode: mode & 0o7777, uid, gid, mtimeNs: mtimeNsOf(mtimeMs) };
    if (embed || stats.size <= embeddedBytesMax) {
      const content = readContent(source, opened.fd, Math.min(stats.size, grownBytesMax), buffer);
      context.report({ bytes: content.length, files: 1 } satisfies CopyReport);
      return { ...attributes, size: content.length, base64: content.toString('base64') };
    }
    const hash = createHash(fileHash);
    const pages = PageChecker.of(path, opened.fd, check);
    const size = await readThrough(source, opened.fd, stats.size, buffer, context, (bytes, position) => {
      hash.update(bytes);
      pages?.look(bytes, position);
    });
    context.report({ bytes: 0, files: 1 } satisfies CopyReport);
    return { ...attributes, size, hexdigest: hash.digest('hex'), ...(pages && { damaged: pages.damaged }) };
  } finally {
    closeSync(opened.fd);
  }
}

function readContent(source: string, fd: number, bytesMax: number, buffer: Buffer): Buffer {
  const got = readPiece(source, fd, buffer, bytesMax, 0);
  return buffer.subarray(0, got);
}

/** Reads up to `bytesMax`; a file that became shorter ends earlier. Returns how much there was. */
async function readThrough(
  source: string,
  fd: number,
  bytesMax: number,
  buffer: Buffer,
  context: JobContext,
  sink: (bytes: Buffer, position: number) => void,
): Promise<number> {
  let untold = 0;
  for (let position = 0; ; ) {
    const got = readPiece(source, fd, buffer, Math.min(buffer.length, bytesMax - position), position);
    if (got > 0) sink(buffer.subarray(0, got), position);
    position += got;
    untold += got;
    if (got > 0 && untold < bytesPerTurn) continue;
    context.report({ bytes: untold, files: 0 } satisfies CopyReport);
    untold = 0;
    await nextTurn();
    context.signal.throwIfAborted();
    if (got === 0) return position;
  }
}

export function readPiece(source: string, fd: number, buffer: Buffer, bytes: number, position: number): number {
  try {
    return bytes === 0 ? 0 : readSync(fd, buffer, 0, bytes, position);
  } catch (error) {
    throw sourceUnreadable(source, error);
  }
}
