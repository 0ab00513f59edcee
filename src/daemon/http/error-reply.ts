import { explain, isOperatorError, messageOf, type OperatorError } from '../../lib/errors.ts';
import { type Reply, textReply } from './reply.ts';

/** Statuses as the original's clients know them. 404 only for what is proven not to be there: PostgreSQL takes it for the end of the archive. */
const statusByCode: Readonly<Record<string, number>> = {
  'request-invalid': 400,
  'wal-name-invalid': 400,
  'target-path-invalid': 400,
  'browser-refused': 403,
  'lsn-invalid': 400,
  'target-ambiguous': 400,
  'target-name-invalid': 400,
  'target-time-invalid': 400,
  'target-time-zone-missing': 400,
  'target-xid-invalid': 400,
  'basebackup-missing': 404,
  'no-basebackup': 404,
  'target-not-found': 404,
  'target-before-basebackup': 409,
  'target-in-future': 409,
  'target-not-covered': 409,
  'site-missing': 404,
  'wal-missing': 404,
  'wal-file-missing': 404,
  'target-directory-missing': 409,
  'wal-conflict': 409,
  'site-inactive': 409,
  'lease-elsewhere': 409,
  'retention-not-pending': 409,
  'wal-invalid': 412,
  'cluster-mismatch': 412,
  'target-not-reserved': 417,
  timeout: 500,
  'not-implemented': 501,
};

/** Code, message, causes and hint as text; the code also as header `x-pghoard-code`. A bug is a 503, as in the original, and names its class. */
export function errorReply(error: unknown): Reply {
  if (!isOperatorError(error)) {
    const kind = error instanceof Error ? error.constructor.name : typeof error;
    return textReply(503, `server failure: ${kind}: ${messageOf(error)}\n`);
  }
  const reply = textReply(statusOf(error), `${error.code}: ${explain(error)}\n`);
  return { ...reply, headers: { ...reply.headers, 'x-pghoard-code': error.code } };
}

export function statusOf({ code, retryable }: Pick<OperatorError, 'code' | 'retryable'>): number {
  return statusByCode[code] ?? (retryable ? 503 : 500);
}
