import type { FolderBook } from './folder-book.ts';
import type { FolderName } from './folder-name.ts';
import type { SurveyedBackup } from './survey-backups.ts';
import type { Block, StoredFile } from './survey-folder.ts';

/** Something that is to be read. */
export type Wish =
  | { readonly kind: 'basebackup'; readonly backup: SurveyedBackup }
  | { readonly kind: 'block'; readonly folder: FolderName; readonly block: Block }
  /** Found damaged before. */
  | { readonly kind: 'damaged'; readonly folder: FolderName; readonly file: StoredFile };

export interface WishOptions {
  /** Whether something that was proven then is to be read again. */
  readonly again: (provenAt: Date) => boolean;
  /** Only that one, and the WAL between these names. */
  readonly only?: { readonly basebackup: string; readonly from: string; readonly to: string } | undefined;
}

/** Of what was never read, these go first: a base backup is worth nothing where they are missing. Histories have been read by then. */
const order: Readonly<Record<FolderName, number>> = { timeline: 0, xlog_partial: 1, basebackup_delta: 2, xlog: 4 };
const orderOfBackups = 3;

interface Ranked {
  readonly wish: Wish;
  readonly rank: readonly number[];
}

/**
 * What is to be read, in its order: what was found damaged, as it may have been mended; what was never read or has changed, the newest first; then what was read longest
 * ago. No clock, no store.
 */
export function whatToRead(
  backups: readonly SurveyedBackup[],
  books: Readonly<Record<FolderName, FolderBook>>,
  { again, only }: WishOptions,
): readonly Wish[] {
  const ranked: Ranked[] = [];
  for (const [folder, { survey }] of Object.entries(books) as [FolderName, FolderBook][]) {
    if (folder === 'timeline') continue;
    const isMeant = ({ first, last }: { readonly first: string; readonly last: string }) =>
      only === undefined || folder === 'basebackup_delta' || (folder === 'xlog' && last >= only.from && first <= only.to);
    for (const { file } of survey.damaged) {
      if (isMeant({ first: file.name, last: file.name })) ranked.push({ wish: { kind: 'damaged', folder, file }, rank: [0] });
    }
    for (const [index, block] of survey.blocks.entries()) {
      const wish = { kind: 'block', folder, block } as const;
      if (!isMeant(block)) continue;
      if (block.provenAt === undefined) ranked.push({ wish, rank: [1, order[folder], -index] });
      else if (again(block.provenAt)) ranked.push({ wish, rank: [2, block.provenAt.getTime()] });
    }
  }
  for (const backup of backups) {
    const { entry, noted } = backup;
    const wish = { kind: 'basebackup', backup } as const;
    if (only !== undefined && entry.name !== only.basebackup) continue;
    const provenAt = noted?.result === 'sound' ? new Date(noted.verified_at) : undefined;
    if (noted?.result === 'corrupt') ranked.push({ wish, rank: [0] });
    else if (provenAt === undefined) ranked.push({ wish, rank: [1, orderOfBackups, -entry.startTime.getTime()] });
    else if (only !== undefined || again(provenAt)) ranked.push({ wish, rank: [2, provenAt.getTime()] });
  }
  return ranked.toSorted((a, b) => compare(a.rank, b.rank)).map(({ wish }) => wish);
}

function compare(one: readonly number[], other: readonly number[]): number {
  for (const [at, rank] of one.entries()) {
    const difference = rank - (other[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
