import { z } from 'zod';
import { messageOf } from '../lib/errors.ts';
import { optionGroup, pathOption } from '../lib/option-group.ts';
import { type PostgresNode, parseNode } from './node.ts';

const nodeOption = z
  .union(
    [z.string().min(1), z.record(z.string(), z.unknown())],
    'must be a connection string, a postgres:// URI, or an object of libpq parameters',
  )
  .transform((input, context): PostgresNode => {
    try {
      return parseNode(input);
    } catch (error) {
      // The input is not repeated: it holds a password.
      context.issues.push({ code: 'custom', message: messageOf(error), input: undefined });
      return z.NEVER;
    }
  });

/** Where programs are, for all sites. */
export const postgresGlobalOptions = optionGroup({
  pg_basebackup_path: pathOption.nullable().default(null).meta({
    description: 'The program pg_basebackup, for all sites.',
    deprecated: true,
    instead: 'pg_bin_directory of the site',
  }),
  pg_receivexlog_path: pathOption.nullable().default(null).meta({
    description: 'The program pg_receivewal (pg_receivexlog before PostgreSQL 10), for all sites.',
    deprecated: true,
    instead: 'pg_bin_directory of the site',
  }),
});

/** The servers of a site, their data directory and programs. */
export const postgresSiteOptions = optionGroup({
  nodes: z
    .array(nodeOption)
    .default([])
    .meta({
      description:
        'The servers of the site. Each is a libpq connection string, a postgres:// URI, an object of libpq parameters, or an object with a ' +
        '`connection_string`; each may name a replication `slot` to receive WAL from. Passwords may come from a password file, parameters from a service file.',
    }),
  pg_data_directory: pathOption.nullable().default(null).meta({
    description:
      'The data directory of the server on this host. Needed by the daemon for active sites, unless base backups are of mode `stream` and WAL does not come by `archive_command`.',
    since: '1.4',
  }),
  pg_bin_directory: pathOption.nullable().default(null).meta({
    description: 'Where pg_basebackup and pg_receivewal are. Null: looked for in the usual places of the server’s version, then in PATH.',
    since: '1.4',
  }),
  pg_basebackup_path: pathOption.nullable().default(null).meta({
    description: 'The program pg_basebackup.',
    deprecated: true,
    instead: 'pg_bin_directory',
  }),
  pg_receivexlog_path: pathOption.nullable().default(null).meta({
    description: 'The program pg_receivewal (pg_receivexlog before PostgreSQL 10).',
    deprecated: true,
    instead: 'pg_bin_directory',
  }),
  pg_xlog_directory: pathOption.nullable().default(null).meta({
    description: 'The directory of WAL.',
    deprecated: true,
    unused: 'it is found through pg_data_directory',
  }),
});

export type PostgresGlobalOptions = z.output<typeof postgresGlobalOptions>;
export type PostgresSiteOptions = z.output<typeof postgresSiteOptions>;
