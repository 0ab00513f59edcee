import type { Catalog } from './catalog.ts';
import { deltaFiles } from './delta-files.ts';
import type { ListedReferences, ListReferencesInput } from './list-references.job.ts';

/** Hashes in memory; a manifest with more of them is read several times. */
const hashesMax = 100_000;

/** One of the files that delta backups share, which a backup needs. */
export interface NeededFile {
  readonly hash: string;
  readonly isStored: boolean;
}

export interface NeededFilesDeps {
  /** Reads the manifest of the backup: `listReferences`. */
  readonly list: (what: Pick<ListReferencesInput, 'after' | 'max'>) => Promise<ListedReferences>;
  /** Told once of files whose place the manifest does not tell. */
  readonly onNowhere?: (paths: readonly string[]) => void;
  readonly signal: AbortSignal;
}

/** All of them, by their hashes, beside the listing of what is stored; a bounded number in memory. */
export async function* neededDeltaFiles(catalog: Catalog, { list, onNowhere, signal }: NeededFilesDeps): AsyncGenerator<NeededFile> {
  const listing = deltaFiles(catalog, signal);
  let stored = await listing.next();
  let listed: ListedReferences | undefined;
  try {
    do {
      const after = listed?.hashes.at(-1) ?? '';
      listed = await list({ after, max: hashesMax });
      if (after === '') onNowhere?.(listed.nowhere);
      for (const hash of listed.hashes) {
        while (stored.done !== true && stored.value.digest < hash) stored = await listing.next();
        yield { hash, isStored: stored.done !== true && stored.value.digest === hash };
      }
    } while (!listed.isEnd);
  } finally {
    await listing.return(undefined);
  }
}
