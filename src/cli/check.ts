import { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { loadConfig, selectSite } from '../config/load.ts';
import { ConfigError, type ConfigProblem } from '../config/problem.ts';
import { checkEverything } from '../daemon/check/check.ts';
import type { Section } from '../daemon/check/finding.ts';
import { systemClock } from '../lib/clock.ts';
import { systemRandom } from '../lib/random.ts';
import { ownPostgresCommand } from '../restore/own-postgres-command.ts';
import { checkAsData, dataOfBadConfig } from './check-data.ts';
import { checkExitCode, outcomeOf } from './check-outcome.ts';
import { CheckReport } from './check-report.ts';
import { daemonAddressOf } from './daemon-client.ts';
import { ask, textOf } from './daemon-request.ts';
import { interruptible, packageVersion } from './main.ts';
import { type CommonFlags, configFileOf, parseFlags, withCommonFlags } from './parse-flags.ts';
import type { SubcommandProgram } from './subcommand-program.ts';

interface Flags extends CommonFlags {
  readonly json?: boolean;
  readonly quick?: boolean;
}

interface Loaded {
  readonly config: Config;
  /** What the daemon would refuse, though tools can work with it. */
  readonly problems: readonly ConfigProblem[];
}

/** `pghoard check`: tells what is not as it should be, and what mends it. */
export const checkProgram: SubcommandProgram = { describe: describeCommand, run: check };

async function check(argv: readonly string[]): Promise<number> {
  const command = describeCommand();
  const exitCode = parseFlags(command, argv);
  if (exitCode !== undefined) return exitCode;
  return interruptible((signal) => run(command.opts<Flags>(), signal));
}

function describeCommand(): Command {
  return withCommonFlags(new Command('pghoard check'), process.env)
    .description('Look whether everything is set up: configuration, servers, stores, keys, disks, the daemon. Changes nothing.')
    .option('--json', 'print the results as JSON')
    .option('--quick', 'try the stores with the essential requests only')
    .addHelpText(
      'after',
      '\nExit codes: 0 nothing is wrong, 3 warnings, 1 failures (or the check could not be done), 2 the command line is wrong.',
    );
}

async function run(flags: Flags, signal: AbortSignal): Promise<number> {
  const file = configFileOf(flags);
  const { config, problems } = await load(file, flags);
  const sites = flags.site === undefined ? Object.values(config.backup_sites) : [selectSite(config, flags.site)];
  const deps = {
    config,
    quick: flags.quick ?? false,
    version: packageVersion(),
    postgresCommand: ownPostgresCommand(),
    askDaemon: (limited: AbortSignal) => askDaemon(config, limited),
    env: process.env,
    clock: systemClock,
    random: systemRandom,
    signal,
  };
  const startedAt = systemClock.now();
  const report = flags.json ? undefined : new CheckReport(process.stdout, { version: deps.version, file });
  const sections: Section[] = [];
  for await (const section of checkEverything({ sites, problems }, deps)) {
    sections.push(section);
    report?.add(section);
  }
  const outcome = outcomeOf(sections);
  if (report) report.end(outcome);
  else console.log(checkAsData({ version: deps.version, file, startedAt, sections, outcome }));
  return checkExitCode(outcome);
}

/** What is wrong for the daemon alone must not keep the rest from being looked at. */
async function load(file: string, { json }: Flags): Promise<Loaded> {
  try {
    return { config: await loadConfig(file, { forDaemon: true }), problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const config = await loadConfig(file).catch((worse: unknown) => {
      if (json && worse instanceof ConfigError)
        console.log(dataOfBadConfig({ version: packageVersion(), file, startedAt: systemClock.now() }, worse));
      throw worse;
    });
    return { config, problems: error.problems };
  }
}

async function askDaemon(config: Config, signal: AbortSignal) {
  const address = daemonAddressOf(config);
  const answer = await ask(address, 'GET', '/status', { signal });
  return {
    status: answer.statusCode ?? 0,
    server: String(answer.headers.server ?? ''),
    text: await textOf(address, answer, Number.POSITIVE_INFINITY),
  };
}
