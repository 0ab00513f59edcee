import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { addLocked, type LockedSummary, noneLocked } from '../storage/delete-many.ts';

/** What was to be deleted in a pass, and is kept by locks of the store. */
export class Locks {
  readonly #basebackups: { readonly entry: BasebackupEntry; readonly until: Date | undefined }[] = [];
  #others = noneLocked;

  get basebackups(): readonly BasebackupEntry[] {
    return this.#basebackups.map(({ entry }) => entry);
  }

  addBasebackup(entry: BasebackupEntry, until: Date | undefined): void {
    this.#basebackups.push({ entry, until });
  }

  add(locked: LockedSummary): void {
    this.#others = addLocked(this.#others, locked);
  }

  /** For the operator; undefined where nothing is locked. */
  get text(): string | undefined {
    const parts = this.#basebackups.map(
      ({ entry: { name }, until }) => `the base backup ${name}${untilText(until)}, with all that it needs`,
    );
    const { objects, until } = this.#others;
    if (objects > 0) parts.push(`${objects} ${objects === 1 ? 'other object' : 'other objects'}${untilText(until)}`);
    if (parts.length === 0) return undefined;
    return `locks of the store keep what is to go: ${parts.join('; ')}. It is deleted once it is not locked any more`;
  }
}

function untilText(until: Date | undefined): string {
  return until === undefined ? '' : ` until ${until.toISOString()}`;
}
