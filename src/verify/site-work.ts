import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { storeVerifyEvidence } from '../catalog/evidence/store-evidence.ts';
import { isOperatorError, messageOf } from '../lib/errors.ts';
import { BackupStates } from './backup-states.ts';
import type { Finding } from './finding.ts';
import type { FolderName } from './folder-name.ts';
import { FolderReading } from './folder-reading.ts';
import { judgeWal } from './judge-wal.ts';
import { KeyProof } from './key-proof.ts';
import { writeFolder } from './progress.ts';
import type { SurveyedBackup } from './survey-backups.ts';
import type { SiteSurvey } from './survey-site.ts';
import { verifyBasebackup } from './verify-basebackup.ts';
import type { VerifyDeps, WorkDeps } from './verify-deps.ts';
import { notesOf } from './wal-notes.ts';
import { keyIn } from './wal-work.ts';
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
  readonly backups: BackupStates;
  readonly #survey: SiteSurvey;
  readonly #options: WishOptions;
  readonly #deps: WorkDeps;
  readonly #folders: FolderReading;
  #backupObjects = 0;
  #backupsTooLarge = 0;
  #notedMs: number;

  constructor(survey: SiteSurvey, options: WishOptions, deps: VerifyDeps) {
    this.#survey = survey;
    this.#options = options;
    const keyProof = new KeyProof(survey, deps);
    this.#deps = { ...deps, judgeKey: (finding) => keyProof.judge(finding) };
    this.#folders = new FolderReading(survey, this.#deps);
    this.backups = new BackupStates(survey.backups);
    this.#notedMs = deps.clock.monotonicMs();
  }

  /** That were read. */
  get objects(): number {
    return this.#folders.objects + this.#backupObjects;
  }

  get tooLarge(): number {
    return this.#folders.tooLarge + this.#backupsTooLarge;
  }

  /** By what is noted, or will be. */
  get knownDamage(): readonly Finding[] {
    const { keys } = this.#deps.catalog;
    const { books } = this.#survey;
    const files = (Object.keys(books) as FolderName[]).flatMap((folder) =>
      books[folder].damaged.map(({ name, code, cause: what }): Finding => {
        return { severity: 'damaged', code, object: keyIn(folder, name, keys), what };
      }),
    );
    return [...files, ...this.backups.noted.filter(({ severity }) => severity === 'damaged')];
  }

  /** Rejects only where it is interrupted, and where it is a bug. */
  async run(): Promise<WorkEnd> {
    try {
      for (const { key, why } of this.#survey.listing.unreadable) {
        this.#deps.onFinding({ severity: 'damaged', code: 'basebackup-unreadable', object: key, what: why });
      }
      await this.#folders.readHistories();
      await this.#folders.findCluster();
      this.#judge();
      const end = await this.#readAll();
      await this.backups.judgeShared(this.#damagedFiles, this.#deps);
      this.#tellNotedWarnings();
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

  #read(wish: Wish): Promise<'finished' | 'used up'> {
    if (wish.kind === 'basebackup') return this.#readBackup(wish.backup);
    return wish.kind === 'block' ? this.#folders.readBlock(wish.folder, wish.block) : this.#folders.readAgain(wish.folder, wish.file);
  }

  async #readBackup({ entry, objects }: SurveyedBackup): Promise<'finished' | 'used up'> {
    let [isDamaged, isUnread] = [false, false];
    const deps: WorkDeps = {
      ...this.#deps,
      onFinding: (finding) => {
        isDamaged ||= finding.severity === 'damaged';
        isUnread ||= finding.severity === 'unread';
        this.#deps.onFinding(finding);
      },
    };
    const { systemIdentifier } = this.#folders;
    const cluster = systemIdentifier === undefined ? undefined : { systemIdentifier };
    const outcome = await verifyBasebackup({ entry, cluster, damagedFiles: this.#damagedFiles }, deps);
    if (isDamaged) this.backups.found(entry.name, false);
    else if (outcome === 'finished' && !isUnread) this.backups.found(entry.name, true);
    if (outcome === 'finished') this.#backupObjects += objects;
    if (outcome === 'too large') this.#backupsTooLarge++;
    return outcome === 'used up' ? 'used up' : 'finished';
  }

  /** By names alone: what is not there cannot be read. */
  #judge(): void {
    const { segmentBytes, runs, listing } = this.#survey;
    if (segmentBytes === undefined && listing.entries.length === 0) return;
    const wal = {
      segmentBytes: segmentBytes ?? 16 * 1024 * 1024,
      runs,
      histories: this.#folders.histories,
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

  /** What is damaged is read again each time and so told again; this is not, and still so. */
  #tellNotedWarnings(): void {
    if (this.#options.only !== undefined) return;
    for (const finding of this.backups.noted) if (finding.severity === 'warning') this.#deps.onFinding(finding);
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

function bytesOf(wish: Wish): number {
  if (wish.kind === 'basebackup') return wish.backup.bytes;
  return wish.kind === 'block' ? wish.block.bytes : wish.file.size;
}
