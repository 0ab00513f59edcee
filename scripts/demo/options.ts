import { parseArgs } from 'node:util';
import { OperatorError } from '../../src/lib/errors.ts';

export interface DemoOptions {
  /** A PostgreSQL that runs already on this machine; otherwise the embedded one is started. */
  readonly dsn: string | undefined;
  /** End when the restored rows are compared, instead of waiting for Ctrl-C. */
  readonly once: boolean;
  /** How many rows are written in all. */
  readonly rows: number;
  readonly help: boolean;
}

export const usage = `npm start -- [--dsn postgres://…] [--once] [--rows 200000]

Backs up a real PostgreSQL, drops a table, and restores the cluster to the second before.

  --dsn URI    use this PostgreSQL instead of an embedded one. It must run on this machine with
               archive_mode = on and no archive_command of its own; a schema pghoard_demo is made in it.
  --once       end after the comparison; the exit code says whether the restored rows are right
  --rows N     how many rows to write`;

export function parseOptions(argv: readonly string[]): DemoOptions {
  const values = parse(argv);
  const rows = Number(values.rows);
  if (!Number.isInteger(rows) || rows < 10) throw usageError(`--rows ${values.rows} is not a whole number of at least 10`);
  return { dsn: values.dsn, once: values.once, rows, help: values.help };
}

function parse(argv: readonly string[]): { dsn?: string; once: boolean; rows: string; help: boolean } {
  try {
    const options = {
      dsn: { type: 'string' },
      once: { type: 'boolean', default: false },
      rows: { type: 'string', default: '200000' },
      help: { type: 'boolean', short: 'h', default: false },
    } as const;
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw usageError((error as Error).message);
  }
}

function usageError(message: string): OperatorError {
  return new OperatorError('usage', message, { hint: `Usage: ${usage}` });
}
