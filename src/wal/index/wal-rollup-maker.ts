import type { Catalog } from '../../catalog/catalog.ts';
import type { WalArchiveView } from '../../catalog/wal-archive-view.ts';
import type { WalIndexSource } from '../../catalog/wal-index/read-small-object.ts';
import { parseRollupName, type RollupName } from '../../catalog/wal-index/wal-rollup.ts';
import type { WalRanges } from '../../catalog/wal-ranges.ts';
import type { CodecPool } from '../../codec/pool.ts';
import { type MakeWalRollupInput, makeWalRollup } from './make-wal-rollup.job.ts';
import { dueBlocks, sortRollups } from './rollup-blocks.ts';
import type { WalIndexStorer } from './wal-index-storer.ts';

export interface WalRollupMakerDeps {
  readonly catalog: Catalog;
  readonly source: WalIndexSource;
  readonly publicKey: string | undefined;
  readonly storer: Pick<WalIndexStorer, 'storeRollup'>;
  readonly pool: Pick<CodecPool, 'run'>;
}

type View = Pick<WalArchiveView, 'ranges' | 'segmentBytes'>;

/** Tells of many segments together what their indexes tell: a block at a time, once no server writes there any more; again where more of it is indexed later. */
export class WalRollupMaker {
  readonly #deps: WalRollupMakerDeps;
  #rollups: Map<string, RollupName> = new Map();
  /** Blocks and of how many segments it was tried in vain to tell: some of their indexes cannot be read. */
  readonly #tried = new Map<string, number>();

  constructor(deps: WalRollupMakerDeps) {
    this.#deps = deps;
  }

  /** Finds out what there is, and removes what an interruption has left beside what replaced it. */
  async list(segmentBytes: number, signal: AbortSignal): Promise<void> {
    const { catalog } = this.#deps;
    const { walRollupPrefix } = catalog.keys;
    const names: string[] = [];
    for await (const { key } of catalog.store.list(walRollupPrefix, { signal })) names.push(key.slice(walRollupPrefix.length));
    const { rollups, useless } = sortRollups(names, segmentBytes);
    this.#rollups = rollups;
    for (const name of useless) await catalog.store.delete(catalog.keys.walRollup(name), { signal });
  }

  /** Makes one, where one is due. Resolves to how many indexes were read for it. */
  async step({ ranges, segmentBytes }: View, indexed: WalRanges, signal: AbortSignal, progress: () => void): Promise<number> {
    for (const { block, names } of dueBlocks(ranges, indexed, this.#rollups, segmentBytes)) {
      if (this.#tried.get(block) === names.length) continue;
      if (await this.#make(block, { names, segmentBytes }, signal, progress)) this.#tried.set(block, names.length);
      return names.length;
    }
    return 0;
  }

  /** Resolves to whether there is no more to be had from them. */
  async #make(
    block: string,
    { names, segmentBytes }: Pick<MakeWalRollupInput, 'names' | 'segmentBytes'>,
    signal: AbortSignal,
    progress: () => void,
  ): Promise<boolean> {
    const { catalog, source, publicKey, storer, pool } = this.#deps;
    const made = await pool.run(makeWalRollup, { source, segmentBytes, names, publicKey }, { signal, onReport: progress });
    const parsed = made && parseRollupName(made.name);
    const before = this.#rollups.get(block);
    if (made === undefined || parsed === undefined || parsed.segments <= (before?.segments ?? 0)) return true;
    if (!(await storer.storeRollup(made.name, made.rollup, signal))) return false;
    this.#rollups.set(block, parsed);
    if (before !== undefined && before.name !== made.name) await catalog.store.delete(catalog.keys.walRollup(before.name), { signal });
    return true;
  }
}
