import { type Lsn, parseLsn } from '../lsn.ts';
import { protocolError, typeName } from './framing.ts';
import { parseDataRow } from './messages.ts';

/** One of the tar archives of a base backup: a tablespace, or the data directory. */
export interface BaseBackupArchive {
  /** Absent: the data directory. */
  readonly oid?: number | undefined;
  /** Of the tablespace's directory on the server; relative to the data directory where it lies in there (allow_in_place_tablespaces). */
  readonly path: string;
  /** What the server expects to send, in KiB; absent where it was not asked. */
  readonly kilobytes?: number | undefined;
}

export interface WalPosition {
  readonly lsn: Lsn;
  readonly timeline: number;
}

/** What a CopyData of a base backup carries since PostgreSQL 15. */
export type BaseBackupMessage =
  | { readonly kind: 'archive'; readonly oid: number | undefined }
  | { readonly kind: 'manifest' }
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | { readonly kind: 'progress' };

const letters = { archive: 0x6e, manifest: 0x6d, data: 0x64, progress: 0x70 } as const;

/** The row that says where the backup begins, or ends: position and timeline (protocol-replication.html, BASE_BACKUP). Throws `postgres-protocol`. */
export function parseWalPosition(row: Buffer): WalPosition {
  const [position = '', timeline = ''] = parseDataRow(row).map(String);
  if (!/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(position) || !isUnsigned32(timeline) || timeline === '0') {
    throw protocolError('a row that names no WAL position of a base backup');
  }
  return { lsn: parseLsn(position), timeline: Number(timeline) };
}

/** A row of the list of archives: OID, location and size of a tablespace, without OID that of the data directory. Throws `postgres-protocol`. */
export function parseArchiveRow(row: Buffer): BaseBackupArchive {
  const [oid = '', path = '', size = ''] = parseDataRow(row).map(String);
  if (!/^\d*$/.test(size) || (oid !== '' && !isUnsigned32(oid))) throw protocolError('a row that names no archive of a base backup');
  return { oid: oid === '' ? undefined : Number(oid), path, kilobytes: size === '' ? undefined : Number(size) };
}

/** Reads what a CopyData carries, which is only lent. Throws `postgres-protocol`. */
export function parseBaseBackupMessage(body: Buffer): BaseBackupMessage {
  switch (body[0]) {
    case letters.data:
      return { kind: 'data', bytes: body.subarray(1) };
    case letters.progress:
      return { kind: 'progress' };
    case letters.archive:
      return { kind: 'archive', oid: oidOf(body) };
    case letters.manifest:
      return { kind: 'manifest' };
    default:
      throw protocolError(`a message of type ${typeName(body[0])} in a base backup`);
  }
}

/** Archives are named `base.tar` and `<OID>.tar`, with a suffix where the server compresses. */
function oidOf(body: Buffer): number | undefined {
  const end = body.indexOf(0, 1);
  const name = body.toString('latin1', 1, end < 0 ? body.length : end);
  if (name === 'base.tar') return undefined;
  const oid = /^(\d+)\.tar$/.exec(name)?.[1] ?? '';
  if (end < 0 || !isUnsigned32(oid)) throw protocolError(`an archive with the name ${JSON.stringify(name)} in a base backup`);
  return Number(oid);
}

function isUnsigned32(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= 0xffff_ffff;
}
