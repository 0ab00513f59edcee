import { type Lsn, parseLsn } from '../lsn.ts';
import type { StandbyStatus, StreamMessage, TimelineEnd } from '../replication-stream.ts';
import { protocolError, typeName } from './framing.ts';

/** Types of messages from the server that occur once it streams (PostgreSQL documentation, "Message Formats"). */
export const fromServer = {
  commandComplete: byte('C'),
  copyBothResponse: byte('W'),
  copyData: byte('d'),
  copyDone: byte('c'),
  copyOutResponse: byte('H'),
  dataRow: byte('D'),
  errorResponse: byte('E'),
  noticeResponse: byte('N'),
  parameterStatus: byte('S'),
  readyForQuery: byte('Z'),
  rowDescription: byte('T'),
} as const;

/** What an ErrorResponse or a NoticeResponse says. */
export interface ServerReport {
  /** `WARNING`, `NOTICE`, `ERROR`, …, whatever the language of the server. */
  readonly severity: string;
  /** Five characters (PostgreSQL documentation, appendix A). */
  readonly sqlState: string;
  /** In the language of the server (`lc_messages`), like all of the text. */
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
}

/** Microseconds from the epoch of Unix to that of PostgreSQL, 2000-01-01. */
const postgresEpochMicros = 946_684_800_000_000n;

/** XLogData: type, start, end of WAL, time of the server. */
const walHeaderBytes = 25;
/** Primary keepalive: type, end of WAL, time of the server, whether a reply is wanted. */
const keepaliveBytes = 18;
/** Standby status update: type, written, flushed, applied, time, whether a reply is wanted. */
const statusBytes = 34;

/** Reads what a CopyData of a walsender carries (protocol-replication.html). Throws `postgres-protocol`. */
export function parseStreamMessage(body: Buffer): StreamMessage {
  switch (body[0]) {
    case byte('w'):
      if (body.length <= walHeaderBytes) throw protocolError(`a WAL message of ${body.length} bytes`);
      return {
        kind: 'wal',
        startLsn: body.readBigUInt64BE(1),
        serverEnd: body.readBigUInt64BE(9),
        bytes: body.subarray(walHeaderBytes),
      };
    case byte('k'):
      if (body.length !== keepaliveBytes) throw protocolError(`a keepalive of ${body.length} bytes`);
      return { kind: 'keepalive', serverEnd: body.readBigUInt64BE(1), replyRequested: body[keepaliveBytes - 1] !== 0 };
    default:
      throw protocolError(`a replication message of type ${typeName(body[0])}`);
  }
}

/** Reads an ErrorResponse or a NoticeResponse: letters with texts, ended by a zero. Throws `postgres-protocol`. */
export function parseReport(body: Buffer): ServerReport {
  const fields = new Map<string, string>();
  let at = 0;
  while (body[at] !== 0) {
    const end = body.indexOf(0, at + 1);
    if (end === -1) throw protocolError('an error report without an end');
    fields.set(String.fromCharCode(body[at] as number), body.toString('utf8', at + 1, end));
    at = end + 1;
  }
  return {
    severity: fields.get('V') ?? '',
    sqlState: fields.get('C') ?? 'XX000',
    message: fields.get('M') ?? '',
    detail: fields.get('D'),
    hint: fields.get('H'),
  };
}

/** Reads the row that follows the end of a timeline: the next timeline and where it begins, as text. Throws `postgres-protocol`. */
export function parseTimelineEnd(body: Buffer): TimelineEnd {
  const [timeline = '', position = ''] = parseDataRow(body).map(String);
  const isTimeline = /^\d{1,10}$/.test(timeline) && Number(timeline) <= 0xffff_ffff;
  if (!isTimeline || !/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(position)) throw protocolError('a row that names no next timeline');
  return { nextTimeline: Number(timeline), switchLsn: parseLsn(position) };
}

/** The columns of a row, byte for byte; an empty one for NULL. Throws `postgres-protocol`. */
export function parseDataRow(body: Buffer): readonly Buffer[] {
  const truncated = () => protocolError('a row that ends too early');
  if (body.length < 2) throw truncated();
  const columns: Buffer[] = [];
  let at = 2;
  for (let left = body.readUInt16BE(0); left > 0; left--) {
    if (at + 4 > body.length) throw truncated();
    const length = Math.max(body.readInt32BE(at), 0);
    if (at + 4 + length > body.length) throw truncated();
    columns.push(body.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return columns;
}

/** `sql` is one command of the simple query protocol. */
export function queryMessage(sql: string): Buffer {
  return message('Q', Buffer.from(`${sql}\0`));
}

export function statusMessage(status: StandbyStatus, now: Date, replyRequested: boolean): Buffer {
  const body = Buffer.allocUnsafe(statusBytes);
  body[0] = byte('r');
  body.writeBigUInt64BE(status.written, 1);
  body.writeBigUInt64BE(status.flushed, 9);
  body.writeBigUInt64BE(status.applied, 17);
  body.writeBigInt64BE(BigInt(now.getTime()) * 1000n - postgresEpochMicros, 25);
  body[33] = replyRequested ? 1 : 0;
  return message('d', body);
}

export const copyDoneMessage: Buffer = message('c', Buffer.alloc(0));
export const terminateMessage: Buffer = message('X', Buffer.alloc(0));

/** Where a piece of WAL ends. */
export function endOfWal(wal: { readonly startLsn: Lsn; readonly bytes: Uint8Array }): Lsn {
  return wal.startLsn + BigInt(wal.bytes.length);
}

function message(type: string, body: Buffer): Buffer {
  const header = Buffer.allocUnsafe(5);
  header[0] = byte(type);
  header.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([header, body]);
}

function byte(letter: string): number {
  return letter.charCodeAt(0);
}
