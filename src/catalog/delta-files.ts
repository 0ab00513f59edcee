import { type DigestSet, isDigest } from '../lib/digest-set.ts';
import { isOperatorError, OperatorError } from '../lib/errors.ts';
import { forEachLimited } from '../lib/limiter.ts';
import { deleteAll } from '../storage/delete-many.ts';
import { headIfThere } from '../storage/head-if-there.ts';
import type { Metadata, ObjectEntry, ObjectInfo } from '../storage/object-store.ts';
import type { Catalog } from './catalog.ts';

/**
 * The files that delta backups share, each an object named by the hash of its content, and our index of them: one object per backup with the
 * hashes it needs, a line each, neither compressed nor encrypted, so that a host without the private key can tell what may be deleted.
 * An index goes into the store before the main object of its backup and out of it last.
 */

const requestsMax = 8;
/** So few files are asked for one by one; for more, listing all there are is cheaper. */
const headsMax = 500;
const linesPerPiece = 1000;

export const deltaIndexMetadata: Metadata = { format: 'pghoard-delta-index-1' };

/** The bytes of an index, piece by piece. */
export function* deltaIndexText(digests: Iterable<string>): Generator<string> {
  let lines: string[] = [];
  for (const digest of digests) {
    lines.push(`${digest}\n`);
    if (lines.length < linesPerPiece) continue;
    yield lines.join('');
    lines = [];
  }
  yield lines.join('');
}

/** The hashes in the index of a backup. `undefined` where it has none: the original writes none. */
export async function readDeltaIndex(
  { store, keys }: Catalog,
  name: string,
  into: (digest: string) => void,
  signal?: AbortSignal,
): Promise<boolean> {
  const key = keys.deltaIndex(name);
  try {
    const { bytes } = await store.get(key, { signal });
    let rest = '';
    for await (const piece of bytes) {
      const lines = (rest + Buffer.from(piece).toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) into(digestIn(line, key));
    }
    if (rest !== '') digestIn(`${rest} (cut off)`, key);
    return true;
  } catch (error) {
    if (isOperatorError(error, 'object-missing')) return false;
    throw error;
  }
}

/** All indexes, those of backups that are not or no longer complete too. */
export async function* deltaIndexes({ store, keys }: Catalog, signal?: AbortSignal): AsyncGenerator<{ name: string; lastModified: Date }> {
  for await (const { key, lastModified } of store.list(keys.deltaIndexPrefix, { signal })) {
    yield { name: key.slice(keys.deltaIndexPrefix.length), lastModified };
  }
}

/** All files of delta backups that the store has. */
export async function* deltaFiles(
  { store, keys }: Catalog,
  signal?: AbortSignal,
): AsyncGenerator<Pick<ObjectInfo, 'key' | 'lastModified'> & { digest: string }> {
  for await (const { key, lastModified } of store.list(keys.deltaFilesPrefix, { signal })) {
    const digest = key.slice(keys.deltaFilesPrefix.length);
    if (isDigest(digest)) yield { key, lastModified, digest };
  }
}

export async function findDeltaFile({ store, keys }: Catalog, digest: string, signal?: AbortSignal): Promise<ObjectEntry | undefined> {
  return headIfThere(store, keys.deltaFile(digest), signal);
}

/** Throws `delta-file-missing` (retryable) unless the store has all of them. */
export async function requireDeltaFiles(catalog: Catalog, digests: DigestSet, signal?: AbortSignal): Promise<void> {
  if (digests.size > headsMax && (await countListed(catalog, digests, signal)) === digests.size) return;
  // A listing may be out of date where the store is not strictly consistent; an answer about one object is not.
  await forEachLimited(digests, requestsMax, async (digest) => {
    if (await findDeltaFile(catalog, digest, signal)) return;
    throw new OperatorError(
      'delta-file-missing',
      `${catalog.keys.deltaFile(digest)} was deleted while the base backup that needs it was taken`,
      {
        retryable: true,
        hint: 'Does another host delete base backups under the same prefix? The base backup is tried again.',
      },
    );
  });
}

/** Removes those files of a failed backup that no index names. */
export async function removeUnclaimed(catalog: Catalog, digests: DigestSet, signal?: AbortSignal): Promise<void> {
  if (digests.size === 0) return;
  const claimed = new Set<string>();
  for await (const { name } of deltaIndexes(catalog, signal)) {
    await readDeltaIndex(catalog, name, (digest) => void (digests.has(digest) && claimed.add(digest)), signal);
  }
  await deleteAll(catalog.store, unclaimedKeys(catalog, digests, claimed), { signal });
}

function* unclaimedKeys({ keys }: Catalog, digests: DigestSet, claimed: ReadonlySet<string>): Generator<string> {
  for (const digest of digests) if (!claimed.has(digest)) yield keys.deltaFile(digest);
}

async function countListed(catalog: Catalog, digests: DigestSet, signal?: AbortSignal): Promise<number> {
  let count = 0;
  for await (const { digest } of deltaFiles(catalog, signal)) if (digests.has(digest)) count++;
  return count;
}

function digestIn(line: string, key: string): string {
  if (isDigest(line)) return line;
  throw new OperatorError('delta-index-damaged', `${key} is damaged: it holds a line that is no hash`, {
    hint: 'Nothing that delta backups share is deleted until it is whole again or removed with the backup of that name.',
  });
}
