import type { Catalog } from '../catalog/catalog.ts';
import { type StoredWalFile, walUnder } from './survey-wal.ts';

/** A segment with its index, where it has one; or an index alone: its segment is gone, or it is that of a partial segment. */
export interface IndexedWal {
  readonly file: StoredWalFile | undefined;
  readonly index: StoredWalFile | undefined;
}

/** All segments and all indexes in the order of their names: two listings side by side, a page of each at a time. */
export async function* segmentsWithIndexes(catalog: Catalog, signal: AbortSignal): AsyncGenerator<IndexedWal> {
  const { walPrefix, walIndexPrefix } = catalog.keys;
  const [files, indexes] = [walUnder(walPrefix, catalog, signal), walUnder(walIndexPrefix, catalog, signal)];
  try {
    let [file, index] = [await next(files), await next(indexes)];
    while (file !== undefined || index !== undefined) {
      const isOwn = file?.name === index?.name;
      const isFile = isOwn || index === undefined || (file !== undefined && file.name < index.name);
      const isIndex = isOwn || !isFile;
      yield { file: isFile ? file : undefined, index: isIndex ? index : undefined };
      if (isFile) file = await next(files);
      if (isIndex) index = await next(indexes);
    }
  } finally {
    await Promise.all([files.return(undefined), indexes.return(undefined)]);
  }
}

async function next<T>(items: AsyncGenerator<T>): Promise<T | undefined> {
  const { done, value } = await items.next();
  return done === true ? undefined : value;
}
