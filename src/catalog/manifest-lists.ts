import { manifestInvalid } from './manifest-stream.ts';

/** Far longer than the longest path with an embedded file. */
const itemBytesMax = 1024 * 1024;
const keyBytesMax = 64;

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;

interface Container {
  /** Names from the top, joined by dots; undefined below a list. */
  readonly path: string | undefined;
  readonly list: ((item: unknown) => void) | undefined;
}

/**
 * Finds the items of named lists in JSON as its bytes arrive, so that a list with an item for every file of a cluster is never in memory as a
 * whole. A list is named by the keys that lead to it: `manifest.snapshot_result.hashes`. Throws `manifest-invalid`.
 */
export class ManifestLists {
  readonly #lists: Readonly<Record<string, (item: unknown) => void>>;
  readonly #stack: Container[] = [];
  #inString = false;
  #escaped = false;
  /** Of the string that is being read or was read last. */
  #key: number[] = [];
  /** Path of the value that comes next; undefined where no list can be in it. */
  #next: string | undefined = '';
  /** Index in {@link #stack} of the list whose items are collected; -1: none. */
  #collecting = -1;
  #item: Buffer[] = [];
  #itemBytes = 0;

  constructor(lists: Readonly<Record<string, (item: unknown) => void>>) {
    this.#lists = lists;
  }

  update(bytes: Uint8Array): void {
    let from = 0;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      if (this.#inString) this.#stepInString(byte);
      else if (byte === quote) this.#beginString();
      else if (this.#collecting === this.#stack.length - 1 && this.#collecting >= 0 && (byte === comma || byte === 0x5d)) {
        this.#collect(bytes.subarray(from, i));
        this.#endItem();
        from = i + 1;
        if (byte === 0x5d) this.#close();
      } else if (this.#step(byte)) from = i + 1;
    }
    if (this.#collecting >= 0) this.#collect(bytes.subarray(from));
  }

  /** Throws unless the text was complete. */
  finish(): void {
    if (this.#stack.length > 0 || this.#inString) throw manifestInvalid('it is cut off');
  }

  /** Says whether the items of a list begin after this byte. */
  #step(byte: number): boolean {
    if (byte === colon) {
      if (this.#collecting < 0) this.#next = this.#nameBelow(String.fromCharCode(...this.#key));
    } else if (byte === 0x7b || byte === 0x5b) {
      return this.#open(byte === 0x5b);
    } else if (byte === 0x7d || byte === 0x5d) this.#close();
    else if (byte === comma) this.#next = undefined;
    return false;
  }

  #open(isList: boolean): boolean {
    const list = isList && this.#next !== undefined && Object.hasOwn(this.#lists, this.#next) ? this.#lists[this.#next] : undefined;
    this.#stack.push({ path: isList ? undefined : this.#next, list });
    this.#next = undefined;
    if (!list) return false;
    this.#collecting = this.#stack.length - 1;
    return true;
  }

  #close(): void {
    if (this.#stack.pop() === undefined) throw manifestInvalid('it is not JSON');
    if (this.#collecting === this.#stack.length) this.#collecting = -1;
    this.#next = undefined;
  }

  #nameBelow(key: string): string | undefined {
    const container = this.#stack.at(-1);
    if (container?.path === undefined) return undefined;
    return container.path === '' ? key : `${container.path}.${key}`;
  }

  #beginString(): void {
    this.#inString = true;
    this.#key = [];
  }

  #stepInString(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === backslash) this.#escaped = true;
    else if (byte === quote) {
      this.#inString = false;
      return;
    }
    if (this.#collecting < 0 && this.#key.length < keyBytesMax) this.#key.push(byte);
  }

  #collect(bytes: Uint8Array): void {
    this.#itemBytes += bytes.length;
    if (this.#itemBytes > itemBytesMax) throw manifestInvalid('an item of one of its lists is too long to be one');
    this.#item.push(Buffer.from(bytes));
  }

  #endItem(): void {
    const text = Buffer.concat(this.#item).toString().trim();
    this.#item = [];
    this.#itemBytes = 0;
    if (text === '') return;
    this.#stack[this.#collecting]?.list?.(parse(text));
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw manifestInvalid('it is not JSON', error);
  }
}
