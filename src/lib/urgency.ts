/**
 * Whether somebody waits for a piece of work. What was begun before anybody asked for it is hurried once somebody does, wherever it waits by then.
 */
export class Urgency {
  #isUrgent: boolean;
  readonly #listeners = new Set<() => void>();

  constructor(isUrgent: boolean) {
    this.#isUrgent = isUrgent;
  }

  get isUrgent(): boolean {
    return this.#isUrgent;
  }

  hurry(): void {
    if (this.#isUrgent) return;
    this.#isUrgent = true;
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }

  /** Tells when it becomes urgent, unless it is by now. Returns what ends that. */
  onHurry(listener: () => void): () => void {
    if (!this.#isUrgent) this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** Of work that somebody waits for. */
export const urgent = new Urgency(true);

export interface Urgent {
  readonly urgency: Urgency;
  /** For whom it is, such as a site: one must not keep another from beginning by work that does not end. */
  readonly party?: string | undefined;
}

/**
 * Which of `waiting` may begin beside `running`, as its index; `undefined`: none yet. Urgent work goes first, and otherwise what came first.
 * Urgent work does not wait until other work has ended: one place more than `places` is there for it. So are up to `spare` for parties of which nothing runs.
 */
export function nextToBegin(waiting: readonly Urgent[], running: readonly Urgent[], places: number, spare = 0): number | undefined {
  if (waiting.length === 0) return undefined;
  const firstUrgent = waiting.findIndex(({ urgency }) => urgency.isUrgent);
  const isHeldUp = firstUrgent >= 0 && running.some(({ urgency }) => !urgency.isUrgent);
  if (running.length < places + (isHeldUp ? 1 : 0)) return Math.max(firstUrgent, 0);
  if (running.length >= places + spare) return undefined;
  const at = waiting.findIndex(({ party }) => party !== undefined && running.every((other) => other.party !== party));
  return at < 0 ? undefined : at;
}
