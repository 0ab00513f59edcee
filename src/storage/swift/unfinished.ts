import { isOperatorError } from '../../lib/errors.ts';
import type { UnfinishedOptions } from '../object-store.ts';
import type { Container } from './container.ts';
import { type ListedObject, pagesOf } from './listing.ts';
import { isClaim, objectOfSegment, splitKey } from './names.ts';
import { headObject } from './read.ts';
import type { Remover } from './remove.ts';

/** Segments of one object, or a claim. */
interface Leftover {
  /** Of the object. */
  readonly key?: string;
  readonly names: string[];
  newest: Date;
}

const pageEntries = 10_000;

/**
 * Segments that no object is made of, of objects under `prefix`, and claims of processes that died. Those that were added to lately may belong to an
 * upload that still runs.
 */
export async function removeUnfinished(
  container: Container,
  remover: Remover,
  prefix: string,
  { before, signal }: UnfinishedOptions,
): Promise<number> {
  let removed = 0;
  for await (const { key, names, newest } of leftoversUnder(container, prefix, signal)) {
    if (newest >= before || (key !== undefined && (await isSegmented(container, key, signal)))) continue;
    await remover.remove(names, signal);
    removed++;
  }
  return removed;
}

/** The segments of an object lie together. */
async function* leftoversUnder(container: Container, prefix: string, signal: AbortSignal | undefined): AsyncGenerator<Leftover> {
  let current: Leftover | undefined;
  for await (const { name, lastModified } of listedNear(container, prefix, signal)) {
    if (isClaim(name)) yield { names: [name], newest: lastModified };
    const key = objectOfSegment(name);
    if (key === undefined || !key.startsWith(prefix)) continue;
    if (current?.key !== key) {
      if (current) yield current;
      current = { key, names: [], newest: lastModified };
    }
    current.names.push(name);
    if (lastModified > current.newest) current.newest = lastModified;
  }
  if (current) yield current;
}

/** What can be a segment of an object under the prefix lies below its directory, or beside it. */
async function* listedNear(container: Container, prefix: string, signal: AbortSignal | undefined): AsyncGenerator<ListedObject> {
  const { directory } = splitKey(prefix);
  const places = directory === '' || directory === '/' ? [directory] : [`${directory}/`, `${directory}_claims/`, `${directory}_segments/`];
  for (const place of places) for await (const page of pagesOf(container, place, { pageEntries, signal })) yield* page;
}

async function isSegmented(container: Container, key: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    return (await headObject(container, key, signal)).isSegmented;
  } catch (error) {
    if (isOperatorError(error, 'object-missing')) return false;
    throw error;
  }
}
