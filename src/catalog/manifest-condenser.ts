import { OperatorError } from '../lib/errors.ts';

/** The long values of a manifest, which a restore can do without: a name or a hash for every file of the cluster. */
const condensedKeys = new Set(['files', 'hashes', 'empty_dirs']);
const keyBytesMax = 16;
/** Longer than any path. */
const textBytesMax = 64 * 1024;
/** What is left has a line per 2 GiB of data, so this is far beyond any cluster. */
const condensedBytesMax = 16 * 1024 * 1024;

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;

/** Takes the strings directly in a list, in place of which it is put. */
export interface ListSummary {
  add(text: string): void;
  /** Becomes JSON. */
  readonly names: unknown;
}

/**
 * Makes JSON shorter as its bytes arrive: where `files` or `hashes` hold a list or an object, the number of strings directly in it is put
 * in its place, or what `summarise` makes of each of the former. So the manifest of millions of files is read in bounded memory.
 */
export class ManifestCondenser {
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #inString = false;
  #escaped = false;
  /** Of the string that is being read or was read last. */
  #key: number[] = [];
  #keyEnded = false;
  #valueOfCondensed = false;
  /** Depth of brackets inside the value that is left out; 0 outside of one. */
  #depth = 0;
  #strings = 0;
  readonly #summarise: (() => ListSummary) | undefined;
  #summary: ListSummary | undefined;
  /** Of a string directly in the list, as it stands in the JSON. */
  #text: number[] | undefined;

  constructor(summarise?: () => ListSummary) {
    this.#summarise = summarise;
  }

  update(bytes: Uint8Array): void {
    let keepFrom = this.#depth === 0 ? 0 : undefined;
    for (let i = 0; i < bytes.length; i++) {
      const wasSkipping = this.#depth > 0;
      this.#step(bytes[i] as number);
      if (!wasSkipping && this.#depth > 0) {
        this.#keep(bytes.subarray(keepFrom ?? 0, i));
        keepFrom = undefined;
      } else if (wasSkipping && this.#depth === 0) {
        this.#keep(Buffer.from(this.#inPlace()));
        keepFrom = i + 1;
      }
    }
    if (keepFrom !== undefined) this.#keep(bytes.subarray(keepFrom));
  }

  /** The shortened text. */
  finish(): string {
    return Buffer.concat(this.#kept).toString();
  }

  #step(byte: number): void {
    if (this.#inString) return this.#stepInString(byte);
    if (byte === quote) return this.#beginString();
    if (this.#depth > 0) return this.#stepSkipping(byte);
    if (isSpace(byte)) return;
    if (byte === colon) {
      this.#valueOfCondensed = this.#keyEnded && condensedKeys.has(String.fromCharCode(...this.#key));
    } else {
      if (this.#valueOfCondensed && isOpening(byte)) this.#beginSkipping();
      this.#valueOfCondensed = false;
    }
    this.#keyEnded = false;
  }

  #stepInString(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === backslash) this.#escaped = true;
    else if (byte === quote) {
      this.#inString = false;
      this.#keyEnded = true;
      this.#endText();
      return;
    }
    if (this.#text && this.#text.length < textBytesMax) this.#text.push(byte);
    if (this.#key.length < keyBytesMax) this.#key.push(byte);
  }

  #beginString(): void {
    this.#inString = true;
    this.#key = [];
    this.#keyEnded = false;
    this.#valueOfCondensed = false;
    if (this.#depth !== 1) return;
    this.#strings++;
    if (this.#summary) this.#text = [];
  }

  #endText(): void {
    if (this.#text === undefined) return;
    this.#summary?.add(textOf(this.#text));
    this.#text = undefined;
  }

  #inPlace(): string {
    return this.#summary ? JSON.stringify(this.#summary.names) : String(this.#strings);
  }

  #beginSkipping(): void {
    this.#depth = 1;
    this.#strings = 0;
    this.#summary = String.fromCharCode(...this.#key) === 'files' ? this.#summarise?.() : undefined;
  }

  #stepSkipping(byte: number): void {
    if (isOpening(byte)) this.#depth++;
    else if (byte === 0x5d || byte === 0x7d) this.#depth--;
  }

  #keep(bytes: Uint8Array): void {
    this.#keptBytes += bytes.length;
    if (this.#keptBytes > condensedBytesMax)
      throw new OperatorError('manifest-invalid', 'the manifest of the base backup is too long to be one');
    this.#kept.push(Buffer.from(bytes));
  }
}

/** As it is meant; what is no JSON is found when all of it is read. */
function textOf(bytes: readonly number[]): string {
  const text = Buffer.from(bytes).toString();
  try {
    return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
  } catch {
    return text;
  }
}

function isOpening(byte: number): boolean {
  return byte === 0x5b || byte === 0x7b;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}
