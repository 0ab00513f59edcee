import { Command, InvalidArgumentError } from 'commander';
import { loadConfig, selectSite } from '../config/load.ts';
import { systemClock } from '../lib/clock.ts';
import { isOperatorError, messageOf } from '../lib/errors.ts';
import { formatJson } from '../lib/json.ts';
import { interruptible, packageVersion } from './main.ts';
import { type CommonFlags, configFileOf, parseFlags, withCommonFlags } from './parse-flags.ts';
import { statusAsData } from './status-data.ts';
import { type PluginResult, pluginFailure, pluginResult } from './status-monitoring.ts';
import { type StatusReport, statusExitCode } from './status-report.ts';
import { findStatus } from './status-sources.ts';
import { statusText } from './status-text.ts';
import { watchStatus } from './status-watch.ts';
import type { SubcommandProgram } from './subcommand-program.ts';

interface Flags extends CommonFlags {
  readonly json?: boolean;
  readonly monitoring?: boolean;
  readonly watch?: number | true;
}

const watchSecondsDefault = 2;
const columnsDefault = 80;
const columnsMax = 120;
const pluginUnknown = 3;

/** `pghoard status`: how each site is. */
export const statusProgram: SubcommandProgram = { describe: describeCommand, run: status };

function describeCommand(): Command {
  return withCommonFlags(new Command('pghoard status'), process.env)
    .description(
      'Tell of each site to which second it can be restored, how far its WAL is behind, what runs, what is wrong and what comes next.',
    )
    .option('--json', 'print it as JSON')
    .option('--watch [seconds]', `show it again every so many seconds (${watchSecondsDefault}), until q or Ctrl-C`, parseSeconds)
    .option('--monitoring', 'print one line and end as plugins of Nagios and its kin do: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN')
    .addHelpText(
      'after',
      '\nExit codes: 0 all is well, 3 something needs attention, 1 no daemon tells how it is, 2 the command line is wrong.',
    );
}

async function status(argv: readonly string[]): Promise<number> {
  const command = describeCommand();
  const exitCode = parseFlags(command, argv);
  // To a plugin's caller 2 would mean that backups are broken.
  if (exitCode !== undefined) return exitCode !== 0 && argv.includes('--monitoring') ? pluginUnknown : exitCode;
  const flags = command.opts<Flags>();
  if (flags.monitoring) return answerPlugin(flags);
  return flags.watch === undefined ? interruptible((signal) => once(flags, signal)) : watch(flags);
}

async function once(flags: Flags, signal: AbortSignal): Promise<number> {
  const report = await find(flags, signal);
  if (flags.json) process.stdout.write(formatJson(statusAsData(report)));
  else console.log(asText(report, process.stdout.columns).join('\n'));
  return statusExitCode(report);
}

async function watch(flags: Flags): Promise<number> {
  const ms = (typeof flags.watch === 'number' ? flags.watch : watchSecondsDefault) * 1000;
  const report = await watchStatus({
    everyMs: ms,
    find: (signal) => find(flags, signal),
    text: asText,
    line: flags.json ? (found) => JSON.stringify(statusAsData(found)) : undefined,
    clock: systemClock,
  });
  return report === undefined ? 1 : statusExitCode(report);
}

async function answerPlugin(flags: Flags): Promise<number> {
  const { line, exitCode } = await interruptible(async (signal): Promise<PluginResult> => {
    try {
      return pluginResult(await find(flags, signal));
    } catch (error) {
      if (!isOperatorError(error)) throw error;
      return pluginFailure(messageOf(error));
    }
  });
  console.log(line);
  return exitCode;
}

/** The configuration is read each time: it may change while somebody watches. */
async function find(flags: Flags, signal: AbortSignal): Promise<StatusReport> {
  const config = await loadConfig(configFileOf(flags));
  const sites = flags.site === undefined ? Object.values(config.backup_sites) : [selectSite(config, flags.site)];
  const looksIntoStores = flags.monitoring !== true;
  return findStatus({ config, sites, version: packageVersion(), looksIntoStores, clock: systemClock, signal });
}

function asText(report: StatusReport, columns: number | undefined): string[] {
  const colours = process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '';
  return statusText(report, { columns: Math.min(columns ?? columnsDefault, columnsMax), colours });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0) || seconds > 86_400) throw new InvalidArgumentError('It must be a number of seconds.');
  return seconds;
}
