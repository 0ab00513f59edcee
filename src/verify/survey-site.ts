import type { BasebackupListing, Catalog } from '../catalog/catalog.ts';
import { EvidenceReader } from '../catalog/evidence/read-evidence.ts';
import type { BasebackupEvidence, WalEvidence } from '../catalog/evidence/verify-evidence.ts';
import { readSiteIdentity, type SiteIdentity } from '../catalog/site-identity.ts';
import { segmentBytesIn } from '../catalog/wal-entry.ts';
import { WalRanges } from '../catalog/wal-ranges.ts';
import { isDigest } from '../lib/digest-set.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { FolderBook } from './folder-book.ts';
import type { FolderName } from './folder-name.ts';
import { readFolder } from './progress.ts';
import { includes, segmentOf } from './segment-of.ts';
import { type SurveyedBackup, surveyBackups } from './survey-backups.ts';
import { type StoredFile, surveyFolder } from './survey-folder.ts';
import { foldersOf } from './wal-notes.ts';
import { WalContinuity } from './wal-work.ts';

export interface SiteSurvey {
  readonly identity: SiteIdentity | undefined;
  readonly listing: BasebackupListing;
  readonly backups: readonly SurveyedBackup[];
  /** Undefined where there is no WAL. */
  readonly segmentBytes: number | undefined;
  readonly books: Readonly<Record<FolderName, FolderBook>>;
  /** Of which something is noted. */
  readonly notedTimelines: readonly number[];
  readonly runs: WalRanges;
  /** Timelines whose history is stored. */
  readonly histories: ReadonlySet<number>;
  /** WAL segments without an index. */
  readonly withoutIndex: number;
}

const segmentBytesDefault = 16 * 1024 * 1024;

/** Lists what a site has, and compares it with what is noted. `cuts`: names of segments that a block is to begin at. */
export async function surveySite(catalog: Catalog, signal: AbortSignal, cuts: readonly string[] = []): Promise<SiteSurvey> {
  const identity = await readSiteIdentity(catalog, signal);
  const listing = await catalog.basebackups(signal);
  const { verify } = await new EvidenceReader(catalog).read(signal);
  const ofWal = verify.filter((each): each is WalEvidence => each.kind === 'wal');
  const wal = foldersOf(ofWal);
  const noted = new Map<string, BasebackupEvidence>(
    verify.flatMap((each) => (each.kind === 'basebackup' ? [[each.name, each] as const] : [])),
  );
  const segmentBytes = identity?.segmentBytes ?? (await segmentBytesOf(catalog, signal));
  const runs = new WalRanges();
  const histories = new Set<number>();
  const bytes = segmentBytes ?? segmentBytesDefault;
  const addTo = (to: WalRanges, name: string, stored: Date) => {
    const segment = segmentOf(name, bytes);
    if (segment !== undefined) to.add(segment, stored);
  };
  const { follows } = new WalContinuity(catalog.keys, segmentBytes);
  const alone = () => false;
  const survey = async (folder: FolderName, before: Parameters<typeof surveyFolder>[1], options: Parameters<typeof surveyFolder>[2] = {}) =>
    surveyFolder(filesIn(folder, catalog, {}, signal), before, options);
  const [partial, delta] = [await readFolder(catalog, 'xlog_partial', signal), await readFolder(catalog, 'basebackup_delta', signal)];
  const xlog = await survey('xlog', wal.xlog, { cuts, onFile: ({ name, lastModified }) => addTo(runs, name, lastModified) });
  const books = {
    xlog: new FolderBook(xlog, wal.xlog, follows),
    timeline: new FolderBook(
      await survey('timeline', wal.timeline, { onFile: ({ name }) => void histories.add(Number.parseInt(name.slice(0, 8), 16)) }),
      wal.timeline,
      alone,
    ),
    xlog_partial: new FolderBook(await survey('xlog_partial', partial), partial, alone),
    basebackup_delta: new FolderBook(await survey('basebackup_delta', delta), delta, () => true),
  };
  const withoutIndex = await countWithoutIndex(catalog, runs, { segments: xlog.objects, segmentBytes: bytes }, signal);
  const backups = await surveyBackups(catalog, listing, noted, signal);
  return {
    identity,
    listing,
    backups,
    segmentBytes,
    books,
    runs,
    histories,
    withoutIndex,
    notedTimelines: ofWal.map(({ timeline }) => timeline),
  };
}

/** Files of a folder by their names, without what does not belong there. */
export async function* filesIn(
  folder: FolderName,
  { store, keys }: Catalog,
  { from = '', to }: { readonly from?: string; readonly to?: string },
  signal: AbortSignal,
): AsyncGenerator<StoredFile> {
  const prefix = {
    xlog: keys.walPrefix,
    timeline: keys.historyPrefix,
    xlog_partial: keys.walPartialPrefix,
    basebackup_delta: keys.deltaFilesPrefix,
  }[folder];
  const after = from === '' ? {} : { after: prefix + justBefore(from) };
  for await (const { key, size, lastModified } of store.list(prefix, { signal, ...after })) {
    const name = key.slice(prefix.length);
    if (to !== undefined && name > to) return;
    if (name >= from && belongs(folder, name)) yield { name, size, lastModified };
  }
}

function belongs(folder: FolderName, name: string): boolean {
  switch (folder) {
    case 'xlog':
      return classifyWalFile(name) === 'segment';
    case 'timeline':
      return classifyWalFile(name) === 'history';
    case 'xlog_partial':
      return /^[0-9A-F]{24}\.([0-9A-F]{8}\.)?partial$/.test(name);
    case 'basebackup_delta':
      return isDigest(name);
  }
}

/** A listing begins behind a key. */
function justBefore(name: string): string {
  return name.slice(0, -1);
}

async function segmentBytesOf(catalog: Catalog, signal: AbortSignal): Promise<number | undefined> {
  for await (const { key } of catalog.walFiles('segment', { signal })) {
    const bytes = segmentBytesIn(await catalog.store.head(key, { signal }));
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}

async function countWithoutIndex(
  { store, keys }: Catalog,
  runs: WalRanges,
  { segments, segmentBytes }: { readonly segments: number; readonly segmentBytes: number },
  signal: AbortSignal,
): Promise<number> {
  let indexed = 0;
  for await (const { key } of store.list(keys.walIndexPrefix, { signal })) {
    const name = key.slice(keys.walIndexPrefix.length);
    const segment = classifyWalFile(name) === 'segment' ? segmentOf(name, segmentBytes) : undefined;
    if (segment !== undefined && includes(runs, segment)) indexed++;
  }
  return Math.max(segments - indexed, 0);
}
