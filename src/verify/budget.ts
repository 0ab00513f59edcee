/** How much may be read. */
export interface Budget {
  /** Whether an object of so many bytes may be read now. Never again true once it was false, but for an object that is larger than everything that may be read. */
  readonly allows: (bytes: number) => 'yes' | 'used up' | 'too large';
  /** So much was read. */
  readonly spend: (bytes: number) => void;
}

export const unlimited: Budget = { allows: () => 'yes', spend: () => {} };

/** So many bytes, and not one more: what does not fit in any more is left for another time. */
export class FixedBudget implements Budget {
  readonly #bytes: number;
  #left: number;
  #isUsedUp = false;

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#left = bytes;
  }

  allows(bytes: number): 'yes' | 'used up' | 'too large' {
    if (bytes > this.#bytes) return 'too large';
    if (this.#isUsedUp || bytes > this.#left) {
      this.#isUsedUp = true;
      return 'used up';
    }
    // Taken at once: several objects are read at a time.
    this.#left -= bytes;
    return 'yes';
  }

  spend(): void {}
}

const dayMs = 86_400_000;

/**
 * So many bytes a day on average. What is not used is kept for a day at most; an object of any size may be read while anything is left, and then nothing until it is paid
 * for.
 */
export class DailyBudget implements Budget {
  readonly #bytesPerDay: number;
  #left: number;
  #atMs: number;

  constructor(bytesPerDay: number, nowMs: number) {
    this.#bytesPerDay = bytesPerDay;
    this.#left = bytesPerDay;
    this.#atMs = nowMs;
  }

  /** The clock has come to here. */
  passTo(nowMs: number): void {
    const earned = ((nowMs - this.#atMs) / dayMs) * this.#bytesPerDay;
    this.#left = Math.min(this.#left + earned, this.#bytesPerDay);
    this.#atMs = nowMs;
  }

  get isUsedUp(): boolean {
    return this.#left <= 0;
  }

  allows(bytes: number): 'yes' | 'used up' {
    if (this.isUsedUp) return 'used up';
    this.#left -= bytes;
    return 'yes';
  }

  spend(): void {}
}
