import { setTimeout as delay } from 'node:timers/promises';
import type { Daemon } from '../daemon/daemon.ts';
import { takeServiceManagerFrom } from '../daemon/lifecycle/service-manager.ts';
import { OperatorError } from '../lib/errors.ts';
import { aborted, type Lifetime, lifetimeOfProcess } from '../lib/lifetime.ts';
import { createLog, type RootLog } from '../lib/log/root-log.ts';
import { leaveAfterBug, packageVersion, runCommand } from './main.ts';
import { parseFlags } from './parse-flags.ts';
import { type DaemonFlags, describePghoard } from './pghoard-flags.ts';
import { subcommandList, subcommandNamed } from './subcommands.ts';

/** How long a start that was begun may go on after somebody asked to stop. */
const startMsMax = 5_000;

/** `pghoard`: the daemon. */
async function main(argv: string[]): Promise<number> {
  const command = describePghoard().addHelpText('after', `\n${subcommandList()}`);
  const exitCode = parseFlags(command, argv);
  if (exitCode !== undefined) return exitCode;
  const options = command.opts<DaemonFlags>();
  const configFile = options.config ?? command.args[0] ?? process.env['PGHOARD_CONFIG'];
  if (!configFile) {
    throw new OperatorError('config-missing', 'config file path must be given with --config or via env PGHOARD_CONFIG');
  }
  const log = createLog({ ...(options.debug && { level: 'DEBUG' }), ...(options.shortLog && { format: 'short' }) });
  try {
    await runDaemon(configFile, log);
  } finally {
    await log.close();
  }
  return 0;
}

async function runDaemon(configFile: string, log: RootLog): Promise<void> {
  const lifetime = lifetimeOfProcess({ drain: ['SIGTERM'], force: ['SIGINT'] });
  const starting = start(configFile, log);
  // One that comes before there is anything to reload is not lost: what was read by then may be older than the signal.
  process.on(
    'SIGHUP',
    () =>
      void starting.then(
        (daemon) => daemon.reload(),
        () => {},
      ),
  );
  const daemon = await Promise.race([starting, givenUp(lifetime)]);
  if (daemon === undefined) log.info({}, 'stopped before it was up');
  await daemon?.run(lifetime);
  if (daemon?.isStuck) await endHard(log);
}

/** Node waits for its threads, and one that waits for a dead disk does not end. */
async function endHard(log: RootLog): Promise<void> {
  log.warn({}, 'a thread still waits for a disk that does not answer, so the process ends itself with SIGKILL');
  await log.close();
  process.kill(process.pid, 'SIGKILL');
}

/** Signals are heeded before all the rest is loaded, which takes a moment. */
async function start(configFile: string, log: RootLog): Promise<Daemon> {
  const { Daemon } = await import('../daemon/daemon.ts');
  const daemon = await Daemon.start(configFile, { log, version: packageVersion(), manager: takeServiceManagerFrom(process.env, log) });
  process.on('uncaughtException', (error) => leaveAfterBug('pghoard', error, () => daemon.failed()));
  return daemon;
}

/** Nothing has been begun yet that would have to be finished, but a start that hangs must not hold up the end. */
async function givenUp({ draining, forced }: Lifetime): Promise<undefined> {
  await aborted(draining);
  await Promise.race([aborted(forced), delay(startMsMax)]);
}

const [first, ...others] = process.argv.slice(2);
const subcommand = subcommandNamed(first);
if (subcommand) runCommand(`pghoard ${first}`, async () => (await subcommand.load()).run(others));
else runCommand('pghoard', main);
