import type { BlobItem, ContainerClient } from '@azure/storage-blob';
import { OperatorError } from '../../lib/errors.ts';
import { untilAborted } from '../abortable.ts';
import { compareKeys } from '../key-order.ts';
import type { ObjectInfo } from '../object-store.ts';
import { storeUnreachable } from '../store-errors.ts';

/** As many as a page can have. */
const pageItemsMax = 5000;

export interface Listing {
  readonly container: ContainerClient;
  readonly storeName: string;
  /** Of names, not of keys: with the slash of 1.4.0 where that is listed. */
  readonly prefix: string;
  readonly after?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly itemsMax?: number | undefined;
  readonly uncommitted?: boolean;
}

/** Blobs by name in ascending byte order, page by page. */
export async function* listBlobs(listing: Listing): AsyncGenerator<ObjectInfo> {
  let last: string | undefined;
  for await (const item of inByteOrder(listedItems(listing), listing.prefix)) {
    const { name, properties } = item;
    if (last !== undefined && compareKeys(name, last) <= 0) throw unordered(listing.storeName, last, name);
    last = name;
    if (listing.after !== undefined && compareKeys(name, listing.after) <= 0) continue;
    yield { key: name, size: properties.contentLength ?? 0, lastModified: properties.lastModified };
  }
}

/** All items as they come. */
export async function* listedItems({
  container,
  storeName,
  prefix,
  after,
  signal,
  itemsMax,
  uncommitted,
}: Listing): AsyncGenerator<BlobItem> {
  const options = {
    prefix,
    includeUncommitedBlobs: uncommitted ?? false,
    ...(after !== undefined && after > '' && { startFrom: startOf(after, prefix) }),
    ...(signal && { abortSignal: signal }),
  };
  const pages = container.listBlobsFlat(options).byPage({ maxPageSize: itemsMax ?? pageItemsMax });
  for (;;) {
    const { value: page, done } = await untilAborted(nextPage(pages, storeName), signal);
    if (done) return;
    if (page.containerName !== container.containerName) throw notAzure(storeName);
    yield* page.segment.blobItems;
  }
}

/** The SDK stumbles over answers that are something else, such as the page of a portal on the way. */
async function nextPage<T>(pages: AsyncIterator<T>, storeName: string): Promise<IteratorResult<T>> {
  try {
    return await pages.next();
  } catch (error) {
    throw error instanceof TypeError ? notAzure(storeName) : error;
  }
}

function notAzure(storeName: string): OperatorError {
  return storeUnreachable('list objects', storeName, new Error('the answer is not that of Azure Blob Storage'));
}

/**
 * Where a listing may begin to have all names after `after`, whether it is in the order of bytes or of UTF-16 units: up to the first character about whose
 * place the two disagree. Servers that do not know the parameter begin at the beginning.
 */
function startOf(after: string, prefix: string): string {
  const high = firstHigh(after, commonLength(after, prefix));
  return after.slice(0, high);
}

function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

/**
 * Azure does not say whether it orders names by bytes or by UTF-16 units, and its emulator does the latter. They differ only among characters from U+D800
 * on, so names that are the same up to the first of those, which both keep together, are sorted here. Prefixes do not count, so there are few.
 */
async function* inByteOrder(names: AsyncIterable<BlobItem>, prefix: string): AsyncGenerator<BlobItem> {
  let stem: string | undefined;
  let group: BlobItem[] = [];
  for await (const item of names) {
    const high = firstHigh(item.name, prefix.length);
    const itsStem = high < item.name.length ? item.name.slice(0, high) : undefined;
    if (itsStem !== stem) {
      yield* sorted(group);
      group = [];
      stem = itsStem;
    }
    if (itsStem === undefined) yield item;
    else group.push(item);
  }
  yield* sorted(group);
}

function sorted(items: readonly BlobItem[]): readonly BlobItem[] {
  return items.toSorted((a, b) => compareKeys(a.name, b.name));
}

/** Where the first character from U+D800 on stands, the length where there is none. */
function firstHigh(text: string, from: number): number {
  for (let i = from; i < text.length; i++) if (text.charCodeAt(i) >= 0xd800) return i;
  return text.length;
}

/** What was said not to be there because something after it had come already would be taken for missing. */
function unordered(storeName: string, last: string, name: string): OperatorError {
  return new OperatorError('store-failed', `${storeName} lists ${name} after ${last}, which is not the order of their bytes`, {
    hint: 'Accounts with a hierarchical namespace do that. Use a storage account without one.',
  });
}

/** Two listings in order as one; of a key in both, only the first one’s. */
export async function* merged(first: AsyncIterable<ObjectInfo>, second: AsyncIterable<ObjectInfo>): AsyncGenerator<ObjectInfo> {
  const [a, b] = [first[Symbol.asyncIterator](), second[Symbol.asyncIterator]()];
  try {
    let [left, right] = await Promise.all([a.next(), b.next()]);
    for (;;) {
      const [mine, theirs] = [left.done ? undefined : left.value, right.done ? undefined : right.value];
      const order = compareHeads(mine, theirs);
      const next = order <= 0 ? mine : theirs;
      if (!next) return;
      yield next;
      if (order <= 0) left = await a.next();
      if (order >= 0) right = await b.next();
    }
  } finally {
    await Promise.all([a.return?.(), b.return?.()]);
  }
}

/** A listing that has ended comes last. */
function compareHeads(a: ObjectInfo | undefined, b: ObjectInfo | undefined): number {
  if (a && b) return compareKeys(a.key, b.key);
  if (a) return -1;
  return b ? 1 : 0;
}
