import type { BasebackupListing } from '../catalog/catalog.ts';

/** Notices that WAL is deleted, by whichever daemon: that is so where base backups have gone that needed all that follows them, or are only kept for themselves from now on. */
export class LetGoWatch {
  #listing: BasebackupListing | undefined;
  #needing: readonly string[] = [];
  #isUnderWay = false;

  /** Whether some may have gone since this was asked last. It goes after the base backups, so the answer is the same at the next listing once more. */
  hasLetGo(listing: BasebackupListing | undefined, keptAlone: () => ReadonlySet<string>): boolean {
    if (listing === undefined || listing === this.#listing) return false;
    const alone = keptAlone();
    const needing = new Set(listing.entries.flatMap(({ name }) => (alone.has(name) ? [] : [name])));
    const hasBegun = this.#needing.some((name) => !needing.has(name));
    const answer = hasBegun || this.#isUnderWay;
    this.#listing = listing;
    this.#needing = [...needing];
    this.#isUnderWay = hasBegun;
    return answer;
  }
}
