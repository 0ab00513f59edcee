import { formatOf } from '../catalog/backup-format.ts';
import { fingerprintOf } from '../catalog/evidence/fingerprint.ts';
import { storeVerifyEvidence } from '../catalog/evidence/store-evidence.ts';
import { findMissingFiles } from './find-missing-files.ts';
import type { Finding, Severity } from './finding.ts';
import type { SurveyedBackup } from './survey-backups.ts';
import type { VerifyDeps } from './verify-deps.ts';

/** Which base backups are sound, by what was noted and what has been found since. */
export class BackupStates {
  readonly #backups: readonly SurveyedBackup[];
  /** What was found of those that were read to their end; what is not in it is as it was noted. */
  readonly #found = new Map<string, boolean>();

  constructor(backups: readonly SurveyedBackup[]) {
    this.#backups = backups;
  }

  found(name: string, isSound: boolean): void {
    this.#found.set(name, isSound);
  }

  /** Whether a base backup is sound; undefined: nobody knows. */
  isSound({ entry, noted }: SurveyedBackup): boolean | undefined {
    return this.#found.get(entry.name) ?? (noted && noted.result === 'sound');
  }

  /** When a base backup was found sound; undefined: it is not known to be. */
  provenAt(backup: SurveyedBackup, now: Date): Date | undefined {
    const { entry, noted } = backup;
    if (this.isSound(backup) !== true) return undefined;
    return this.#found.get(entry.name) === true || noted === undefined ? now : new Date(noted.verified_at);
  }

  /** What is noted of those that were not read again; of ones that are sound, only what is to be warned of. */
  get noted(): readonly Finding[] {
    return this.#backups.flatMap(({ entry, noted }) => {
      if (noted === undefined || this.#found.has(entry.name)) return [];
      const severity: Severity = noted.result === 'corrupt' ? 'damaged' : 'warning';
      return noted.findings.map(({ code, because, object }) => ({ severity, code, object: object ?? entry.key, what: because }));
    });
  }

  /** A file that was found damaged may belong to backups that had been found sound. */
  async judgeShared(damagedFiles: ReadonlySet<string>, deps: VerifyDeps): Promise<void> {
    if (damagedFiles.size === 0) return;
    const { storage, privateKeys, catalog, clock, signal } = deps;
    for (const backup of this.#backups) {
      const { entry, bytes, sum } = backup;
      if (entry.format === undefined || !this.isSound(backup) || formatOf(entry) !== 'pghoard-delta') continue;
      const found = await findMissingFiles({ storage, privateKeys, key: entry.key, storedBytes: entry.size }, damagedFiles, deps);
      if (found.length === 0) continue;
      this.#found.set(entry.name, false);
      const findings = found.map(({ code, what, object }) => ({ code, because: what, object }));
      const about = { format: 1, kind: 'basebackup', name: entry.name, fingerprint: fingerprintOf(entry), sum, bytes } as const;
      await storeVerifyEvidence(catalog, { ...about, verified_at: clock.now().toISOString(), result: 'corrupt', findings }, signal);
    }
  }
}
