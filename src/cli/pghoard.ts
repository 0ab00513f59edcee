import { Daemon } from '../daemon/daemon.ts';
import { OperatorError } from '../lib/errors.ts';
import { lifetimeOfProcess } from '../lib/lifetime.ts';
import { createLog } from '../lib/log.ts';
import { packageVersion, runCommand } from './main.ts';
import { parseFlags } from './parse-flags.ts';
import { type DaemonFlags, describePghoard } from './pghoard-flags.ts';
import { subcommandNamed } from './subcommands.ts';

/** `pghoard`: the daemon. */
async function main(argv: string[]): Promise<number> {
  const command = describePghoard();
  const exitCode = parseFlags(command, argv);
  if (exitCode !== undefined) return exitCode;
  const options = command.opts<DaemonFlags>();
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
const subcommand = subcommandNamed(first);
if (subcommand) runCommand(`pghoard ${first}`, async () => (await subcommand.load()).run(others));
else runCommand('pghoard', main);
