import type { Catalog } from '../catalog/catalog.ts';
import { parseBeginningName } from '../catalog/wal-beginning.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import type { ObjectInfo } from '../storage/object-store.ts';
import { judgeWal, type WalNeeds, type WalVerdict } from './wal-need.ts';

/** Files that follow one another in the store, of one timeline and with one fate. Some may be missing in between. */
export interface WalStretch extends WalVerdict {
  /** Names, both included. */
  readonly from: string;
  readonly to: string;
  readonly files: number;
  /** As stored. */
  readonly bytes: number;
  /** When the oldest and the newest of them were stored. */
  readonly storedFirst: Date;
  readonly storedLast: Date;
}

/** WAL as it lies in the store. */
export interface StoredWalFile extends ObjectInfo {
  readonly name: string;
  /** That it is, or a part of it. */
  readonly segment: string;
}

/** All stored WAL in as many stretches as there are fates, however many files there are. Undefined needs: all stays. */
export async function surveyWal(catalog: Catalog, needs: WalNeeds | undefined, signal: AbortSignal): Promise<readonly WalStretch[]> {
  const stretches: WalStretch[] = [];
  let folder = '';
  for await (const file of storedWal(catalog, signal)) {
    const verdict = verdictOn(file, needs);
    const last = stretches.at(-1);
    const isNext = folder === folderOf(file) && last?.to.slice(0, 8) === file.name.slice(0, 8) && isSame(last, verdict);
    folder = folderOf(file);
    if (last !== undefined && isNext) stretches[stretches.length - 1] = withFile(last, file);
    else stretches.push(withFile({ ...verdict, ...emptyAt(file) }, file));
  }
  return stretches;
}

/** Segments, partial segments and beginnings of segments. What is no WAL by its name is not seen. */
export async function* storedWal({ store, keys }: Catalog, signal: AbortSignal): AsyncGenerator<StoredWalFile> {
  for (const prefix of [keys.walPrefix, keys.walPartialPrefix]) {
    for await (const info of store.list(prefix, { signal })) {
      const name = info.key.slice(prefix.length);
      const segment = segmentOf(name);
      if (segment !== undefined) yield { ...info, name, segment };
    }
  }
}

export function verdictOn({ segment, lastModified }: StoredWalFile, needs: WalNeeds | undefined): WalVerdict {
  if (needs === undefined) return { stays: true, because: 'it is not known what base backups need' };
  return judgeWal({ segment, stored: lastModified }, needs);
}

/** Of what is stored the segment that it is, or a part of it; undefined for anything else. */
function segmentOf(name: string): string | undefined {
  const kind = classifyWalFile(name);
  return kind === 'segment' || kind === 'partial' ? name.slice(0, 24) : parseBeginningName(name)?.segment;
}

function emptyAt({ name, lastModified }: StoredWalFile) {
  return { from: name, to: name, files: 0, bytes: 0, storedFirst: lastModified, storedLast: lastModified };
}

function withFile(stretch: WalStretch, { name, size, lastModified }: StoredWalFile): WalStretch {
  return {
    ...stretch,
    to: name,
    files: stretch.files + 1,
    bytes: stretch.bytes + size,
    storedFirst: lastModified < stretch.storedFirst ? lastModified : stretch.storedFirst,
    storedLast: lastModified > stretch.storedLast ? lastModified : stretch.storedLast,
  };
}

function isSame(a: WalVerdict, b: WalVerdict): boolean {
  return a.stays === b.stays && a.because === b.because;
}

function folderOf({ key, name }: StoredWalFile): string {
  return key.slice(0, -name.length);
}
