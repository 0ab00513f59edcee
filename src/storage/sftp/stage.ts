import { abortable } from '../abortable.ts';
import { temporaryIn } from '../files/names.ts';
import type { StagedFiles } from '../files/publish.ts';
import { formatSidecar } from '../files/sidecar.ts';
import type { Metadata, ObjectSource } from '../object-store.ts';
import { sourceSizeWrong } from '../store-errors.ts';
import { writePipelined } from './pipelined.ts';
import type { SftpTree } from './sftp-tree.ts';

export interface StageRequest {
  readonly key: string;
  readonly source: ObjectSource;
  readonly metadata: Metadata;
  readonly signal: AbortSignal | undefined;
}

/** Writes data and metadata under temporary names, flushed as far as the server can. */
export async function stage(tree: SftpTree, directory: string, request: StageRequest): Promise<StagedFiles> {
  const sidecarText = formatSidecar(request.metadata);
  const staged = { dataPath: temporaryIn(directory), sidecarPath: temporaryIn(directory), sidecarText };
  const data = await openIn(tree, directory, staged.dataPath);
  const written = await Promise.allSettled([
    writeAll(tree, data, abortable(piecesOf(request), request.signal)),
    tree.channel.open(staged.sidecarPath, 'wx').then((handle) => writeAll(tree, handle, [Buffer.from(sidecarText)])),
  ]);
  const failed = written.find((part) => part.status === 'rejected');
  if (!failed) return staged;
  const reason = await tree.examined(failed.reason, directory);
  await discard(tree, staged);
  throw reason;
}

/** Removes what was not put in place. */
export async function discard(tree: SftpTree, { dataPath, sidecarPath }: StagedFiles): Promise<void> {
  await Promise.allSettled([tree.remove(dataPath), tree.remove(sidecarPath)]);
}

async function openIn(tree: SftpTree, directory: string, path: string): Promise<Buffer> {
  try {
    return await tree.channel.open(path, 'wx');
  } catch (error) {
    if (!tree.isAbsent(error)) throw error;
    await tree.makeDirectory(directory);
    return await tree.channel.open(path, 'wx');
  }
}

async function* piecesOf({ key, source }: StageRequest): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of source.open()) {
    bytes += piece.length;
    if (bytes > source.size) throw sourceSizeWrong(key, source.size, bytes);
    yield piece;
  }
  if (bytes !== source.size) throw sourceSizeWrong(key, source.size, bytes);
}

async function writeAll(tree: SftpTree, handle: Buffer, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
  const { channel } = tree;
  try {
    await writePipelined(channel, handle, pieces);
    if (channel.has('fsync@openssh.com')) await channel.fsync(handle);
  } catch (error) {
    channel.close(handle).catch(() => {});
    throw error;
  }
  await channel.close(handle);
}
