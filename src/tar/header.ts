import assert from 'node:assert/strict';
import { encodePaxRecords } from './pax.ts';

/** One entry of a tar archive. */
export interface TarMember {
  /** Relative or absolute as written; without the trailing slash that tar puts behind directories. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink';
  /** Bytes of data that follow; only files have any. */
  readonly size: number;
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly uname?: string;
  readonly gname?: string;
  /** Seconds since 1970, may be fractional. */
  readonly mtime: number;
  /** Where a symlink or hardlink points. */
  readonly linkTarget?: string;
}

export const tarBlockBytes = 512;
/** Archives end on a multiple of this: twenty blocks, as every tar program writes by default. */
export const tarRecordBytes = 10_240;

/** Offsets and lengths in a POSIX.1-1988 `ustar` header block (IEEE Std 1003.1, pax, "ustar Interchange Format"). */
export const tarField = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  typeflag: [156, 1],
  linkname: [157, 100],
  magic: [257, 8],
  uname: [265, 32],
  gname: [297, 32],
  devmajor: [329, 8],
  devminor: [337, 8],
  prefix: [345, 155],
} as const satisfies Record<string, readonly [offset: number, length: number]>;

type Field = readonly [offset: number, length: number];

const typeflagOf = { file: '0', hardlink: '1', symlink: '2', directory: '5' } as const satisfies Record<TarMember['type'], string>;

export interface TarHeaderOptions {
  /** Keep the fraction of `mtime`, at the price of a pax header (1024 bytes) per member. Otherwise it is rounded down. */
  readonly precise?: boolean;
}

/** The header of a member: one `ustar` block, preceded by a pax `x` member where a value does not fit into it. */
export function encodeTarHeader(member: TarMember, options: TarHeaderOptions = {}): Buffer {
  const path = member.type === 'directory' && !member.path.endsWith('/') ? `${member.path}/` : member.path;
  const size = member.type === 'file' ? member.size : 0;
  checkEncodable(member);

  const pax: [string, string][] = [];
  const text = (keyword: string, value: string, field: Field): string => {
    if (fitsText(value, field)) return value;
    pax.push([keyword, value]);
    return value.replace(/[^\x20-\x7e]/gu, '_').slice(0, field[1] - 1);
  };
  const number = (keyword: string, value: number, field: Field): number => {
    if (fitsNumber(value, field)) return value;
    pax.push([keyword, String(value)]);
    return Number.isInteger(value) ? 0 : Math.max(0, Math.floor(value));
  };

  const block = Buffer.alloc(tarBlockBytes);
  putText(block, tarField.name, text('path', path, tarField.name));
  putNumber(block, tarField.mode, member.mode & 0o7777);
  putNumber(block, tarField.uid, number('uid', member.uid, tarField.uid));
  putNumber(block, tarField.gid, number('gid', member.gid, tarField.gid));
  putNumber(block, tarField.size, number('size', size, tarField.size));
  putNumber(block, tarField.mtime, number('mtime', options.precise ? member.mtime : Math.floor(member.mtime), tarField.mtime));
  putText(block, tarField.linkname, text('linkpath', member.linkTarget ?? '', tarField.linkname));
  putText(block, tarField.uname, text('uname', member.uname ?? '', tarField.uname));
  putText(block, tarField.gname, text('gname', member.gname ?? '', tarField.gname));
  finishBlock(block, typeflagOf[member.type]);
  return pax.length === 0 ? block : Buffer.concat([encodePaxMember(pax), block]);
}

/** How many zero bytes follow `size` bytes of data so that the next header starts on a block. */
export function tarPaddingOf(size: number): number {
  return (tarBlockBytes - (size % tarBlockBytes)) % tarBlockBytes;
}

/** What ends an archive: two zero blocks, and zeros up to a whole record. */
export function tarEnd(totalBytesSoFar: number): Buffer {
  const withMark = totalBytesSoFar + 2 * tarBlockBytes;
  return Buffer.alloc(Math.ceil(withMark / tarRecordBytes) * tarRecordBytes - totalBytesSoFar);
}

/** The sum of all bytes of a header block, its checksum field counted as spaces. */
export function tarChecksum(block: Uint8Array): number {
  const [start, length] = tarField.checksum;
  let sum = length * 0x20;
  for (let i = 0; i < tarBlockBytes; i++) if (i < start || i >= start + length) sum += block[i] as number;
  return sum;
}

function encodePaxMember(records: readonly (readonly [string, string])[]): Buffer {
  const body = encodePaxRecords(records);
  const block = Buffer.alloc(tarBlockBytes);
  putText(block, tarField.name, '././@PaxHeader');
  for (const field of [tarField.mode, tarField.uid, tarField.gid, tarField.mtime]) putNumber(block, field, 0);
  putNumber(block, tarField.size, body.length);
  finishBlock(block, 'x');
  return Buffer.concat([block, body, Buffer.alloc(tarPaddingOf(body.length))]);
}

function checkEncodable(member: TarMember): void {
  assert(member.path !== '', 'a tar member needs a path');
  for (const value of [member.path, member.linkTarget, member.uname, member.gname]) {
    assert(!value?.includes('\0'), 'a tar member cannot have NUL in its names');
  }
  assert(
    (member.type === 'symlink' || member.type === 'hardlink') === (member.linkTarget !== undefined),
    'links, and only links, have a target',
  );
  assert(Number.isSafeInteger(member.size) && member.size >= 0, `${member.size} is not a size`);
  assert(Number.isFinite(member.mtime), `${member.mtime} is not a time`);
}

/** Room is left for a NUL: some readers need one. */
function fitsText(value: string, [, length]: Field): boolean {
  return value.length < length && /^[\x20-\x7e]*$/.test(value);
}

function fitsNumber(value: number, [, length]: Field): boolean {
  return Number.isInteger(value) && value >= 0 && value < 8 ** (length - 1);
}

function putText(block: Buffer, [offset, length]: Field, value: string): void {
  block.write(value, offset, length, 'latin1');
}

function putNumber(block: Buffer, [offset, length]: Field, value: number): void {
  block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, length, 'latin1');
}

function finishBlock(block: Buffer, typeflag: string): void {
  putText(block, tarField.typeflag, typeflag);
  putText(block, tarField.magic, 'ustar\u000000');
  putNumber(block, tarField.devmajor, 0);
  putNumber(block, tarField.devminor, 0);
  block.write(`${tarChecksum(block).toString(8).padStart(6, '0')}\0 `, tarField.checksum[0], 'latin1');
}
