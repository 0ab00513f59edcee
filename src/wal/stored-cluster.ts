import { rm } from 'node:fs/promises';
import { explain, isOperatorError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { SeenCluster } from '../postgres/seen-cluster.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { parseWalPageHeader } from '../postgres/wal-page.ts';
import type { ObjectInfo } from '../storage/object-store.ts';
import { firstBytes } from './receive/partial-files.ts';
import { openStoredWal, type ReceiveDeps, receiveWal, type WalSource } from './stored-wal.ts';

/** Segments that are tried before the store is taken for one that cannot tell. */
const triesMax = 3;
const headerBytes = 8192;

/**
 * Of which cluster the WAL is that was stored last, by its header. Undefined where there is no WAL, or where it cannot be read, such as without the
 * private key. Lists all segments and fetches one. Rejects with failures of the store that may pass.
 */
export async function clusterOfStoredWal(source: WalSource, deps: ReceiveDeps & { readonly log: Log }): Promise<SeenCluster | undefined> {
  for (const name of await newestSegments(source, deps.signal)) {
    try {
      const header = await headerOf(name, source, deps);
      if (header?.long) return { ...header.long, major: header.major };
    } catch (error) {
      if (!isOperatorError(error) || error.retryable) throw error;
      deps.log.warn({ site: source.site, name }, `cannot tell of which cluster a stored WAL segment is: ${explain(error)}`);
    }
  }
  return undefined;
}

async function newestSegments({ catalog }: WalSource, signal: AbortSignal): Promise<string[]> {
  const { store, keys } = catalog;
  let newest: readonly ObjectInfo[] = [];
  for await (const info of store.list(keys.walPrefix, { signal })) {
    if (classifyWalFile(info.key.slice(keys.walPrefix.length)) !== 'segment') continue;
    const last = newest.at(-1);
    if (newest.length < triesMax || last === undefined || info.lastModified >= last.lastModified) {
      newest = [...newest, info].toSorted(byAge).slice(0, triesMax);
    }
  }
  return newest.map(({ key }) => key.slice(keys.walPrefix.length));
}

/** The newest first; of those that came at the same time, as in a copied store, the last in the WAL. */
function byAge(a: ObjectInfo, b: ObjectInfo): number {
  return b.lastModified.getTime() - a.lastModified.getTime() || (a.key < b.key ? 1 : -1);
}

async function headerOf(name: string, source: WalSource, deps: ReceiveDeps) {
  const opened = await openStoredWal(name, [source], deps.signal);
  if (opened === undefined) return undefined;
  const { path } = await receiveWal(opened, deps);
  try {
    return parseWalPageHeader(await firstBytes(path, headerBytes));
  } finally {
    await rm(path, { force: true });
  }
}
