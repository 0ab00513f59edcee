import { rm } from 'node:fs/promises';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import { OperatorError } from '../lib/errors.ts';
import { type ConnInfo, formatConninfo, withoutPassword } from './conninfo.ts';

/** How a program of PostgreSQL connects to a server. */
export interface ProgramLogin {
  /** Value of its `--dbname`. */
  readonly dbname: string;
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * What pg_basebackup and pg_receivewal need to connect. Nothing secret stands on the command line, which every user of the machine can read, nor in the
 * environment, which whatever they start inherits: a password is in `passwordFile`, by {@link lendPassword}. Throws `conninfo-unsupported` for secrets that
 * libpq takes no other way.
 */
export function programLogin(program: string, node: ConnInfo, passwordFile: string): ProgramLogin {
  const { password, ...rest } = node;
  const open = withoutPassword(rest);
  if (Object.keys(open).length < Object.keys(rest).length) {
    throw new OperatorError('conninfo-unsupported', `a node has secrets beside the password, which cannot be handed to ${program} safely`, {
      hint: 'Put them into a libpq service file and name it by "service".',
    });
  }
  // Messages are looked at, so their language is fixed.
  if (password === undefined) return { dbname: formatConninfo({ ...open, dbname: 'replication' }), env: { LC_ALL: 'C' } };
  const { passfile: _unused, ...others } = open;
  return { dbname: formatConninfo({ ...others, dbname: 'replication' }), env: { LC_ALL: 'C', PGPASSFILE: passwordFile } };
}

/** Puts the password of a node, if it has one, into a file that only its owner can read, until it is disposed of. */
export async function lendPassword({ password }: ConnInfo, file: string): Promise<AsyncDisposable> {
  if (password === undefined) return { [Symbol.asyncDispose]: async () => {} };
  if (/[\r\n]/.test(password)) {
    throw new OperatorError('conninfo-unsupported', 'a password has a line break, which no password file of libpq can hold', {
      hint: 'Give the role another password.',
    });
  }
  await writeFileAtomic(file, `*:*:*:*:${password.replaceAll(/[\\:]/g, '\\$&')}\n`, { mode: 0o600 });
  return { [Symbol.asyncDispose]: () => rm(file, { force: true }) };
}
