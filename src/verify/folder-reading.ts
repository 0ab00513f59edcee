import type { TimelineSwitch } from '../postgres/timeline-history.ts';
import { checkDeltaFiles } from './check-delta-files.job.ts';
import type { CheckedFile } from './checked-file.ts';
import type { FolderName } from './folder-name.ts';
import { judgeKeys } from './judge-keys.ts';
import { segmentsLeft } from './judge-wal.ts';
import { runCheck } from './run-check.ts';
import type { Block, StoredFile } from './survey-folder.ts';
import { filesIn, type SiteSurvey } from './survey-site.ts';
import type { WorkDeps } from './verify-deps.ts';
import { type CheckedBlock, type FolderWork, verifyBlock } from './verify-folder.ts';
import { checkWalFiles, WalContinuity, type WalWorkOptions } from './wal-work.ts';

/** Reads what lies one by one in folders: WAL, histories, partial segments, files that delta backups share. */
export class FolderReading {
  objects = 0;
  tooLarge = 0;
  /** Of the timelines that have one stored; undefined: it cannot be read. */
  readonly histories = new Map<number, readonly TimelineSwitch[] | undefined>();
  readonly #survey: SiteSurvey;
  readonly #deps: WorkDeps;
  readonly #continuity: WalContinuity;
  #wal: WalWorkOptions;

  constructor(survey: SiteSurvey, deps: WorkDeps) {
    this.#survey = survey;
    this.#deps = deps;
    const { identity, segmentBytes } = survey;
    this.#wal = { identity, segmentBytes, systemIdentifier: identity?.systemIdentifier, left: new Set() };
    const boundaries = survey.books.xlog.survey.blocks.flatMap(({ first, last }) => [first, last]);
    this.#continuity = new WalContinuity(deps.catalog.keys, segmentBytes, boundaries);
  }

  /** Of the cluster that all of it must be of. */
  get systemIdentifier(): bigint | undefined {
    return this.#wal.systemIdentifier;
  }

  /** Rejects where it is interrupted, and as the store does. */
  readBlock(folder: FolderName, block: Block): Promise<'finished' | 'used up'> {
    const book = this.#survey.books[folder];
    const leaveOut = new Set(book.survey.damaged.map(({ file }) => file.name));
    return this.#read(folder, block, leaveOut, (found) => book.checked(block, found));
  }

  /** One that was found damaged before. */
  readAgain(folder: FolderName, file: StoredFile): Promise<'finished' | 'used up'> {
    const book = this.#survey.books[folder];
    return this.#read(folder, { first: file.name, last: file.name }, undefined, (found) => book.checkedAgain(file, found));
  }

  /** All of them each time: they are short, and without them nobody knows what the WAL should be. */
  async readHistories(): Promise<void> {
    const book = this.#survey.books.timeline;
    // Until they have been read.
    for (const timeline of this.#survey.histories) this.histories.set(timeline, undefined);
    for (const { file } of book.survey.damaged) await this.readAgain('timeline', file);
    for (const block of book.survey.blocks) await this.readBlock('timeline', block);
    for (const { name } of book.damaged) this.histories.set(timelineOf(name), undefined);
    const { segmentBytes } = this.#wal;
    if (segmentBytes !== undefined) this.#wal = { ...this.#wal, left: segmentsLeft(this.histories.values(), segmentBytes) };
  }

  /** A site that does not say which cluster it is for is for that of its newest WAL. */
  async findCluster(): Promise<void> {
    const name = this.#survey.books.xlog.survey.blocks.at(-1)?.last;
    if (this.#wal.systemIdentifier !== undefined || name === undefined) return;
    for await (const file of filesIn('xlog', this.#deps.catalog, { from: name, to: name }, this.#deps.signal)) {
      if (this.#deps.budget.allows(file.size) !== 'yes') return;
      const [checked] = await checkWalFiles('xlog', this.#wal, this.#deps)([file]);
      this.#wal = { ...this.#wal, systemIdentifier: checked?.edges?.systemIdentifier };
    }
  }

  async #read(
    folder: FolderName,
    block: Pick<Block, 'first' | 'last'> & Partial<Block>,
    leaveOut: ReadonlySet<string> | undefined,
    book: (found: CheckedBlock) => void,
  ): Promise<'finished' | 'used up'> {
    const found = await verifyBlock(block, { ...this.#workIn(folder), leaveOut }, this.#deps);
    if (found.objects > 0 || (found.end !== 'used up' && found.tooLarge === 0)) book(found);
    this.objects += found.objects;
    this.tooLarge += found.tooLarge;
    if (found.end === 'failed') throw found.error;
    return found.end;
  }

  #workIn(folder: FolderName): FolderWork {
    const { catalog, storage, privateKeys, signal } = this.#deps;
    const list = (from: string, to: string) => filesIn(folder, catalog, { from, to }, signal);
    if (folder === 'basebackup_delta') {
      const withKeys = (files: readonly StoredFile[]) => files.map(({ name, size }) => ({ name, size, key: catalog.keys.deltaFile(name) }));
      const check = async (files: readonly StoredFile[]): Promise<readonly CheckedFile[]> =>
        judgeKeys(await runCheck(checkDeltaFiles, { files: withKeys(files), storage, privateKeys }, this.#deps), this.#deps);
      return { list, check };
    }
    const check = checkWalFiles(folder, this.#wal, this.#deps);
    const alone = () => false;
    if (folder === 'xlog') {
      const { onChecked, follows } = this.#continuity;
      return { list, check, onChecked, follows };
    }
    return { list, check, follows: alone, ...(folder === 'timeline' && { onChecked: this.#takeHistory }) };
  }

  readonly #takeHistory = ({ name, switches }: CheckedFile): undefined => {
    this.histories.set(timelineOf(name), switches);
    return undefined;
  };
}

function timelineOf(historyName: string): number {
  return Number.parseInt(historyName.slice(0, 8), 16);
}
