import assert from 'node:assert/strict';
import { type TarMember, tarBlockBytes, tarPaddingOf } from './header.ts';
import { TarOverrides } from './overrides.ts';
import { isZeroBlock, parseTarHeader, type RawTarHeader } from './parse-header.ts';
import { locatedAt, tarCorrupt, tarUnsupported } from './tar-error.ts';

/** Receives the members of an archive one after the other: `member`, then its data in pieces, then `end`. */
export interface TarHandler {
  member(member: TarMember): void | Promise<void>;
  /** The bytes are only lent: they change after this returned or resolved. */
  data(bytes: Uint8Array): void | Promise<void>;
  /** All data of the member has been handed over. */
  end(): void | Promise<void>;
}

/** Long names and pax records are kept in memory, so they have a limit. Linux paths end at 4 KiB. */
const recordBytesMax = 1024 * 1024;

interface RecordState {
  readonly at: 'record';
  readonly typeflag: string;
  readonly parts: Buffer[];
  left: number;
  readonly padding: number;
}

interface DataState {
  readonly at: 'data';
  left: number;
  readonly padding: number;
}

type State = { readonly at: 'header' | 'end' } | RecordState | DataState | { readonly at: 'padding'; readonly left: number };

/** How many bytes were used up, and what to wait for before the next ones. */
interface Step {
  readonly taken: number;
  readonly wait?: Promise<void> | undefined;
}

/**
 * Takes a tar archive apart as its bytes arrive, in pieces of any size and with bounded memory: POSIX ustar and pax, GNU long names and
 * big numbers, V7. Throws `tar-corrupt` for damage and truncation, `tar-unsupported` for devices, pipes, sparse files and the like.
 * Paths are handed on as they are: whoever unpacks must judge them.
 */
export class TarReader {
  readonly #handler: TarHandler;
  readonly #header = Buffer.alloc(tarBlockBytes);
  readonly #overrides = new TarOverrides();
  #headerBytes = 0;
  #state: State = { at: 'header' };
  #offset = 0;
  #busy = false;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  /** Returns a promise only where the handler did. */
  update(bytes: Uint8Array): void | Promise<void> {
    assert(!this.#busy, 'the previous update has not ended');
    return this.#consume(bytes, 0);
  }

  /** Throws `tar-corrupt` unless the archive was complete. */
  finish(): void {
    if (this.#state.at === 'end') return;
    throw tarCorrupt(`it ends after ${this.#offset} bytes, ${this.#whereItEnds()}`);
  }

  #consume(bytes: Uint8Array, start: number): void | Promise<void> {
    for (let position = start; position < bytes.length; ) {
      const { taken, wait } = this.#step(bytes.subarray(position));
      position += taken;
      this.#offset += taken;
      if (wait) return this.#resume(wait, bytes, position);
    }
    return undefined;
  }

  async #resume(wait: Promise<void>, bytes: Uint8Array, position: number): Promise<void> {
    this.#busy = true;
    await wait;
    this.#busy = false;
    await this.#consume(bytes, position);
  }

  /** Uses up at least one byte of what there is. */
  #step(bytes: Uint8Array): Step {
    const state = this.#state;
    if (state.at === 'header') return this.#headerStep(bytes);
    if (state.at === 'record') return this.#recordStep(state, bytes);
    if (state.at === 'data') return this.#dataStep(state, bytes);
    if (state.at === 'padding') {
      const taken = Math.min(state.left, bytes.length);
      this.#skipPadding(state.left - taken);
      return { taken };
    }
    if (!isZeroBlock(bytes)) throw tarCorrupt(`something follows its end at byte ${this.#offset}`);
    return { taken: bytes.length };
  }

  #recordStep(state: RecordState, bytes: Uint8Array): Step {
    const piece = Buffer.from(bytes.subarray(0, state.left));
    state.parts.push(piece);
    state.left -= piece.length;
    if (state.left === 0) this.#takeRecord(state.typeflag, Buffer.concat(state.parts), state.padding);
    return { taken: piece.length };
  }

  #dataStep(state: DataState, bytes: Uint8Array): Step {
    const piece = bytes.subarray(0, state.left);
    state.left -= piece.length;
    const taken = piece.length;
    if (state.left > 0) return { taken, wait: this.#handler.data(piece) ?? undefined };
    this.#skipPadding(state.padding);
    return { taken, wait: inOrder(this.#handler.data(piece), () => this.#handler.end()) };
  }

  #headerStep(bytes: Uint8Array): Step {
    const taken = Math.min(tarBlockBytes - this.#headerBytes, bytes.length);
    this.#header.set(bytes.subarray(0, taken), this.#headerBytes);
    this.#headerBytes += taken;
    if (this.#headerBytes < tarBlockBytes) return { taken };
    this.#headerBytes = 0;
    return { taken, wait: this.#takeHeader() };
  }

  #takeHeader(): Promise<void> | undefined {
    if (isZeroBlock(this.#header)) {
      if (this.#overrides.pending) throw tarCorrupt('it ends where a member was announced');
      this.#state = { at: 'end' };
      return undefined;
    }
    const header = this.#located(() => parseTarHeader(this.#header));
    if (isRecord(header.typeflag)) {
      this.#beginRecord(header);
      return undefined;
    }
    const member = this.#located(() => this.#overrides.apply(header));
    const wait = this.#handler.member(member);
    if (member.size > 0) {
      this.#state = { at: 'data', left: member.size, padding: tarPaddingOf(member.size) };
      return wait ?? undefined;
    }
    return inOrder(wait, () => this.#handler.end());
  }

  #beginRecord({ typeflag, size }: RawTarHeader): void {
    if (size > recordBytesMax) throw tarUnsupported(`a name or attribute record of ${size} bytes at byte ${this.#headerOffset()}`);
    if (size === 0) return this.#takeRecord(typeflag, Buffer.alloc(0), 0);
    this.#state = { at: 'record', typeflag, parts: [], left: size, padding: tarPaddingOf(size) };
  }

  #takeRecord(typeflag: string, body: Buffer, padding: number): void {
    this.#located(() => this.#overrides.take(typeflag, body));
    this.#skipPadding(padding);
  }

  #skipPadding(left: number): void {
    this.#state = left > 0 ? { at: 'padding', left } : { at: 'header' };
  }

  #headerOffset(): number {
    return Math.floor(this.#offset / tarBlockBytes) * tarBlockBytes;
  }

  /** Says where in the archive it went wrong. */
  #located<T>(parse: () => T): T {
    return locatedAt(this.#headerOffset(), parse);
  }

  #whereItEnds(): string {
    if (this.#state.at === 'data' || this.#state.at === 'padding') return 'inside a member';
    if (this.#state.at === 'record' || this.#headerBytes > 0) return 'inside a header';
    return 'before the blocks that mark its end';
  }
}

function isRecord(typeflag: string): boolean {
  return typeflag === 'x' || typeflag === 'g' || typeflag === 'L' || typeflag === 'K';
}

function inOrder(first: void | Promise<void>, then: () => void | Promise<void>): Promise<void> | undefined {
  if (first) return first.then(then);
  return then() ?? undefined;
}
