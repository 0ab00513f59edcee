import { OperatorError } from '../lib/errors.ts';
import { type ConnInfo, formatConninfo, withoutPassword } from './conninfo.ts';

/** How a program of PostgreSQL connects to a server. */
export interface ProgramLogin {
  /** Value of its `--dbname`. */
  readonly dbname: string;
  /** Added to the environment; holds the password. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * What pg_basebackup and pg_receivewal need to connect. Nothing secret stands on the command line, where every user of the machine could read
 * it. Throws `conninfo-unsupported` for secrets that libpq takes no other way.
 */
export function programLogin(program: string, node: ConnInfo): ProgramLogin {
  const { password, ...rest } = node;
  const open = withoutPassword(rest);
  if (Object.keys(open).length < Object.keys(rest).length) {
    throw new OperatorError('conninfo-unsupported', `a node has secrets beside the password, which cannot be handed to ${program} safely`, {
      hint: 'Put them into a libpq service file and name it by "service".',
    });
  }
  return {
    dbname: formatConninfo({ ...open, dbname: 'replication' }),
    // Messages are looked at, so their language is fixed.
    env: { LC_ALL: 'C', ...(password === undefined ? {} : { PGPASSWORD: password }) },
  };
}
