import { OperatorError } from '../lib/errors.ts';

/** A byte position in the WAL of a cluster (XLogRecPtr). */
export type Lsn = bigint;

/** Reads PostgreSQL's notation `HIGH/LOW`, both 32-bit hexadecimal. Throws `lsn-invalid`. */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text);
  if (!match) throw new OperatorError('lsn-invalid', `${JSON.stringify(text)} is not a WAL position like 0/3000028`);
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

export function formatLsn(lsn: Lsn): string {
  return `${hex(lsn >> 32n)}/${hex(lsn & 0xffff_ffffn)}`;
}

function hex(value: bigint): string {
  return value.toString(16).toUpperCase();
}
