import { inOrder } from '../../lib/in-order.ts';
import { formatWalName, parseWalName } from '../../postgres/wal-name.ts';
import { WalIndexJoiner } from './join-wal-indexes.ts';
import type { WalIndexSource } from './read-small-object.ts';
import { readWalIndex } from './read-wal-indexes.ts';
import type { WalIndex } from './wal-index.ts';

/** Requests at once: one segment's index after the other would mostly wait. */
const readAheadMax = 4;

interface Wanted {
  readonly name: string;
  /** Only read for what begins in it and ends in the next one. */
  readonly isBefore: boolean;
}

/** The indexes of these segments, which ascend: of each its name, and what ends in it; undefined where it has none. */
export async function* joinStoredIndexes(
  source: WalIndexSource,
  names: readonly string[],
  segmentBytes: number,
  signal: AbortSignal,
): AsyncGenerator<{ readonly name: string; readonly index: WalIndex | undefined }> {
  const read = async (wanted: Wanted) => ({ ...wanted, index: await readWalIndex(source, wanted.name, signal) });
  let joiner = new WalIndexJoiner();
  for await (const { name, isBefore, index } of inOrder(withThoseBefore(names, segmentBytes), read, readAheadMax)) {
    if (isBefore) joiner = new WalIndexJoiner();
    const joined = index && joiner.add(index);
    if (!isBefore) yield { name, index: joined };
  }
}

function* withThoseBefore(names: readonly string[], segmentBytes: number): Generator<Wanted> {
  let last = '';
  for (const name of names) {
    const { timeline, number } = parseWalName(name, segmentBytes);
    const before = number === 0n ? '' : formatWalName({ timeline, number: number - 1n }, segmentBytes);
    if (before !== last && before !== '') yield { name: before, isBefore: true };
    yield { name, isBefore: false };
    last = name;
  }
}
