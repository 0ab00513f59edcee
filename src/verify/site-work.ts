import { formatOf } from '../catalog/backup-format.ts';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { fingerprintOf } from '../catalog/evidence/fingerprint.ts';
import { storeVerifyEvidence } from '../catalog/evidence/store-evidence.ts';
import { isOperatorError, messageOf } from '../lib/errors.ts';
import type { TimelineSwitch } from '../postgres/timeline-history.ts';
import { checkDeltaFiles } from './check-delta-files.job.ts';
import type { CheckedFile } from './checked-file.ts';
import { findMissingFiles } from './find-missing-files.ts';
import type { Finding } from './finding.ts';
import type { FolderName } from './folder-name.ts';
import { judgeWal, segmentsLeft } from './judge-wal.ts';
import { writeFolder } from './progress.ts';
import { runCheck } from './run-check.ts';
import type { SurveyedBackup } from './survey-backups.ts';
import type { Block, StoredFile } from './survey-folder.ts';
import { filesIn, type SiteSurvey } from './survey-site.ts';
import { verifyBasebackup } from './verify-basebackup.ts';
import type { VerifyDeps } from './verify-deps.ts';
import { type CheckedBlock, type FolderWork, verifyBlock } from './verify-folder.ts';
import { notesOf } from './wal-notes.ts';
import { checkWalFiles, keyIn, WalContinuity, type WalWorkOptions } from './wal-work.ts';
import { type Wish, type WishOptions, whatToRead } from './what-to-read.ts';

export interface WorkEnd {
  /** Undefined: everything that was to be read was. */
  readonly by: 'budget' | 'store' | undefined;
  readonly because: string | undefined;
}

/** How often it is noted how far it has come. */
const noteMs = 60_000;
const noteMsMax = 30_000;

/** Reads what is wished for, one thing after the other, and notes what it finds. */
export class SiteWork {
  objects = 0;
  tooLarge = 0;
  readonly #survey: SiteSurvey;
  readonly #options: WishOptions;
  readonly #deps: VerifyDeps;
  readonly #histories = new Map<number, readonly TimelineSwitch[] | undefined>();
  #wal: WalWorkOptions;
  readonly #continuity: WalContinuity;
  /** What was found of base backups that were read to their end; what is not in it is as it was noted. */
  readonly #isSound = new Map<string, boolean>();
  #notedMs: number;

  constructor(survey: SiteSurvey, options: WishOptions, deps: VerifyDeps) {
    this.#survey = survey;
    this.#options = options;
    this.#deps = deps;
    const { identity, segmentBytes } = survey;
    this.#wal = { identity, segmentBytes, systemIdentifier: identity?.systemIdentifier, left: new Set() };
    const boundaries = survey.books.xlog.survey.blocks.flatMap(({ first, last }) => [first, last]);
    this.#continuity = new WalContinuity(deps.catalog.keys, segmentBytes, boundaries);
    this.#notedMs = deps.clock.monotonicMs();
  }

  /** Whether a base backup is sound; undefined: nobody knows. */
  isSound({ entry, noted }: SurveyedBackup): boolean | undefined {
    return this.#isSound.get(entry.name) ?? (noted && noted.result === 'sound');
  }

  /** When a base backup was found sound; undefined: it is not known to be. */
  provenAt(backup: SurveyedBackup): Date | undefined {
    const { entry, noted } = backup;
    if (this.isSound(backup) !== true) return undefined;
    if (this.#isSound.get(entry.name) === true || noted === undefined) return this.#deps.clock.now();
    return new Date(noted.verified_at);
  }

  /** By what is noted, or will be. */
  get knownDamage(): readonly Finding[] {
    const { keys } = this.#deps.catalog;
    const files = (Object.keys(this.#survey.books) as FolderName[]).flatMap((folder) =>
      this.#survey.books[folder].damaged.map(({ name, code, cause }) => damage(code, keyIn(folder, name, keys), cause)),
    );
    const backups = this.#survey.backups.flatMap(({ entry, noted }) =>
      this.#isSound.has(entry.name) || noted?.result !== 'corrupt'
        ? []
        : noted.findings.map(({ code, because, object }) => damage(code, object ?? entry.key, because)),
    );
    return [...files, ...backups];
  }

  /** Rejects only where it is interrupted, and where it is a bug. */
  async run(): Promise<WorkEnd> {
    try {
      for (const { key, why } of this.#survey.listing.unreadable) {
        this.#deps.onFinding({ severity: 'damaged', code: 'basebackup-unreadable', object: key, what: why });
      }
      await this.#readHistories();
      await this.#findCluster();
      this.#judge();
      const end = await this.#readAll();
      await this.#judgeShared();
      return end;
    } catch (error) {
      if (this.#deps.signal.aborted || !isOperatorError(error)) throw error;
      return { by: 'store', because: messageOf(error) };
    } finally {
      await this.#note();
    }
  }

  async #readAll(): Promise<WorkEnd> {
    let by: WorkEnd['by'];
    const wishes = whatToRead(this.#survey.backups, this.#survey.books, this.#options);
    this.#deps.onPlanned?.(wishes.reduce((sum, wish) => sum + bytesOf(wish), 0));
    for (const wish of wishes) {
      if ((await this.#read(wish)) === 'used up') {
        by = 'budget';
        break;
      }
      if (this.#deps.clock.monotonicMs() - this.#notedMs >= noteMs) await this.#note();
    }
    return { by: by ?? (this.tooLarge > 0 ? 'budget' : undefined), because: undefined };
  }

  async #read(wish: Wish): Promise<'finished' | 'used up'> {
    if (wish.kind === 'basebackup') return this.#readBackup(wish.backup);
    const book = this.#survey.books[wish.folder];
    if (wish.kind === 'block') return this.#readBlock(wish.folder, wish.block, (found) => book.checked(wish.block, found));
    const { file } = wish;
    return this.#readBlock(wish.folder, { first: file.name, last: file.name }, (found) => book.checkedAgain(file, found), false);
  }

  async #readBackup({ entry, objects }: SurveyedBackup): Promise<'finished' | 'used up'> {
    let [isDamaged, isUnread] = [false, false];
    const deps: VerifyDeps = {
      ...this.#deps,
      onFinding: (finding) => {
        isDamaged ||= finding.severity === 'damaged';
        isUnread ||= finding.severity === 'unread';
        this.#deps.onFinding(finding);
      },
    };
    const { systemIdentifier } = this.#wal;
    const cluster = systemIdentifier === undefined ? undefined : { systemIdentifier };
    const outcome = await verifyBasebackup({ entry, cluster, damagedFiles: this.#damagedFiles }, deps);
    if (isDamaged) this.#isSound.set(entry.name, false);
    else if (outcome === 'finished' && !isUnread) this.#isSound.set(entry.name, true);
    if (outcome === 'finished') this.objects += objects;
    if (outcome === 'too large') this.tooLarge++;
    return outcome === 'used up' ? 'used up' : 'finished';
  }

  async #readBlock(
    folder: FolderName,
    block: Pick<Block, 'first' | 'last'> & Partial<Block>,
    book: (found: CheckedBlock) => void,
    leavesOut = true,
  ): Promise<'finished' | 'used up'> {
    const damaged = leavesOut ? new Set(this.#survey.books[folder].survey.damaged.map(({ file }) => file.name)) : undefined;
    const found = await verifyBlock(block, { ...this.#workIn(folder), leaveOut: damaged }, this.#deps);
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
      const check = (files: readonly StoredFile[]): Promise<readonly CheckedFile[]> =>
        runCheck(checkDeltaFiles, { files: withKeys(files), storage, privateKeys }, this.#deps);
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
    this.#histories.set(Number.parseInt(name.slice(0, 8), 16), switches);
    return undefined;
  };

  /** All of them each time: they are short, and without them nobody knows what the WAL should be. */
  async #readHistories(): Promise<void> {
    const book = this.#survey.books.timeline;
    // Until they have been read.
    for (const timeline of this.#survey.histories) this.#histories.set(timeline, undefined);
    for (const { file } of book.survey.damaged) {
      await this.#readBlock('timeline', { first: file.name, last: file.name }, (found) => book.checkedAgain(file, found), false);
    }
    for (const block of book.survey.blocks) await this.#readBlock('timeline', block, (found) => book.checked(block, found));
    for (const { name } of book.damaged) this.#histories.set(Number.parseInt(name.slice(0, 8), 16), undefined);
    const { segmentBytes } = this.#wal;
    if (segmentBytes !== undefined) this.#wal = { ...this.#wal, left: segmentsLeft(this.#histories.values(), segmentBytes) };
  }

  /** A site that does not say which cluster it is for is for that of its newest WAL. */
  async #findCluster(): Promise<void> {
    const name = this.#survey.books.xlog.survey.blocks.at(-1)?.last;
    if (this.#wal.systemIdentifier !== undefined || name === undefined) return;
    for await (const file of filesIn('xlog', this.#deps.catalog, { from: name, to: name }, this.#deps.signal)) {
      if (this.#deps.budget.allows(file.size) !== 'yes') return;
      const [checked] = await checkWalFiles('xlog', this.#wal, this.#deps)([file]);
      this.#wal = { ...this.#wal, systemIdentifier: checked?.edges?.systemIdentifier };
    }
  }

  /** By names alone: what is not there cannot be read. */
  #judge(): void {
    const { segmentBytes, runs, listing } = this.#survey;
    if (segmentBytes === undefined && listing.entries.length === 0) return;
    const wal = {
      segmentBytes: segmentBytes ?? 16 * 1024 * 1024,
      runs,
      histories: this.#histories,
      basebackups: this.#meant(listing.entries),
    };
    const { only } = this.#options;
    for (const finding of judgeWal(wal, this.#deps.catalog.keys)) {
      const name = finding.object.slice(finding.object.lastIndexOf('/') + 1);
      if (only === undefined || (name >= only.from && name <= only.to)) this.#deps.onFinding(finding);
    }
  }

  #meant(entries: readonly BasebackupEntry[]): readonly BasebackupEntry[] {
    const { only } = this.#options;
    return only === undefined ? entries : entries.filter(({ name }) => name === only.basebackup);
  }

  get #damagedFiles(): ReadonlySet<string> {
    return new Set(this.#survey.books.basebackup_delta.damaged.map(({ name }) => name));
  }

  /** A file that was found damaged may belong to backups that had been found sound. */
  async #judgeShared(): Promise<void> {
    const damaged = this.#damagedFiles;
    if (damaged.size === 0) return;
    const { storage, privateKeys, catalog, clock, signal } = this.#deps;
    for (const backup of this.#survey.backups) {
      const { entry, bytes, sum } = backup;
      if (entry.format === undefined || !this.isSound(backup) || formatOf(entry) !== 'pghoard-delta') continue;
      const found = await findMissingFiles({ storage, privateKeys, key: entry.key, storedBytes: entry.size }, damaged, this.#deps);
      if (found.length === 0) continue;
      this.#isSound.set(entry.name, false);
      const findings = found.map(({ code, what, object }) => ({ code, because: what, object }));
      const about = { format: 1, kind: 'basebackup', name: entry.name, fingerprint: fingerprintOf(entry), sum, bytes } as const;
      await storeVerifyEvidence(catalog, { ...about, verified_at: clock.now().toISOString(), result: 'corrupt', findings }, signal);
    }
  }

  /** Also where it was interrupted. */
  async #note(): Promise<void> {
    const { catalog, clock } = this.#deps;
    const { books, segmentBytes } = this.#survey;
    const signal = AbortSignal.timeout(noteMsMax);
    this.#notedMs = clock.monotonicMs();
    if (segmentBytes !== undefined && (books.xlog.isChanged || books.timeline.isChanged)) {
      const notes = notesOf({ xlog: books.xlog.evidence, timeline: books.timeline.evidence }, segmentBytes);
      for (const note of notes) await storeVerifyEvidence(catalog, note, signal);
      const gone = this.#survey.notedTimelines.filter((timeline) => notes.every((note) => note.timeline !== timeline));
      for (const timeline of gone) await catalog.store.delete(catalog.keys.verifyEvidenceOfTimeline(timeline), { signal });
    }
    for (const folder of ['xlog_partial', 'basebackup_delta'] as const) {
      if (books[folder].isChanged) await writeFolder(catalog, folder, books[folder].evidence, signal);
    }
  }
}

function damage(code: string, object: string, what: string): Finding {
  return { severity: 'damaged', code, object, what };
}

function bytesOf(wish: Wish): number {
  if (wish.kind === 'basebackup') return wish.backup.bytes;
  return wish.kind === 'block' ? wish.block.bytes : wish.file.size;
}
