import { inWords, isOperatorError } from '../../../lib/errors.ts';
import { sqlStateOf } from '../../../postgres/postgres-error.ts';
import { type Finding, failed, failure, note, ok, warning } from '../finding.ts';
import { sqlName } from './sql-text.ts';

/** How a login went. */
export interface LoginFacts {
  readonly user: string;
  readonly database: string;
  /** Where the password came from; undefined: there is none. */
  readonly passwordFrom: 'configuration' | 'password file' | undefined;
  /** Why a password file was not looked into. */
  readonly notes: readonly string[];
  /** How the server says it knew the user (PostgreSQL 16 and later). */
  readonly method: string | undefined;
}

export interface HbaRequest {
  readonly user: string;
  /** `replication` for replication connections. */
  readonly database: string;
  /** Null: through a socket. */
  readonly address: string | null;
  readonly hbaFile: string | undefined;
}

const noHbaEntry = '28000';
const wrongPassword = '28P01';

export function judgeLogin({ passwordFrom, notes, method }: LoginFacts): Finding[] {
  const how = passwordFrom === undefined ? 'without a password' : `with a password from the ${passwordFrom}`;
  const trusted = method === undefined ? '' : ` (${method})`;
  const login = passwordFrom === 'configuration' ? storedInPlain(how + trusted) : ok('login', `logged in ${how}${trusted}`);
  return [login, ...notes.map(judgeNote)];
}

export function judgeLoginFailure(
  error: unknown,
  request: HbaRequest,
  passwordFrom: LoginFacts['passwordFrom'],
  notes: readonly string[],
): Finding[] {
  const others = notes.map(judgeNote);
  const id = request.database === 'replication' ? 'replication-login' : 'login';
  const state = sqlStateOf(error);
  if (state === noHbaEntry)
    return [failure(id, inWords(error), ...hbaRemedy({ ...request, address: addressIn(error) ?? request.address })), ...others];
  if (state === wrongPassword || isOperatorError(error, 'postgres-authentication')) {
    const from = passwordFrom === undefined ? '' : `; the password came from the ${passwordFrom}`;
    return [failure(id, inWords(error) + from, ...passwordRemedy(request)), ...others];
  }
  const isReplicationRefused = id === 'replication-login' && state === '42501';
  if (isReplicationRefused) return [failure(id, inWords(error), `ALTER ROLE ${sqlName(request.user)} REPLICATION;`), ...others];
  return [failed(isOperatorError(error, 'postgres-unreachable', 'check-timeout') ? 'reachable' : id, error), ...others];
}

/** The line of pg_hba.conf that lets the role in, and what makes it hold. */
export function hbaRemedy({ user, database, address, hbaFile }: HbaRequest): string[] {
  const where = address === null ? 'local ' : 'host  ';
  const from = address === null ? '' : `  ${address}${address.includes(':') ? '/128' : '/32'}`;
  const method = address === null ? 'peer' : 'scram-sha-256';
  const file = hbaFile ?? 'pg_hba.conf';
  return [
    `in ${file}, above other lines for the same addresses:`,
    `${where}  ${hbaWord(database)}  ${hbaWord(user)}${from}  ${method}`,
    'SELECT pg_reload_conf();',
  ];
}

/** Which address the server saw, as its message tells; null: a socket. */
function addressIn(error: unknown): string | null | undefined {
  const seen = /host "([^"]*)"/.exec(inWords(error))?.[1];
  return seen === '[local]' ? null : seen;
}

function passwordRemedy({ user, database }: HbaRequest): string[] {
  const line = `HOST:PORT:${database}:${user}:PASSWORD`;
  return [`put ${line} into ~/.pgpass of the user who runs pghoard`, 'chmod 600 ~/.pgpass'];
}

function storedInPlain(how: string): Finding {
  return note(
    'login',
    `logged in ${how}; a password file keeps it out of this file`,
    'put it into ~/.pgpass, mode 0600, and remove it from "nodes"',
  );
}

function judgeNote(text: string): Finding {
  const file = /password file (\S+)/.exec(text)?.[1] ?? '~/.pgpass';
  return warning('password-file', text, `chmod 600 ${file}`);
}

function hbaWord(word: string): string {
  return /^[\w-]+$/.test(word) ? word : `"${word}"`;
}
