import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { segmentBytesIn } from '../catalog/wal-entry.ts';
import { nextWalName } from '../postgres/wal-name.ts';

/**
 * The first segment found to be missing of those that a base backup needs to become consistent. Where their size is not known, or the timeline was
 * left while the backup was taken, only the first and the last one are looked at.
 */
export async function missingWalOf(entry: BasebackupEntry, catalog: Catalog, signal?: AbortSignal): Promise<string | undefined> {
  const { startWalSegment: start, endWalSegment: end } = entry;
  if (end === undefined || holdsItsWal(entry)) return undefined;
  const last = await catalog.findWal(end, signal);
  if (last === undefined) return end;
  const segmentBytes = segmentBytesIn(last);
  if (segmentBytes === undefined || start.slice(0, 8) !== end.slice(0, 8))
    return (await catalog.findWal(start, signal)) ? undefined : start;
  let expected = start;
  for await (const { name } of catalog.walFiles('segment', { from: start, to: end, signal })) {
    if (name !== expected) return expected;
    expected = nextWalName(name, segmentBytes);
  }
  return expected <= end ? expected : undefined;
}

/** A base backup that can be restored without any stored WAL. */
export function holdsItsWal({ metadata }: Pick<BasebackupEntry, 'metadata'>): boolean {
  return metadata['active-backup-mode'] === 'standalone_hot_backup';
}
