import { CodecPool } from '../codec/pool.ts';
import type { Config } from '../config/config.ts';
import { loadConfig, selectSite } from '../config/load.ts';
import { systemClock } from '../lib/clock.ts';
import type { Choice } from '../restore/choose.ts';
import { ownPostgresCommand } from '../restore/own-postgres-command.ts';
import { backupsOf, type RestoreRequest, type RestoreResult, restoreBasebackup, type SiteBackup } from '../restore/restore.ts';
import { defaultHost, reachableHost } from '../restore/restore-command.ts';
import { echoTargetTime } from '../restore/target-time.ts';
import { Progress } from '../transfer/progress.ts';
import { basebackupTable } from './basebackup-table.ts';
import { credentialsOf, DaemonClient, daemonAddressOf } from './daemon-client.ts';
import type { DaemonAddress } from './daemon-request.ts';
import { basebackupsOverHttp } from './http-basebackups.ts';
import { interruption, runCommand } from './main.ts';
import { type GetFlags, type HttpListFlags, type ListFlags, parseRestoreFlags, type RestoreCommand } from './restore-flags.ts';
import { tellPlan } from './restore-plan.ts';
import { RestoreProgress } from './restore-progress.ts';
import { restoreRequest } from './restore-request.ts';
import { closeSources, openSources } from './restore-sources.ts';

const defaultPort = 16_000;

/** Lists base backups and restores them. */
async function main(argv: string[]): Promise<number> {
  const command = parseRestoreFlags(argv, process.env);
  if (command.do === 'exit') return command.code;
  // A second Ctrl-C ends the process at once, which a restore survives unstartable.
  const signal = interruption();
  try {
    return await run(command, signal);
  } catch (error) {
    if (command.flags.debug) console.error(error);
    signal.throwIfAborted();
    throw error;
  }
}

/** Resolves to the exit code. */
async function run(command: Exclude<RestoreCommand, { do: 'exit' }>, signal: AbortSignal): Promise<number> {
  switch (command.do) {
    case 'list-basebackups':
      await listBasebackups(command.flags, signal);
      return 0;
    case 'list-basebackups-http':
      await listBasebackupsOverHttp(command.flags, signal);
      return 0;
    case 'get-basebackup':
      if (command.flags.dryRun) return tellPlan(command.flags, signal);
      await getBasebackup(command.flags, signal);
      return 0;
    case 'plan':
      return tellPlan(command.flags, signal);
  }
}

async function listBasebackups(flags: ListFlags, signal: AbortSignal): Promise<void> {
  const config = await loadConfig(flags.config);
  const site = selectSite(config, flags.site);
  const sources = await openSources(config, site);
  try {
    showTable(`Available '${site.name}' basebackups:`, await backupsOf({ sources, warn }, signal), flags);
  } finally {
    await closeSources(sources);
  }
}

async function listBasebackupsOverHttp(flags: HttpListFlags, signal: AbortSignal): Promise<void> {
  const config = flags.config === undefined ? undefined : await loadConfig(flags.config);
  const entries = await basebackupsOverHttp(new DaemonClient(daemonAddress(flags, config), signal), flags.site, warn);
  showTable(`Available '${flags.site}' basebackups:`, entries, flags);
}

async function getBasebackup(flags: GetFlags, signal: AbortSignal): Promise<void> {
  const request = restoreRequest(flags, systemClock.now());
  const config = await loadConfig(flags.config);
  const sources = await openSources(config, selectSite(config, flags.site));
  await using pool = new CodecPool(config.restore_process_count);
  const progress = new Progress();
  await using shown = new RestoreProgress(progress, process.stdout, flags.statusOutputFile);
  echoTarget(request, undefined);
  try {
    const result = await restoreBasebackup(request, { ...depsOf(flags, config, shown), sources, pool, progress }, signal);
    await shown[Symbol.asyncDispose]();
    showResult(request, result);
  } finally {
    await closeSources(sources);
  }
}

function depsOf(flags: GetFlags, config: Config, shown: RestoreProgress) {
  return {
    clock: systemClock,
    wal: {
      program: flags.pghoardPostgresCommandBin ?? ownPostgresCommand(),
      host: reachableHost(config.http_address),
      port: config.http_port,
      credentials: credentialsOf(config),
    },
    onChosen: (choice: Choice<SiteBackup>) => {
      showChoice(choice, flags);
      shown.start();
    },
    say: (message: string) => shown.say(message),
    warn: (message: string) => shown.say(`WARNING: ${message}`),
  };
}

/** What flags do not say comes from the configuration file, where there is one. */
function daemonAddress({ host, port, username, password }: HttpListFlags, config: Config | undefined): DaemonAddress {
  const known = config ? daemonAddressOf(config) : { host: defaultHost, port: defaultPort, credentials: undefined };
  const given = username !== undefined && password !== undefined ? { username, password } : undefined;
  return { host: host ?? known.host, port: port ?? known.port, credentials: given ?? known.credentials };
}

function echoTarget({ recovery: { target } }: RestoreRequest, sourceZone: string | undefined): void {
  if (target.kind !== 'time') return;
  console.log(['Recovery target:', ...echoTargetTime(target.time, sourceZone)].join('\n  '));
}

function showTable(
  caption: string,
  entries: Parameters<typeof basebackupTable>[1],
  { verbose = false }: { readonly verbose?: boolean },
): void {
  console.log(basebackupTable(caption, entries, { verbose }));
}

function showChoice({ backup, applicable }: Choice<SiteBackup>, flags: GetFlags): void {
  showTable(`Found ${applicable.length} applicable basebackup${applicable.length === 1 ? '' : 's'}`, applicable, flags);
  console.log(`Selecting '${backup.key}' for restore`);
  console.log(`It is ${whyChosen(flags)}.`);
  const asksForPoint = flags.recoveryTargetXid !== undefined || flags.recoveryTargetName !== undefined;
  if (asksForPoint && flags.basebackup === 'latest' && applicable.length > 1) {
    console.log(
      'Note: when that was is not looked up here. If it lies before this base backup, choose an earlier one with --basebackup: "pghoard_restore plan" finds it.',
    );
  }
}

function whyChosen({ basebackup, recoveryTargetTime }: GetFlags): string {
  if (basebackup !== 'latest') return 'the one that was asked for';
  return recoveryTargetTime === undefined ? 'the newest one' : 'the newest one that was complete by the recovery target';
}

function showResult(request: RestoreRequest, { dataDirectory, files, advice, sourceTimeZone }: RestoreResult): void {
  console.log('Basebackup restoration complete.');
  console.log(`${files} files are in ${dataDirectory}.`);
  echoTarget(request, sourceTimeZone);
  for (const line of advice) console.log(`Note: ${line}`);
  console.log('');
  console.log('Recovery begins when PostgreSQL is started and needs the WAL that pghoard serves: keep the daemon running. To start it:');
  console.log(`  pg_ctl -D ${dataDirectory} start`);
  console.log('  systemctl start postgresql          (where that unit runs this directory)');
  console.log('  pg_ctlcluster VERSION CLUSTER start (Debian, where the cluster is registered with this directory)');
}

function warn(message: string): void {
  console.error(`WARNING: ${message}`);
}

runCommand('pghoard_restore', main);
