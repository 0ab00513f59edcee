import { inOrder } from '../../lib/in-order.ts';
import { classifyWalFile, formatWalName, historyNameOf, parseWalName } from '../../postgres/wal-name.ts';
import { borrowStore } from '../../storage/shared-store.ts';
import { SiteKeys } from '../keys.ts';
import { WalIndexJoiner } from './join-wal-indexes.ts';
import { parseWalIndex } from './parse-wal-index.ts';
import { readSmallObject, type WalIndexSource } from './read-small-object.ts';
import type { WalIndex } from './wal-index.ts';

export interface WalIndexRange {
  readonly timeline: number;
  /** Names of segments, both included. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** The index before the first one, where that is of the timeline that this one was made from. */
  readonly before?: WalIndex | undefined;
  readonly signal: AbortSignal;
}

/** Requests at once: one segment's index after the other would mostly wait. */
const readAheadMax = 4;
/**
 * The indexes of a timeline in their order, a few in memory at a time. What is in two segments is told with the one in which it ends: its offset is negative.
 * Segments whose index is missing, or cannot be read, are left out; whoever needs them sees that from the positions. Of a partial segment only where the whole
 * one has none. Rejects with the store's errors, `key-missing` and `key-wrong`.
 */
export async function* readWalIndexes(source: WalIndexSource, range: WalIndexRange): AsyncGenerator<WalIndex> {
  const joiner = new WalIndexJoiner();
  const { from, before } = range;
  if (before !== undefined) joiner.add(before);
  else if (from !== undefined) await addBefore(joiner, from, source, range.signal);
  for await (const index of inOrder(names(source, range), (name) => readWalIndex(source, name, range.signal), readAheadMax)) {
    if (index !== undefined) yield joiner.add(index);
  }
}

/** Undefined where there is none, or where it cannot be read. */
export function readWalIndex(source: WalIndexSource, name: string, signal: AbortSignal): Promise<WalIndex | undefined> {
  return readSmallObject(source, new SiteKeys(source.prefix).walIndex(name), parseWalIndex, signal);
}

/** What begins before the first segment may end in it. */
async function addBefore(joiner: WalIndexJoiner, from: string, source: WalIndexSource, signal: AbortSignal): Promise<void> {
  const first = await readWalIndex(source, from, signal);
  if (first === undefined) return;
  const { timeline, number } = parseWalName(from, first.segmentBytes);
  if (number === 0n) return;
  const before = await readWalIndex(source, formatWalName({ timeline, number: number - 1n }, first.segmentBytes), signal);
  if (before !== undefined) joiner.add(before);
}

async function* names({ storage, prefix }: WalIndexSource, { timeline, from, to, signal }: WalIndexRange): AsyncGenerator<string> {
  const store = await borrowStore(storage);
  const { walIndexPrefix } = new SiteKeys(prefix);
  const after = from === undefined ? {} : { after: walIndexPrefix + from.slice(0, -1) };
  let last: string | undefined;
  try {
    for await (const { key } of store.list(walIndexPrefix + historyNameOf(timeline).slice(0, 8), { signal, ...after })) {
      const name = key.slice(walIndexPrefix.length);
      const [segment, kind] = [name.slice(0, 24), classifyWalFile(name)];
      if (to !== undefined && segment > to) return;
      if ((kind !== 'segment' && kind !== 'partial') || segment === last || (from !== undefined && segment < from)) continue;
      last = segment;
      yield name;
    }
  } finally {
    await store.close();
  }
}
