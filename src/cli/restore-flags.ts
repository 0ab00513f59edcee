import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { RecoveryPrefetch, TargetAction } from '../restore/recovery-settings.ts';
import { packageVersion } from './main.ts';
import { withRestoreFlags } from './restore-wishes-flags.ts';

interface GlobalFlags {
  readonly debug?: boolean;
  readonly statusOutputFile?: string;
}

export interface ListFlags extends GlobalFlags {
  readonly verbose?: boolean;
  readonly config: string;
  readonly site?: string;
}

export interface HttpListFlags extends GlobalFlags {
  readonly verbose?: boolean;
  readonly config?: string;
  readonly site: string;
  readonly host?: string;
  readonly port?: number;
  readonly username?: string;
  readonly password?: string;
}

export interface GetFlags extends ListFlags {
  readonly basebackup: string;
  readonly primaryConninfo: string;
  readonly targetDir: string;
  readonly overwrite?: boolean;
  readonly reuse?: boolean;
  readonly tablespaceDir: ReadonlyMap<string, string>;
  readonly tablespaceBaseDir?: string;
  readonly recoveryEndCommand?: string;
  readonly recoveryPrefetch?: RecoveryPrefetch;
  readonly recoveryTargetAction: TargetAction;
  readonly recoveryTargetName?: string;
  readonly recoveryTargetImmediate?: boolean;
  readonly recoveryTargetTime?: string;
  readonly recoveryTargetTimeline: string;
  readonly recoveryTargetXid?: string;
  readonly recoveryTargetLsn?: string;
  readonly recoveryTargetExclusive?: boolean;
  readonly restoreToMaster?: boolean;
  readonly restoreToPrimary?: boolean;
  readonly preserveUntil?: string;
  readonly cancelPreserveOnSuccess: boolean;
  readonly pghoardPostgresCommandBin?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export interface PlanFlags extends Omit<GetFlags, 'targetDir' | 'dryRun'> {
  readonly targetDir?: string;
}

export type RestoreCommand =
  | { readonly do: 'list-basebackups'; readonly flags: ListFlags }
  | { readonly do: 'list-basebackups-http'; readonly flags: HttpListFlags }
  | { readonly do: 'get-basebackup'; readonly flags: GetFlags }
  | { readonly do: 'plan'; readonly flags: PlanFlags }
  /** Help, the version or a usage error was printed; this is the exit code. */
  | { readonly do: 'exit'; readonly code: number };

const usageExitCode = 2;

/** The command line alone, for whoever wants to tell of it. */
export function describeRestore(): Command {
  return describeProgram(process.env, () => {});
}

/** Reads a command line as the original took it. `--config`, `--site` and `--verbose` may also stand before the sub-command. */
export function parseRestoreFlags(argv: readonly string[], env: NodeJS.ProcessEnv): RestoreCommand {
  let chosen: RestoreCommand | undefined;
  const program = describeProgram(env, (command) => {
    chosen = command;
  });
  try {
    program.parse([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { do: 'exit', code: exitCodeOf(error) };
  }
  return chosen ?? { do: 'exit', code: 1 };
}

function exitCodeOf({ code }: CommanderError): number {
  if (code === 'commander.helpDisplayed' || code === 'commander.version') return 0;
  // Without a sub-command the help is shown, but nothing was done.
  return code === 'commander.help' ? 1 : usageExitCode;
}

function describeProgram(env: NodeJS.ProcessEnv, choose: (command: RestoreCommand) => void): Command {
  const program = withCommonFlags(new Command('pghoard_restore'), env)
    .description('Restore PostgreSQL clusters from the base backups that pghoard took.')
    .version(`pghoard_restore ${packageVersion()}`)
    .option('-D, --debug', 'show where errors come from')
    .option('--status-output-file <file>', 'write progress to this file as JSON, every second')
    .exitOverride();
  addHttpList(program, env, choose);
  addList(program, env, choose);
  addGet(program, env, choose);
  addPlan(program, env, choose);
  return program;
}

function addHttpList(program: Command, env: NodeJS.ProcessEnv, choose: (command: RestoreCommand) => void): void {
  const command = withCommonFlags(program.command('list-basebackups-http'), env)
    .description('list the base backups of a site, as its running pghoard tells them')
    .option('--host <host>', 'where pghoard listens (127.0.0.1)')
    .option('--port <port>', 'where pghoard listens (16000)', parsePort)
    .option('--username <name>', 'webserver_username of that pghoard (default: that of --config)')
    .option('--password <password>', 'webserver_password of that pghoard (default: that of --config)');
  command.action(() => {
    const flags = command.optsWithGlobals<HttpListFlags>();
    if (!flags.site) command.error("error: required option '--site <site>' not specified");
    choose({ do: 'list-basebackups-http', flags });
  });
}

function addList(program: Command, env: NodeJS.ProcessEnv, choose: (command: RestoreCommand) => void): void {
  const command = withCommonFlags(program.command('list-basebackups'), env).description('list the base backups in the store of a site');
  command.action(() => choose({ do: 'list-basebackups', flags: requireConfig(command).optsWithGlobals<ListFlags>() }));
}

function addGet(program: Command, env: NodeJS.ProcessEnv, choose: (command: RestoreCommand) => void): void {
  const command = withCommonFlags(program.command('get-basebackup'), env)
    .description('restore a base backup, ready to be started and recovered')
    .requiredOption('--target-dir <dir>', 'data directory to restore into')
    .option('--dry-run', 'touch nothing: tell what would be done, as "plan" does')
    .addOption(new Option('--json', 'with --dry-run: as JSON').implies({ dryRun: true }));
  withRestoreFlags(command);
  command.action(() => choose({ do: 'get-basebackup', flags: requireConfig(command).optsWithGlobals<GetFlags>() }));
}

function addPlan(program: Command, env: NodeJS.ProcessEnv, choose: (command: RestoreCommand) => void): void {
  const command = withCommonFlags(program.command('plan'), env)
    .description('tell what a restore would do and come to, without touching anything')
    .option('--target-dir <dir>', 'data directory to restore into, for what is free there')
    .option('--json', 'as JSON');
  withRestoreFlags(command).addHelpText(
    'after',
    '\nExit code: 0 where all is there that the restore needs, 2 where something is missing, 1 where the target cannot be restored.',
  );
  command.action(() => choose({ do: 'plan', flags: requireConfig(command).optsWithGlobals<PlanFlags>() }));
}

/** Defaults stand at the sub-commands only: those of the program would win over what was given to a sub-command. */
function withCommonFlags(command: Command, env: NodeJS.ProcessEnv): Command {
  const configFromEnvironment = command.parent === null ? undefined : env['PGHOARD_CONFIG'] || undefined;
  return command
    .option('-v, --verbose', 'show all that is known of each base backup')
    .option('--config <file>', 'configuration file of pghoard (default: $PGHOARD_CONFIG)', configFromEnvironment)
    .option('--site <site>', 'backup site; can be left out if the configuration file has only one')
    .allowExcessArguments(false)
    .exitOverride();
}

function requireConfig(command: Command): Command {
  if (!command.optsWithGlobals<Partial<ListFlags>>().config) command.error("error: required option '--config <file>' not specified");
  return command;
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new InvalidArgumentError('It must be a port number.');
  return port;
}
