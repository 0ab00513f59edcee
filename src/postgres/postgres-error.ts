import { DatabaseError } from 'pg';
import { messageOf, OperatorError, type OperatorErrorOptions, systemErrorCode } from '../lib/errors.ts';

/** Something that the server answered instead of what was asked for. */
export class PostgresError extends OperatorError {
  /** Five characters, such as `42P01` (PostgreSQL documentation, appendix A). */
  readonly sqlState: string;

  constructor(code: string, message: string, sqlState: string, options: OperatorErrorOptions) {
    super(code, message, options);
    this.sqlState = sqlState;
  }
}

/** The SQLSTATE of a server's answer, also of one wrapped in another error. */
export function sqlStateOf(error: unknown): string | undefined {
  if (error instanceof PostgresError) return error.sqlState;
  return error instanceof Error && error.cause !== undefined ? sqlStateOf(error.cause) : undefined;
}

interface Meaning {
  readonly code: string;
  readonly hint?: string;
  readonly retryable?: boolean;
}

const refusedByHba = {
  code: 'postgres-authentication',
  hint: 'Check that the role exists and that pg_hba.conf on the server lets it in from this host, with the database "replication" for replication connections.',
};

/** What a server means that answers a connection attempt with this SQLSTATE. */
const loginMeanings: Readonly<Record<string, Meaning>> = {
  '28P01': { code: 'postgres-authentication', hint: 'Check user and password, in the configuration or in the password file.' },
  '28000': refusedByHba,
  '42501': { code: 'postgres-refused', hint: 'Give the role what it lacks, for replication: ALTER ROLE … REPLICATION.' },
  '53300': { code: 'postgres-refused', retryable: true, hint: 'Raise max_connections, or max_wal_senders for replication connections.' },
  // It starts or stops: as good as not running, which it tells in the next moment.
  '57P03': { code: 'postgres-unreachable', retryable: true },
  '3D000': { code: 'postgres-refused', hint: 'Check dbname in the configuration.' },
};

/** The server ends the session, not just the statement. */
const sessionEnded = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '25P04']);

/** Why no connection to `target` came about. */
export function connectError(target: string, error: unknown): OperatorError {
  if (error instanceof OperatorError) return error;
  if (error instanceof DatabaseError) {
    const meaning = loginMeanings[error.code ?? ''] ?? { code: 'postgres-refused' };
    return serverError(meaning.code, `PostgreSQL at ${target} refuses the connection: ${error.message}`, error, meaning);
  }
  if (isTlsError(error)) return tlsError(target, error);
  return new OperatorError('postgres-unreachable', `cannot reach PostgreSQL at ${target}: ${messageOf(error)}`, {
    retryable: true,
    hint: 'Is the server running, and are host and port right?',
    cause: error,
  });
}

/** Why a statement failed on a connection to `target`. */
export function statementError(target: string, error: unknown): OperatorError {
  if (error instanceof OperatorError) return error;
  if (!(error instanceof DatabaseError)) return lostError(target, error);
  if (sessionEnded.has(error.code ?? '')) {
    return serverError('postgres-unreachable', `PostgreSQL at ${target} ended the connection: ${error.message}`, error, {
      retryable: true,
    });
  }
  return serverError('postgres-error', `PostgreSQL at ${target} reports: ${error.message}`, error, {});
}

/** A connection that was in use is gone. */
export function lostError(target: string, cause: unknown): OperatorError {
  return new OperatorError('postgres-unreachable', `the connection to PostgreSQL at ${target} was lost`, { cause, retryable: true });
}

export function tlsError(target: string, cause: unknown): OperatorError {
  return new OperatorError('postgres-tls', `no trusted TLS connection to PostgreSQL at ${target}: ${messageOf(cause)}`, {
    cause,
    hint: 'Check sslmode, sslrootcert, and that the certificate of the server names the host that is connected to.',
  });
}

function serverError(code: string, message: string, error: DatabaseError, options: Omit<OperatorErrorOptions, 'cause'>): PostgresError {
  const sqlState = error.code ?? 'XX000';
  return new PostgresError(code, `${message} (SQLSTATE ${sqlState})`, sqlState, { ...optionsOf(options), cause: detailOf(error) });
}

function optionsOf({ hint, retryable }: Omit<OperatorErrorOptions, 'cause'>): OperatorErrorOptions {
  return { ...(hint === undefined ? {} : { hint }), ...(retryable === undefined ? {} : { retryable }) };
}

/** What the server said beyond its message; not the error itself, whose message would be repeated. */
function detailOf(error: DatabaseError): Error | undefined {
  const details = [error.detail, error.hint].filter((text) => text !== undefined && text !== '');
  return details.length === 0 ? undefined : new Error(details.join('; '));
}

/** OpenSSL's verification results have no common prefix, so what they are about is looked for. */
function isTlsError(error: unknown): boolean {
  const code = systemErrorCode(error) ?? '';
  return /^(ERR_(SSL|TLS|OSSL)|EPROTO$|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)|HOSTNAME_MISMATCH|INVALID_CA|CRL_)/.test(
    code,
  );
}
