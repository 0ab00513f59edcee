import { basename } from 'node:path';
import { parseArgs } from 'node:util';

export interface PostgresCommandOptions {
  readonly mode: 'archive' | 'restore';
  readonly host: string;
  readonly port: number;
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly site: string;
  /** Name of the WAL file, without directories. */
  readonly xlog: string;
  /** Where to put it, as PostgreSQL gave it: relative to the data directory. */
  readonly output?: string;
  readonly retryIntervalMs: number;
}

export type ParsedCommand =
  | { readonly do: 'run'; readonly options: PostgresCommandOptions }
  | { readonly do: 'show-help' }
  | { readonly do: 'show-version' };

/** The command line cannot be followed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The flags as `parseArgs` takes them, with what there is to tell about each. */
export const postgresCommandFlags = {
  mode: { type: 'string', value: 'MODE', choices: ['archive', 'restore'], required: true, about: 'archive or restore' },
  site: { type: 'string', value: 'SITE', required: true, about: 'backup site' },
  xlog: { type: 'string', value: 'NAME', required: true, about: 'name of the WAL file (%f)' },
  output: { type: 'string', value: 'PATH', about: 'restore: where to put it (%p); without it only whether it is stored is asked' },
  host: { type: 'string', value: 'HOST', about: 'where pghoard listens (127.0.0.1)' },
  port: { type: 'string', value: 'PORT', about: 'where pghoard listens (16000)' },
  username: { type: 'string', value: 'NAME', about: 'webserver_username of that pghoard; rather give it as PGHOARD_USERNAME' },
  password: {
    type: 'string',
    value: 'PASSWORD',
    about: 'its webserver_password; rather give it as PGHOARD_PASSWORD, which others do not see',
  },
  'retry-interval': {
    type: 'string',
    value: 'SECONDS',
    about: 'restore: wait between its 3 attempts (5.0, or PGHOARD_RETRY_INTERVAL)',
  },
  version: { type: 'boolean', about: 'print the version' },
  help: { type: 'boolean', short: 'h', about: 'print this' },
} as const;

export const postgresCommandNotes = `For postgresql.conf:
  archive_command = 'pghoard_postgres_command --mode archive --site SITE --xlog %f'
  restore_command = 'pghoard_postgres_command --mode restore --site SITE --xlog %f --output %p'

Exit codes: 0 done; 2, 3 not archived, PostgreSQL keeps the file and tries again; 4 not stored; 255 cannot tell, PostgreSQL stops recovery;
5 cannot tell, on a standby (standby.signal), which goes on trying.`;

export function postgresCommandUsage(): string {
  const rows = Object.entries(postgresCommandFlags).map(([name, flag]) => {
    const written = 'value' in flag ? `--${name} ${flag.value}` : `--${name}`;
    return `  ${written.padEnd(26)}${flag.about}`;
  });
  return [
    'usage: pghoard_postgres_command --site SITE --xlog NAME --mode archive|restore [option…]',
    '',
    ...rows,
    '',
    postgresCommandNotes,
  ].join('\n');
}

/** Throws {@link UsageError}. */
export function parseCommand(argv: readonly string[], env: NodeJS.ProcessEnv): ParsedCommand {
  const values = parseFlags(argv.map(withTwoDashes));
  if (values.help) return { do: 'show-help' };
  if (values.version) return { do: 'show-version' };
  const { mode, site, xlog } = values;
  if (!site) throw new UsageError('--site is required');
  if (!xlog) throw new UsageError('--xlog is required');
  if (mode !== 'archive' && mode !== 'restore') throw new UsageError('--mode is required: archive or restore');
  const username = values.username ?? env['PGHOARD_USERNAME'];
  const password = values.password ?? env['PGHOARD_PASSWORD'];
  const options: PostgresCommandOptions = {
    mode,
    host: values.host ?? '127.0.0.1',
    port: parsePort(values.port ?? '16000'),
    ...(username && password && { credentials: { username, password } }),
    site: plainName('--site', site),
    xlog: plainName('--xlog', basename(xlog)),
    ...(values.output && { output: values.output }),
    retryIntervalMs: parseSeconds(values['retry-interval'] ?? env['PGHOARD_RETRY_INTERVAL'] ?? '5') * 1000,
  };
  return { do: 'run', options };
}

function parseFlags(args: string[]) {
  try {
    return parseArgs({ args, options: postgresCommandFlags, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** The original's Go variant of this command writes its flags with one dash. */
function withTwoDashes(argument: string): string {
  const name = /^-([a-z-]{2,})(=|$)/.exec(argument)?.[1];
  return name !== undefined && Object.hasOwn(postgresCommandFlags, name) ? `-${argument}` : argument;
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new UsageError(`--port ${JSON.stringify(text)} is no port number`);
  return port;
}

function parseSeconds(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= 3600)) throw new UsageError(`a retry interval of ${JSON.stringify(text)} seconds is not possible: give 0 to 3600`);
  return seconds;
}

/** What becomes part of a request's path, where nothing is decoded. */
function plainName(flag: string, name: string): string {
  if (!/^[^\s/%?#\\\0-\x20\x7f-\uffff]+$/.test(name))
    throw new UsageError(`${flag} ${JSON.stringify(name)} is no name that pghoard can have`);
  return name;
}
