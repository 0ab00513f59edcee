import { tarBlockBytes, tarChecksum, tarField } from './header.ts';
import { tarCorrupt, tarUnsupported } from './tar-error.ts';

/** What one header block says, before pax and GNU records are laid over it. Texts are raw bytes: their encoding is judged once it is known which are used. */
export interface RawTarHeader {
  readonly name: Buffer;
  readonly typeflag: string;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly linkname: Buffer;
  readonly uname: Buffer;
  readonly gname: Buffer;
}

type Field = readonly [offset: number, length: number];

/** Reads a header block of any dialect (V7, POSIX ustar, GNU). Throws `tar-corrupt`. */
export function parseTarHeader(block: Buffer): RawTarHeader {
  checkChecksum(block);
  const name = textOf(block, tarField.name);
  const prefix = isPosix(block) ? textOf(block, tarField.prefix) : Buffer.alloc(0);
  return {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
    typeflag: String.fromCharCode(block[tarField.typeflag[0]] as number),
    size: sizeOf(block),
    mode: numberOf(block, tarField.mode) & 0o7777,
    uid: numberOf(block, tarField.uid),
    gid: numberOf(block, tarField.gid),
    mtime: numberOf(block, tarField.mtime),
    linkname: textOf(block, tarField.linkname),
    uname: textOf(block, tarField.uname),
    gname: textOf(block, tarField.gname),
  };
}

export function isZeroBlock(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/** Names are UTF-8; others could not be created faithfully. */
export function decodeTarText(bytes: Buffer, what: string): string {
  const text = bytes.toString();
  if (text.includes('\uFFFD') && !Buffer.from(text).equals(bytes))
    throw tarUnsupported(`a ${what} that is not UTF-8: ${JSON.stringify(text)}`);
  if (text.includes('\0')) throw tarCorrupt(`a NUL in a ${what}`);
  return text;
}

/** Only POSIX has a prefix field there; GNU keeps times in its place, V7 nothing defined. */
function isPosix(block: Buffer): boolean {
  return block.toString('latin1', 257, 263) === 'ustar\0';
}

/** Some old writers summed signed bytes. */
function checkChecksum(block: Buffer): void {
  const stated = numberOf(block, tarField.checksum);
  const sum = tarChecksum(block);
  if (stated === sum || stated === sum - 256 * highBytes(block)) return;
  throw tarCorrupt(`a header's checksum is ${stated}, its bytes give ${sum}`);
}

function highBytes(block: Buffer): number {
  const [start, length] = tarField.checksum;
  let count = 0;
  for (let i = 0; i < tarBlockBytes; i++) if ((block[i] as number) >= 0x80 && (i < start || i >= start + length)) count++;
  return count;
}

function sizeOf(block: Buffer): number {
  const size = numberOf(block, tarField.size);
  if (size < 0) throw tarCorrupt(`a member of ${size} bytes`);
  return size;
}

function textOf(block: Buffer, [offset, length]: Field): Buffer {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end));
}

/** Octal digits with spaces or NULs around them, or (GNU) a big-endian two's complement number marked by the top bit. */
function numberOf(block: Buffer, [offset, length]: Field): number {
  const field = block.subarray(offset, offset + length);
  const first = field[0] as number;
  if (first === 0x80 || first === 0xff) return binaryNumber(field);
  const match = /^[ \0]*([0-7]*)[ \0]*$/.exec(field.toString('latin1'));
  if (!match) throw tarCorrupt(`a header with ${JSON.stringify(field.toString('latin1'))} where a number belongs`);
  return match[1] === '' ? 0 : Number.parseInt(match[1] as string, 8);
}

function binaryNumber(field: Buffer): number {
  const bits = BigInt((field.length - 1) * 8);
  const value = BigInt.asIntN(Number(bits), BigInt(`0x${field.toString('hex', 1)}`));
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0 !== (field[0] === 0xff)) throw tarCorrupt(`a header with the number ${value}`);
  return number;
}
