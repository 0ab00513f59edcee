import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { fingerprintOf } from '../catalog/evidence/fingerprint.ts';
import { storeVerifyEvidence } from '../catalog/evidence/store-evidence.ts';
import type { BackupFindings } from './backup-findings.ts';
import type { BackupObjects } from './backup-parts.ts';
import type { Finding } from './finding.ts';
import { NumberRanges } from './number-ranges.ts';
import { forgetBackupProgress, type UnfinishedBackup, writeBackupProgress } from './progress.ts';
import type { VerifyDeps } from './verify-deps.ts';

/** How often it is noted how far it has come. */
const noteMs = 60_000;
const noteMsMax = 30_000;
const notedMax = 100;

/** What is noted of a base backup in the store: how far it has been read, and what was found. */
export class BackupNotes {
  /** Numbers of the parts that need not be read again. */
  readonly read: NumberRanges;
  readonly #entry: BasebackupEntry;
  readonly #objects: BackupObjects;
  readonly #findings: BackupFindings;
  readonly #deps: VerifyDeps;
  readonly #begun: Date;
  #wasBegun: boolean;
  #notedMs: number;

  constructor(
    entry: BasebackupEntry,
    objects: BackupObjects,
    before: UnfinishedBackup | undefined,
    findings: BackupFindings,
    deps: VerifyDeps,
  ) {
    this.#entry = entry;
    this.#objects = objects;
    this.#findings = findings;
    this.#deps = deps;
    const goesOn = before?.sum === objects.sum;
    this.#wasBegun = before !== undefined;
    this.read = new NumberRanges(goesOn ? before.read : []);
    this.#begun = goesOn ? new Date(before.begun_at) : deps.clock.now();
    this.#notedMs = deps.clock.monotonicMs();
  }

  /** Now and then, while it goes on. */
  async noteIfDue(): Promise<void> {
    if (this.#deps.clock.monotonicMs() - this.#notedMs >= noteMs) await this.note(false);
  }

  /** For whoever comes next. `isFinished`: it has been read to its end. */
  async note(isFinished: boolean): Promise<void> {
    const { catalog, clock } = this.#deps;
    const { name } = this.#entry;
    const { sum, bytes } = this.#objects;
    this.#notedMs = clock.monotonicMs();
    // Also of one that was interrupted.
    const signal = AbortSignal.timeout(noteMsMax);
    const { damaged, pages, isUnread } = this.#findings;
    const isRead = isFinished && !isUnread;
    if (damaged.length > 0) await this.#store('corrupt', damaged, signal);
    else if (isRead) await this.#store('sound', pages, signal);
    if (isRead) {
      if (this.#wasBegun) await forgetBackupProgress(catalog, name, signal);
    } else if (this.read.ranges.length > 0) {
      this.#wasBegun = true;
      const progress = { format: 1, begun_at: this.#begun.toISOString(), sum, bytes, read: this.read.ranges } as const;
      await writeBackupProgress(catalog, name, progress, signal);
    }
  }

  async #store(result: 'sound' | 'corrupt', found: readonly Finding[], signal: AbortSignal): Promise<void> {
    const { catalog, clock } = this.#deps;
    const { sum, bytes } = this.#objects;
    const findings = found.slice(0, notedMax).map(({ code, what, object }) => ({ code, because: what, object }));
    const about = { format: 1, kind: 'basebackup', name: this.#entry.name, fingerprint: fingerprintOf(this.#entry), sum, bytes } as const;
    await storeVerifyEvidence(catalog, { ...about, verified_at: clock.now().toISOString(), result, findings }, signal);
  }
}
