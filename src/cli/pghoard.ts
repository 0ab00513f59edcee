import { Command } from 'commander';
import { Daemon } from '../daemon/daemon.ts';
import { OperatorError } from '../lib/errors.ts';
import { lifetimeOfProcess } from '../lib/lifetime.ts';
import { createLog } from '../lib/log.ts';
import { packageVersion, runCommand } from './main.ts';
import { parseFlags } from './parse-flags.ts';

interface Options {
  readonly config?: string;
  readonly shortLog?: boolean;
  readonly debug?: boolean;
}

/** `pghoard`: the daemon. */
async function main(argv: string[]): Promise<number> {
  const command = new Command('pghoard')
    .description('Keep PostgreSQL clusters restorable: take base backups and archive WAL.')
    .version(packageVersion())
    .option('-s, --short-log', 'log without times, for systems that add their own')
    .option('-D, --debug', 'log everything')
    .option('--config <file>', 'configuration file (default: $PGHOARD_CONFIG)')
    .argument('[config_file]', 'configuration file, as older versions took it')
    .addHelpText('after', '\n"pghoard check" looks whether everything is set up; see "pghoard check --help".');
  const exitCode = parseFlags(command, argv);
  if (exitCode !== undefined) return exitCode;
  const options = command.opts<Options>();
  const configFile = options.config ?? command.args[0] ?? process.env['PGHOARD_CONFIG'];
  if (!configFile) {
    throw new OperatorError('config-missing', 'config file path must be given with --config or via env PGHOARD_CONFIG');
  }
  const log = createLog({ level: options.debug ? 'DEBUG' : 'INFO', format: options.shortLog ? 'short' : 'text' });
  const lifetime = lifetimeOfProcess({ drain: ['SIGTERM', 'SIGINT'], force: [] });
  let daemon: Daemon | undefined;
  process.on('SIGHUP', () => void daemon?.reload());
  daemon = await Daemon.start(configFile, { log: options.debug ? { ...log, setLevel: () => {} } : log, version: packageVersion() });
  await daemon.run(lifetime);
  return 0;
}

const [first, ...others] = process.argv.slice(2);
// Who has a configuration file of that name can write ./check.
if (first === 'check') runCommand('pghoard check', async () => (await import('./check.ts')).check(others));
else runCommand('pghoard', main);
