import { createCipheriv, createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { SeededRandom } from './seeded-random.ts';

const KiB64 = 65_536;
const MiB = 1024 * 1024;

/** Around every size at which some layer begins something new: tar blocks, what deltas embed, snappy chunks, our buffers. */
export const edgeSizes: readonly number[] = [
  0,
  1,
  150,
  151,
  511,
  512,
  513,
  10_239,
  10_240,
  65_535,
  65_536,
  65_537,
  131_072,
  MiB - 1,
  MiB,
  MiB + 1,
];

const oddNames: readonly string[] = [
  'with space',
  ' leading',
  'trailing ',
  '-rf',
  `"double" and 'single'`,
  'back\\slash\\n',
  'two\nlines',
  'tab\there',
  '\r',
  '\u2028',
  '%s%n',
  '*?[a]{b,c}$HOME`id`;&|',
  'žluťoučký kůň',
  'e\u0301 and \u00e9',
  '日本語',
  '🐘🐘',
  '#comment',
  '=1',
  '...',
  'n'.repeat(99),
  'n'.repeat(100),
  'n'.repeat(255),
  'é'.repeat(127),
];

const pieces = ['a', 'Z', '0', ' ', '.', '_', '-', "'", '"', '\n', '\t', '\\', 'é', '日', '🐘', ',', ':', '\u007f', '\u0001', 'e\u0301'];

const kinds = ['incompressible', 'text', 'zeros', 'sparse', 'mixed'] as const;

/** Fills directories with files of all kinds, sizes and names: some that are always there, and some by chance. Synchronous, which is quicker. */
export class RandomTree {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** About 4 MB; without the sizes in {@link edgeSizes} half a megabyte. */
  plant(top: string, { files = 30, sizes = edgeSizes } = {}): void {
    mkdirSync(top, { mode: 0o700 });
    const directories = this.#plantDirectories(top);
    for (const size of sizes) this.#file(join(top, `${size} bytes`), size);
    for (const name of oddNames) this.#file(join(this.#pick(directories), name), this.#random.between(0, 2000));
    for (let i = 0; i < files; i++) this.#file(join(this.#pick(directories), `f${i}${this.#name()}`), this.#size());
    symlinkSync('plain', join(top, 'link'));
    symlinkSync(`nowhere/${'é'.repeat(80)}`, join(top, 'dangling link'));
  }

  /** As many small files as wished, in directories of a thousand. */
  plantMany(top: string, files: number): void {
    for (let i = 0; i < files; i++) {
      const directory = join(top, String(Math.floor(i / 1000)));
      if (i % 1000 === 0) mkdirSync(directory, { recursive: true, mode: 0o700 });
      writeFileSync(join(directory, `${i}`), `${i} `.repeat(this.#random.between(0, 60)), { mode: 0o600 });
    }
  }

  /** Odd ones, a deep one (paths of 800 bytes), an empty one, one of another mode. */
  #plantDirectories(top: string): string[] {
    const directories = [top];
    for (const name of ['plain', 'odd "ö" \n', 'd'.repeat(100)]) directories.push(join(top, name));
    let deep = top;
    for (let level = 0; level < 20; level++) directories.push((deep = join(deep, `${level}${'-'.repeat(38)}`)));
    for (let i = 0; i < 3; i++) directories.push(join(this.#pick(directories), `D${i}${this.#name()}`));
    for (const path of directories.slice(1)) mkdirSync(path, { mode: 0o700, recursive: true });
    mkdirSync(join(top, 'empty'), { mode: 0o700 });
    mkdirSync(join(top, 'others may look'));
    chmodSync(join(top, 'others may look'), 0o755);
    return directories;
  }

  #file(path: string, size: number): void {
    const file = openSync(path, 'wx', 0o600);
    try {
      const kind = this.#pick(kinds);
      ftruncateSync(file, size);
      if (kind === 'sparse') writeSync(file, Buffer.from('.'), 0, Math.min(1, size), Math.floor(size / 2));
      else writeSync(file, this.#content(kind, size), 0, size, 0);
      const time = this.#time();
      futimesSync(file, time, time);
    } finally {
      closeSync(file);
    }
    if (this.#random.next() < 0.1) chmodSync(path, this.#pick([0o400, 0o640, 0o644, 0o755]));
  }

  #content(kind: (typeof kinds)[number], size: number): Buffer {
    const bytes = Buffer.alloc(size);
    if (kind === 'text') bytes.fill('all work and no play ');
    if (kind === 'incompressible') return this.#noise(bytes);
    if (kind === 'mixed') for (let at = 0; at < size; at += 3 * 4096) this.#noise(bytes.subarray(at, at + 4096)).copy(bytes, at);
    return bytes;
  }

  #noise(bytes: Buffer): Buffer {
    const key = Buffer.alloc(16);
    for (let i = 0; i < 4; i++) key.writeUInt32LE(this.#random.between(0, 2 ** 32 - 1), i * 4);
    return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(bytes);
  }

  /** Whole seconds, as tar has them; now and then before 1970. */
  #time(): Date {
    return new Date(this.#random.between(this.#random.next() < 0.1 ? -1_000_000 : 1_000_000_000, 1_700_000_000) * 1000);
  }

  #size(): number {
    const edge = this.#pick([0, 150, 512, KiB64, 2 * KiB64]);
    if (this.#random.next() < 0.3) return Math.max(0, edge + this.#random.between(-2, 2));
    return this.#random.between(0, 2 ** this.#random.between(0, 18));
  }

  #name(): string {
    return Array.from({ length: this.#random.between(0, 12) }, () => this.#pick(pieces)).join('');
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.between(0, from.length - 1)] as T;
  }
}

/** A line for each entry below a directory, to be compared. Times of directories and links are left out: unpacking changes them. */
export function describeTree(top: string): Record<string, string> {
  const found: Record<string, string> = {};
  const describe = (directory: string): void => {
    for (const name of readdirSync(join(top, directory)).toSorted()) {
      const path = join(directory, name);
      const at = join(top, path);
      const stats = lstatSync(at);
      const attributes = `${(stats.mode & 0o7777).toString(8)} ${stats.uid}:${stats.gid}`;
      if (stats.isSymbolicLink()) found[path] = `-> ${readlinkSync(at)}`;
      else if (stats.isFile()) found[path] = `${attributes} ${Math.floor(stats.mtimeMs / 1000)} ${stats.size} ${digestOf(at)}`;
      else {
        found[path] = `directory ${attributes}`;
        describe(path);
      }
    }
  };
  describe('');
  return found;
}

function digestOf(path: string): string {
  return createHash('sha1').update(readFileSync(path)).digest('hex');
}
