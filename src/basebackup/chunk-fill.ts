import { type TarMember, tarBlockBytes, tarPaddingOf } from '../tar/header.ts';

export interface ChunkLimits {
  readonly targetBytes: number;
  readonly membersMax: number;
}

/** A chunk fuller than this part of the target is closed rather than overfilled. */
const closableShare = 1 / 5;

/** What is in the chunk that is being filled, and when the next one begins. */
export class ChunkFill<Entry extends Pick<TarMember, 'path' | 'type' | 'size'>> {
  readonly #limits: ChunkLimits;
  readonly #enclosing: Entry[] = [];
  #members = 0;
  #repeated = 0;
  #bytes = 0;

  constructor(limits: ChunkLimits) {
    this.#limits = limits;
  }

  /**
   * Takes the entry that comes next. Where another chunk begins with it, returns the directories around it: they come first in there, so that it can be
   * unpacked by itself.
   */
  add(entry: Entry): readonly Entry[] | undefined {
    while (this.#enclosing.length > 0 && !entry.path.startsWith(`${this.#enclosing.at(-1)?.path}/`)) this.#enclosing.pop();
    const repeated = this.#isFullFor(entry) ? this.#begin() : undefined;
    this.#members++;
    this.#bytes += tarBytesOf(entry);
    if (entry.type === 'directory') this.#enclosing.push(entry);
    return repeated;
  }

  #isFullFor(entry: Entry): boolean {
    const { targetBytes, membersMax } = this.#limits;
    const isFull = this.#bytes > targetBytes * closableShare && this.#bytes + tarBytesOf(entry) > targetBytes;
    return this.#members > this.#repeated && (isFull || this.#members >= membersMax);
  }

  #begin(): readonly Entry[] {
    this.#members = this.#enclosing.length;
    this.#repeated = this.#enclosing.length;
    this.#bytes = this.#enclosing.reduce((sum, entry) => sum + tarBytesOf(entry), 0);
    return [...this.#enclosing];
  }
}

function tarBytesOf({ size }: { readonly size: number }): number {
  return tarBlockBytes + size + tarPaddingOf(size);
}
