import { type FetchedWal, placeFile } from './fetched-wal.ts';
import type { ReceivedWal } from './stored-wal.ts';
import type { WalSlot } from './wal-slot.ts';

/** A file and the slot that is held for it. */
export interface Held<T extends ReceivedWal> {
  readonly slot: WalSlot<T>;
  readonly wal: T;
}

/** The files that were fetched and those that are coming, one slot for each name. */
export class WalShelf<T extends ReceivedWal> {
  readonly #slots = new Map<string, WalSlot<T>>();

  get(name: string): WalSlot<T> | undefined {
    return this.#slots.get(name);
  }

  /** A slot that brings no file is forgotten at once, so that the next one who asks starts anew. One that nobody wants any more goes. */
  add(slot: WalSlot<T>, isUnwanted: () => boolean): WalSlot<T> {
    this.#slots.set(slot.name, slot);
    slot.received.then(
      (wal) => (wal === undefined ? this.#forget(slot) : this.evict((other) => other === slot && isUnwanted())),
      () => this.#forget(slot),
    );
    return slot;
  }

  /** Drops files that nobody holds. */
  async evict(isUnwanted: (slot: WalSlot<T>) => boolean): Promise<void> {
    const slots = [...this.#slots.values()].filter((slot) => slot.isSettled && slot.holders === 0 && isUnwanted(slot));
    await Promise.all(slots.map((slot) => this.drop(slot)));
  }

  async drop(slot: WalSlot<T>): Promise<void> {
    this.#forget(slot);
    await slot.discard();
  }

  /** To one caller; the file goes once the last one has released it. */
  handOut({ slot, wal }: Held<T>): FetchedWal {
    let isReleased = false;
    const release = async () => {
      if (isReleased) return;
      isReleased = true;
      slot.letGo();
      if (slot.holders === 0) await this.drop(slot);
    };
    const moveTo = async (target: string) => {
      const mayMove = slot.holders === 1;
      if (mayMove) this.#forget(slot);
      try {
        await placeFile(wal.path, target, mayMove);
      } finally {
        await release();
      }
    };
    const { name, path, bytes, hash, hashAlgorithm } = wal;
    return { name, path, bytes, hash, hashAlgorithm, moveTo, release, [Symbol.asyncDispose]: release };
  }

  /** Resolves once nothing is coming any more. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#slots.values()].map((slot) => slot.received));
  }

  #forget(slot: WalSlot<T>): void {
    if (this.#slots.get(slot.name) === slot) this.#slots.delete(slot.name);
  }
}
