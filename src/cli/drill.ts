import { setPriority } from 'node:os';
import { Command, Option } from 'commander';
import { type DrillEvidence } from '../catalog/evidence/drill-evidence.ts';
import { storeDrillEvidence } from '../catalog/evidence/store-evidence.ts';
import { recoverabilityDocument } from '../catalog/recoverability/recoverability-document.ts';
import { CodecPool } from '../codec/pool.ts';
import type { Config, SiteConfig } from '../config/config.ts';
import { loadConfig, selectSite } from '../config/load.ts';
import { systemClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { formatJson } from '../lib/json.ts';
import { systemRandom } from '../lib/random.ts';
import { runProgram } from '../lib/subprocess.ts';
import { holdDrill } from '../restore/drill/drill.ts';
import { ownPostgresCommand } from '../restore/own-postgres-command.ts';
import { reachableHost } from '../restore/restore-command.ts';
import { Progress } from '../transfer/progress.ts';
import { credentialsOf, DaemonClient, daemonAddressOf } from './daemon-client.ts';
import { drillText } from './drill-text.ts';
import { interruptible } from './main.ts';
import { type CommonFlags, configFileOf, parseFlags, withCommonFlags } from './parse-flags.ts';
import { closeSources, openSources } from './restore-sources.ts';
import type { SubcommandProgram } from './subcommand-program.ts';

interface Flags extends CommonFlags {
  readonly basebackup?: string;
  readonly target?: 'random' | 'latest';
  readonly json?: boolean;
}

const exitCodes: Readonly<Record<DrillEvidence['result'], number>> = { passed: 0, impossible: 1, failed: 2 };
const lowestPriority = 19;

/** `pghoard drill`: shows by doing that a site can be restored. Needs the running daemon, as every restored server does. */
export const drillProgram: SubcommandProgram = { describe: describeCommand, run };

async function run(argv: readonly string[]): Promise<number> {
  const command = describeCommand();
  const exitCode = parseFlags(command, argv);
  if (exitCode !== undefined) return exitCode;
  return interruptible((signal) => drill(command.opts<Flags>(), signal));
}

function describeCommand(): Command {
  return withCommonFlags(new Command('pghoard drill'), process.env)
    .description('Restore a base backup beside the cluster, recover it, start and check it, and leave the evidence in the store.')
    .option('--basebackup <name>', 'another one than the newest')
    .addOption(new Option('--target <target>', 'the moment to recover to (default: as restore_drill says)').choices(['random', 'latest']))
    .option('--json', 'print the evidence as JSON')
    .addHelpText('after', '\nExit code: 0 where it passed, 2 where it failed, 1 where it could not be held, which proves nothing.');
}

async function drill(flags: Flags, signal: AbortSignal): Promise<number> {
  const config = await loadConfig(configFileOf(flags));
  const site = selectSite(config, flags.site);
  const options = site.restore_drill;
  if (options === null) throw notConfigured(site.name);
  if (options.low_priority) await stepBack();
  const sources = await openSources(config, site);
  await using pool = new CodecPool(1);
  try {
    const wish = { basebackup: flags.basebackup, target: flags.target ?? options.target };
    const request = { site: site.name, options, wish, binDirectory: site.pg_bin_directory ?? undefined };
    const evidence = await holdDrill(request, { ...depsOf(config, site, signal), sources, pool }, signal);
    await storeDrillEvidence(sources[0].catalog, evidence, signal);
    console.log(flags.json ? formatJson(evidence).trimEnd() : drillText(evidence));
    return exitCodes[evidence.result];
  } finally {
    await closeSources(sources);
  }
}

function depsOf(config: Config, site: SiteConfig, signal: AbortSignal) {
  const daemon = new DaemonClient(daemonAddressOf(config), signal);
  return {
    clock: systemClock,
    random: systemRandom,
    progress: new Progress(),
    wal: {
      program: ownPostgresCommand(),
      host: reachableHost(config.http_address),
      port: config.http_port,
      credentials: credentialsOf(config),
    },
    claims: () => claimsOf(daemon, site.name),
    say: (message: string) => console.error(message),
    warn: (message: string) => console.error(`WARNING: ${message}`),
  };
}

async function claimsOf(daemon: DaemonClient, site: string) {
  const answer = await daemon.ask('GET', site, 'recoverability');
  const what = 'tell what can be restored';
  if (!answer.isFromPghoard) throw daemon.strangerError(what, answer);
  if (answer.status !== 200) throw daemon.refusal(what, answer);
  return recoverabilityDocument.parse(JSON.parse(answer.text));
}

/** What is started from here on does, too. */
async function stepBack(): Promise<void> {
  setPriority(lowestPriority);
  // Where there is no such program, the disk treats all alike.
  await runProgram('ionice', ['-c', '3', '-p', String(process.pid)]).catch(() => {});
}

function notConfigured(site: string): OperatorError {
  return new OperatorError('drill-impossible', `no drill can be held: the site ${site} has no restore_drill`, {
    hint: 'Give it one, with a workdir: see docs/config.md.',
  });
}
