import { tarCorrupt } from './tar-error.ts';

/** Pax extended header records, each `<length> <keyword>=<value>\n`, where length counts the whole record (IEEE Std 1003.1, pax). */
export function encodePaxRecords(records: readonly (readonly [keyword: string, value: string])[]): Buffer {
  return Buffer.concat(records.map(([keyword, value]) => encodeRecord(`${keyword}=${value}\n`)));
}

function encodeRecord(text: string): Buffer {
  const bytes = Buffer.from(` ${text}`);
  let length = bytes.length;
  while (length !== bytes.length + String(length).length) length = bytes.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), bytes]);
}

/** The records of a pax header as raw bytes by keyword; a later record replaces an earlier one. Throws `tar-corrupt`. */
export function parsePaxRecords(body: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let start = 0; start < body.length; ) {
    const length = recordLength(body, start);
    const record = body.subarray(start, start + length);
    const keywordStart = record.indexOf(0x20) + 1;
    const equals = record.indexOf(0x3d, keywordStart);
    if (record[length - 1] !== 0x0a || equals <= keywordStart) throw tarCorrupt('a pax record without keyword, value or line end');
    records.set(record.toString('utf8', keywordStart, equals), record.subarray(equals + 1, length - 1));
    start += length;
  }
  return records;
}

function recordLength(body: Buffer, start: number): number {
  const digits = /^([1-9]\d{0,9}) /.exec(body.toString('latin1', start, start + 11))?.[1];
  const length = Number(digits);
  if (digits === undefined || length < digits.length + 3 || length > body.length - start)
    throw tarCorrupt('a pax record of a wrong length');
  return length;
}
