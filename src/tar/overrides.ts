import type { TarMember } from './header.ts';
import { decodeTarText, type RawTarHeader } from './parse-header.ts';
import { parsePaxRecords } from './pax.ts';
import { tarCorrupt, tarUnsupported } from './tar-error.ts';

const memberTypes: Readonly<Record<string, TarMember['type']>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
};

const unsupportedTypes: Readonly<Record<string, string>> = {
  '3': 'a character device',
  '4': 'a block device',
  '6': 'a named pipe',
  S: 'a sparse file',
  M: 'a part of a file that began in another archive',
  D: 'a GNU incremental directory listing',
  V: 'a volume label',
};

/** What pax (`x`, `g`) and GNU (`L`, `K`) records say about the member that follows them. */
export class TarOverrides {
  readonly #global = new Map<string, Buffer>();
  readonly #next = new Map<string, Buffer>();

  /** Records were read for a member that has not come yet. */
  get pending(): boolean {
    return this.#next.size > 0;
  }

  take(typeflag: string, body: Buffer): void {
    if (typeflag === 'L' || typeflag === 'K') {
      this.#next.set(typeflag === 'L' ? 'path' : 'linkpath', untilNul(body));
      return;
    }
    const target = typeflag === 'g' ? this.#global : this.#next;
    for (const [keyword, value] of parsePaxRecords(body)) target.set(keyword, value);
  }

  /** The member that `header` begins. */
  apply(header: RawTarHeader): TarMember {
    // An empty value takes back what a global header or the block itself says.
    const value = (keyword: string): Buffer | undefined => this.#next.get(keyword) ?? this.#global.get(keyword);
    const sparse = [...this.#next.keys(), ...this.#global.keys()].find((keyword) => keyword.startsWith('GNU.sparse.'));
    const slashed = decodeTarText(textOf(value('path'), header.name), 'name');
    const type = typeOf(header.typeflag, slashed);
    if (sparse !== undefined) throw tarUnsupported(`a sparse file: ${JSON.stringify(slashed)}`);
    if (slashed === '') throw tarCorrupt('a member without a name');

    const size = value('size') === undefined ? header.size : sizeIn(value('size') as Buffer);
    if (size > 0 && (type === 'directory' || type === 'symlink')) {
      throw tarCorrupt(`${size} bytes of data behind the ${type} ${JSON.stringify(slashed)}`);
    }
    const uname = decodeTarText(textOf(value('uname'), header.uname), 'user name');
    const gname = decodeTarText(textOf(value('gname'), header.gname), 'group name');
    const linkTarget = isLink(type) ? decodeTarText(textOf(value('linkpath'), header.linkname), 'link target') : undefined;
    if (linkTarget === '') throw tarCorrupt(`a link without a target: ${JSON.stringify(slashed)}`);
    const member: TarMember = {
      path: slashed.replace(/(?<=[^/])\/+$/, ''),
      type,
      // The size of a hardlink is that of the file it names; its data are not repeated.
      size: type === 'file' ? size : 0,
      mode: header.mode,
      uid: numberIn(value('uid'), 'uid') ?? header.uid,
      gid: numberIn(value('gid'), 'gid') ?? header.gid,
      mtime: numberIn(value('mtime'), 'mtime') ?? header.mtime,
      ...(uname === '' ? {} : { uname }),
      ...(gname === '' ? {} : { gname }),
      ...(linkTarget === undefined ? {} : { linkTarget }),
    };
    this.#next.clear();
    return member;
  }
}

function isLink(type: TarMember['type']): boolean {
  return type === 'symlink' || type === 'hardlink';
}

/** V7 had no type for directories: a slash at the end told them from files. */
function typeOf(typeflag: string, path: string): TarMember['type'] {
  const type = memberTypes[typeflag];
  if (type === undefined) {
    throw tarUnsupported(
      `${unsupportedTypes[typeflag] ?? `a member of the unknown type ${JSON.stringify(typeflag)}`}: ${JSON.stringify(path)}`,
    );
  }
  return type === 'file' && path.endsWith('/') ? 'directory' : type;
}

function textOf(override: Buffer | undefined, fallback: Buffer): Buffer {
  return override === undefined || override.length === 0 ? fallback : override;
}

function untilNul(body: Buffer): Buffer {
  const end = body.indexOf(0);
  return end < 0 ? body : body.subarray(0, end);
}

function numberIn(value: Buffer | undefined, keyword: string): number | undefined {
  if (value === undefined || value.length === 0) return undefined;
  const text = value.toString('latin1');
  if (!/^-?\d{1,20}(\.\d*)?$/.test(text)) throw tarCorrupt(`a pax ${keyword} that is no number: ${JSON.stringify(text)}`);
  return Number(text);
}

function sizeIn(value: Buffer): number {
  const size = numberIn(value, 'size');
  if (size === undefined || !Number.isSafeInteger(size) || size < 0)
    throw tarCorrupt(`a pax size of ${JSON.stringify(value.toString('latin1'))}`);
  return size;
}
