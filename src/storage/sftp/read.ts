import { systemClock } from '../../lib/clock.ts';
import { ifThere } from '../files/file-tree.ts';
import { sidecarOf } from '../files/names.ts';
import { digestIn, metadataFrom } from '../files/sidecar.ts';
import type { ByteRange, Metadata } from '../object-store.ts';
import { bodyCutShort, objectChanged } from '../store-errors.ts';
import { readPipelined } from './pipelined.ts';
import { type SftpTree, treeStats } from './sftp-tree.ts';

/** How often data and metadata are looked at until they belong together, and how long between. */
const looksMax = 25;
const lookDelayMs = 20;
/** Where files are not replaced at once, data may be missing for a moment. */
const looksForDataMax = 5;

export interface FoundObject {
  readonly size: number;
  readonly lastModified: Date;
  readonly sidecarText: string;
  readonly metadata: Metadata;
  readonly digest: string | undefined;
}

/**
 * Data and metadata that belong together, `incomplete` where the data has no metadata, or `undefined` where there is no object.
 *
 * New data never stands beside old metadata (files/publish.ts), and a session answers in the order of the questions. So the metadata is opened before the
 * data is looked at and once more after it: if it is the same, the data is what it tells of.
 */
export async function findObject(tree: SftpTree, path: string): Promise<FoundObject | 'incomplete' | undefined> {
  const sidecar = sidecarOf(path);
  for (let look = 1; ; look++) {
    const [before, data, after] = await lookAt(tree, path);
    if (data && !data.isFile()) return undefined;
    if (!data && (tree.replacesAtOnce || look >= looksForDataMax)) return undefined;
    if (data && before.text !== undefined && before.text === after.text) {
      const metadata = metadataFrom(sidecar, before.text);
      return { size: data.size, lastModified: data.mtime, sidecarText: before.text, metadata, digest: digestIn(before.text) };
    }
    if (data && after.error !== undefined) throw after.error;
    if (data && look >= looksMax) return 'incomplete';
    await systemClock.sleep(lookDelayMs);
  }
}

function lookAt(tree: SftpTree, path: string) {
  const sidecar = () => tree.readSidecar(sidecarOf(path)).then(asText, asError);
  return Promise.all([sidecar(), ifThere(tree, tree.stat(path)), sidecar()]);
}

/** Metadata that cannot be read matter only where there is data. */
interface SidecarLook {
  readonly text?: string | undefined;
  readonly error?: Error;
}

function asText(text: string | undefined): SidecarLook {
  return { text };
}

function asError(error: Error): SidecarLook {
  return { error };
}

/** The object's bytes, if they are still those that were found before. The file is only open while somebody reads. */
export async function* readObject(
  tree: SftpTree,
  path: string,
  found: FoundObject,
  range: ByteRange,
  names: { readonly key: string; readonly store: string },
): AsyncGenerator<Uint8Array> {
  const expected = range.end - range.start;
  if (expected === 0) return;
  const opening = ifThere(tree, tree.channel.open(path, 'r'));
  const [handle, sidecarText] = await Promise.all([opening, tree.readSidecar(sidecarOf(path))]);
  if (!handle) throw objectChanged(names.key, names.store);
  let done = 0;
  try {
    const now = treeStats(await tree.channel.fstat(handle));
    const isSame = now.size === found.size && now.mtime.getTime() === found.lastModified.getTime() && sidecarText === found.sidecarText;
    if (!isSame) throw objectChanged(names.key, names.store);
    for await (const piece of readPipelined(tree.channel, handle, range)) {
      done += piece.length;
      yield piece;
    }
  } finally {
    tree.channel.close(handle).catch(() => {});
  }
  if (done < expected) throw bodyCutShort(names.key, names.store, expected, done);
}
