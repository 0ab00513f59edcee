import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WalIndexCollector } from '../../src/catalog/wal-index/collect-wal-index.ts';
import { WalIndexJoiner } from '../../src/catalog/wal-index/join-wal-indexes.ts';
import type { DatabaseGrowth, WalIndex } from '../../src/catalog/wal-index/wal-index.ts';
import { formatLsn } from '../../src/postgres/lsn.ts';
import type { DumpedWal } from './waldump.ts';

export function indexOf(
  name: string,
  bytes: Uint8Array,
  { pieceBytes = 1 << 20, listedMax = Number.POSITIVE_INFINITY } = {},
): WalIndex | undefined {
  const collector = new WalIndexCollector(listedMax);
  for (let at = 0; at < bytes.length; at += pieceBytes) collector.update(bytes.subarray(at, at + pieceBytes));
  return collector.finish(name);
}

/** Indexes of all segments of a timeline in a directory, in their order, joined. */
export async function indexDirectory(directory: string, timeline: number): Promise<readonly WalIndex[]> {
  const prefix = timeline.toString(16).toUpperCase().padStart(8, '0');
  const names = (await readdir(directory)).filter((name) => /^[0-9A-F]{24}$/.test(name) && name.startsWith(prefix)).toSorted();
  const joiner = new WalIndexJoiner();
  const indexes: WalIndex[] = [];
  for (const name of names) {
    const index = indexOf(name, await readFile(join(directory, name)));
    if (index !== undefined) indexes.push(joiner.add(index));
  }
  return indexes;
}

/** In the words of {@link DumpedWal}. */
export function asDumped(indexes: readonly WalIndex[]): Omit<DumpedWal, 'otherIndexRecords'> {
  const each = <T>(list: (index: WalIndex) => readonly T[], words: (item: T, lsn: (offset: number) => string) => string) =>
    indexes.flatMap((index) => list(index).map((item) => words(item, (offset) => formatLsn(index.startLsn + BigInt(offset)))));
  return {
    transactions: each(rowsOf, ({ offset, outcome, xid, time }, lsn) => `${lsn(offset)} ${outcome} ${xid} ${time}`),
    prepared: indexes.reduce((sum, { prepared }) => sum + prepared, 0),
    drops: each(
      ({ drops }) => drops,
      ({ offset, files }, lsn) => `${lsn(offset)} ${files}`,
    ),
    restorePoints: each(
      ({ restorePoints }) => restorePoints,
      ({ offset, name }, lsn) => `${lsn(offset)} ${name}`,
    ),
    checkpoints: each(
      ({ checkpoints }) => checkpoints,
      ({ offset, redo, timeline, isShutdown }, lsn) =>
        `${lsn(offset)} ${formatLsn(redo)} ${timeline} ${isShutdown ? 'shutdown' : 'online'}`,
    ),
    timelineSwitches: each(
      ({ timelineSwitches }) => timelineSwitches,
      ({ offset, timeline, previousTimeline }, lsn) => `${lsn(offset)} ${timeline} ${previousTimeline}`,
    ),
    pages: sums(indexes, 'pagesMade'),
    created: sums(indexes, 'filesCreated'),
    truncated: sums(indexes, 'filesTruncated'),
    dropped: sums(indexes, 'filesDropped'),
  };
}

function rowsOf({ transactions: { offsets, times, xids, outcomes } }: WalIndex) {
  return offsets.map((offset, at) => ({ offset, time: times[at], xid: xids[at], outcome: outcomes[at] }));
}

function sums(indexes: readonly WalIndex[], what: keyof DatabaseGrowth): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { databases } of indexes) {
    for (const [oid, growth] of databases) if (growth[what] > 0) counts.set(oid, (counts.get(oid) ?? 0) + growth[what]);
  }
  return counts;
}
