import { rm } from 'node:fs/promises';
import type { Catalog } from '../catalog/catalog.ts';
import { beginningName, parseBeginningName, type WalBeginning } from '../catalog/wal-beginning.ts';
import { parseWalMetadata } from '../catalog/wal-entry.ts';
import { isOperatorError, messageOf, OperatorError } from '../lib/errors.ts';
import { urgent } from '../lib/urgency.ts';
import type { SeenCluster } from '../postgres/seen-cluster.ts';
import { deleteAll } from '../storage/delete-many.ts';
import { sourceOfFile } from '../storage/object-source.ts';
import type { Metadata, ObjectInfo } from '../storage/object-store.ts';
import { withChecks } from '../storage/with-checks.ts';
import type { WalArchiverDeps } from './archive.ts';
import { sealWal } from './seal-wal.job.ts';
import { sealedWalMetadata, sealOptionsOf } from './wal-sealing.ts';

export type WalBeginningsDeps = Pick<
  WalArchiverDeps,
  'site' | 'catalog' | 'spool' | 'pool' | 'uploads' | 'sealing' | 'host' | 'cluster' | 'admit' | 'log' | 'signal'
>;

/** A segment that is being written. */
export interface UnfinishedSegment extends WalBeginning {
  readonly path: string;
  readonly segmentBytes: number;
}

interface FoundBeginning {
  readonly info: ObjectInfo;
  readonly beginning: WalBeginning;
}

/**
 * Keeps the beginnings of unfinished segments in the store. A longer one is stored under a name of its own before the shorter one goes: nothing that was
 * stored is ever replaced, so at each moment the store has what was promised to be there. Once the whole segment is stored all of them go.
 */
export class WalBeginnings {
  readonly #deps: WalBeginningsDeps;
  /** What this process has stored last. */
  #last: WalBeginning | undefined;
  #storing: Promise<unknown> = Promise.resolve();

  constructor(deps: WalBeginningsDeps) {
    this.#deps = deps;
  }

  /** One after the other. Rejects with `wal-file-missing` once the file has its final name, `wal-conflict`, and as archiving does. */
  async store(unfinished: UnfinishedSegment, signal: AbortSignal): Promise<void> {
    const storing = this.#store(unfinished, signal);
    this.#storing = storing.catch(() => {});
    await storing;
  }

  /** Removes those of a segment that is stored whole. */
  async forget(segment: string): Promise<void> {
    await this.#storing;
    const { catalog, signal } = this.#deps;
    await deleteAll(catalog.store, this.#keysOf(segment), { signal });
  }

  /** Removes what an earlier life left: beginnings of segments that are stored whole, and all but the longest of the others. */
  async sweep(): Promise<void> {
    const { catalog, signal } = this.#deps;
    await deleteAll(catalog.store, this.#superfluousKeys(), { signal });
  }

  async *#superfluousKeys(): AsyncGenerator<string> {
    const { catalog, signal } = this.#deps;
    let before: FoundBeginning | undefined;
    let isWhole = false;
    for await (const found of this.#list(catalog.keys.walPartialPrefix)) {
      const { segment } = found.beginning;
      if (before?.beginning.segment !== segment) isWhole = (await catalog.findWal(segment, signal)) !== undefined;
      else if (!isWhole) yield before.info.key;
      if (isWhole) yield found.info.key;
      before = found;
    }
  }

  async *#keysOf(segment: string): AsyncGenerator<string> {
    for await (const { info, beginning } of this.#list(`${this.#deps.catalog.keys.walPartialPrefix}${segment}.`)) {
      if (beginning.segment === segment) yield info.key;
    }
  }

  async *#list(prefix: string): AsyncGenerator<FoundBeginning> {
    const { catalog, signal } = this.#deps;
    for await (const info of catalog.store.list(prefix, { signal })) {
      const beginning = parseBeginningName(info.key.slice(catalog.keys.walPartialPrefix.length));
      if (beginning) yield { info, beginning };
    }
  }

  async #store(unfinished: UnfinishedSegment, signal: AbortSignal): Promise<void> {
    const { spool, pool, sealing, host, cluster } = this.#deps;
    const { segment, bytes, segmentBytes, path } = unfinished;
    const facts = cluster();
    const sealedPath = spool.temporaryFor(spool.walFile(beginningName(unfinished)));
    const input = { name: segment, path, beginning: { bytes, segmentBytes }, cluster: facts, sealedPath, seal: sealOptionsOf(sealing) };
    try {
      const result = await pool.run(sealWal, input, { signal, urgency: urgent });
      const metadata = sealedWalMetadata(sealing, result, { host, pgVersion: facts.pgVersion });
      await this.#upload(unfinished, { path: sealedPath, size: result.sealedBytes, metadata, seen: result.seen }, signal);
    } finally {
      await rm(sealedPath, { force: true });
    }
    const before = this.#last;
    this.#last = { segment, bytes };
    if (before?.segment === segment && before.bytes < bytes) await this.#remove(before);
  }

  async #upload(
    unfinished: UnfinishedSegment,
    sealed: { readonly path: string; readonly size: number; readonly metadata: Metadata; readonly seen: SeenCluster },
    signal: AbortSignal,
  ): Promise<void> {
    const { site, uploads, catalog, admit } = this.#deps;
    const key = catalog.keys.walBeginning(unfinished);
    const store = withChecks(catalog.store, { beforePut: () => admit({ what: beginningName(unfinished), ...sealed.seen }, signal) });
    const source = sourceOfFile(sealed.path, sealed.size);
    const what = {
      site,
      store,
      key,
      source,
      metadata: sealed.metadata,
      fileType: 'xlog_partial',
      createOnly: true,
      isShortLived: true,
    } as const;
    try {
      await uploads.upload({ ...what, urgency: urgent, signal });
    } catch (error) {
      if (!isOperatorError(error, 'object-exists')) throw error;
      const { metadata } = await catalog.store.head(key, { signal });
      if (parseWalMetadata(metadata).hash !== parseWalMetadata(sealed.metadata).hash) throw conflict(key, catalog);
    }
  }

  /** One that cannot be removed now goes with the others once the segment is whole. */
  async #remove(beginning: WalBeginning): Promise<void> {
    const { catalog, log, site, signal } = this.#deps;
    const key = catalog.keys.walBeginning(beginning);
    try {
      await catalog.store.delete(key, { signal });
    } catch (error) {
      if (!signal.aborted) log.debug({ site, key, because: messageOf(error) }, 'a shorter beginning of a segment stays for now');
    }
  }
}

function conflict(key: string, { store }: Catalog): OperatorError {
  return new OperatorError('wal-conflict', `${key} is already stored with other content in ${store.name}`, {
    hint: 'Two servers write to the same site: a clone, or an old primary that came back. Give each its own site. What is stored was not changed.',
  });
}
