import { OperatorError } from '../lib/errors.ts';
import { parseLsn } from '../postgres/lsn.ts';
import type { RecoveryTarget } from './choose.ts';
import { parseTargetTime } from './target-time.ts';

/** A target as somebody writes it: at most one of them. */
export interface TargetTexts {
  readonly time?: string | undefined;
  readonly xid?: string | undefined;
  readonly lsn?: string | undefined;
  readonly name?: string | undefined;
  readonly isImmediate?: boolean | undefined;
  /** Just before it. */
  readonly isExclusive?: boolean | undefined;
}

/** PostgreSQL's limit on the names of restore points (MAXFNAMELEN). */
const restorePointBytesMax = 63;

/** `latest` where there is none. Throws `target-ambiguous` for contradictions, and a code of its own for each that cannot be read. */
export function parseTarget({ time, xid, lsn, name, isImmediate = false, isExclusive = false }: TargetTexts, now: Date): RecoveryTarget {
  if ([name, time, xid, lsn, isImmediate || undefined].filter((value) => value !== undefined).length > 1) {
    throw new OperatorError(
      'target-ambiguous',
      'at most one of a restore point, a time, a transaction, a WAL position and the end of the base backup (immediate) can be the target',
    );
  }
  if (time !== undefined) return { kind: 'time', time: parseTargetTime(time, now), isExclusive };
  if (xid !== undefined) return { kind: 'xid', xid: checkedXid(xid), isExclusive };
  if (lsn !== undefined) return { kind: 'lsn', lsn: parseLsn(lsn), isExclusive };
  if (isExclusive) throw new OperatorError('target-ambiguous', 'exclusive needs a time, a transaction or a WAL position that it goes with');
  if (isImmediate) return { kind: 'immediate' };
  return name === undefined ? { kind: 'latest' } : { kind: 'name', name: checkedName(name) };
}

function checkedXid(xid: string): string {
  if (/^\d{1,20}$/.test(xid)) return xid;
  throw new OperatorError('target-xid-invalid', `the recovery target '${xid}' is no transaction id`, {
    hint: 'Give it in decimal digits.',
  });
}

function checkedName(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes > 0 && bytes <= restorePointBytesMax) return name;
  throw new OperatorError(
    'target-name-invalid',
    `the name of a restore point has 1 to ${restorePointBytesMax} bytes, this one has ${bytes}`,
  );
}
