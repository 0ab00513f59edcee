import { type Command, CommanderError } from 'commander';
import { OperatorError } from '../lib/errors.ts';
import { packageVersion } from './main.ts';

/** What the small commands have in common. */
export interface CommonFlags {
  readonly config?: string;
  readonly site?: string;
}

const usageExitCode = 2;

export function withCommonFlags(command: Command, env: NodeJS.ProcessEnv): Command {
  return command
    .version(`${command.name()} ${packageVersion()}`)
    .option('--site <site>', 'backup site; can be left out if the configuration file has only one')
    .option('--config <file>', 'configuration file of pghoard (default: $PGHOARD_CONFIG)', env['PGHOARD_CONFIG'] || undefined)
    .allowExcessArguments(false);
}

/**
 * Reads a command line into `command.opts()`. The exit code where the work ends there: 0 for help and version, 2 for a usage error,
 * as in the original; otherwise undefined.
 */
export function parseFlags(command: Command, argv: readonly string[]): number | undefined {
  try {
    command.exitOverride().parse([...argv], { from: 'user' });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : usageExitCode;
  }
}

/** Throws `config-missing` where neither flag nor environment name a file. */
export function configFileOf({ config }: CommonFlags): string {
  if (config !== undefined) return config;
  throw new OperatorError('config-missing', 'config file path must be given with --config or via env PGHOARD_CONFIG');
}
