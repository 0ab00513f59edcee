import { Command, InvalidArgumentError } from 'commander';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { Catalog } from '../catalog/catalog.ts';
import { SiteKeys } from '../catalog/keys.ts';
import { CodecPool } from '../codec/pool.ts';
import type { Config, SiteConfig } from '../config/config.ts';
import { loadConfig, selectSite } from '../config/load.ts';
import { privateKeysOf } from '../daemon/site-keys.ts';
import { systemClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { formatJson } from '../lib/json.ts';
import { openStore } from '../storage/drivers.ts';
import { Progress, type ProgressReport } from '../transfer/progress.ts';
import { type Budget, FixedBudget, unlimited } from '../verify/budget.ts';
import type { VerifyReport } from '../verify/report.ts';
import { verifySite } from '../verify/verify-site.ts';
import { interruptible } from './main.ts';
import { parseBytes } from './parse-bytes.ts';
import { type CommonFlags, configFileOf, parseFlags, withCommonFlags } from './parse-flags.ts';
import { RestoreProgress } from './restore-progress.ts';
import type { SubcommandProgram } from './subcommand-program.ts';
import { reportAsData, verifyExitCode } from './verify-report.ts';
import { findingLine, reportText, verifyProgressLine } from './verify-text.ts';

interface Flags extends CommonFlags {
  readonly all?: boolean;
  readonly since?: Date;
  readonly basebackup?: string;
  readonly budget?: number;
  readonly json?: boolean;
}

/** `pghoard verify`: reads again what is stored. By the store alone: the daemon need not run. */
export const verifyProgram: SubcommandProgram = { describe: describeCommand, run };

function describeCommand(): Command {
  return withCommonFlags(new Command('pghoard verify'), process.env)
    .description(
      'Read again what is stored, and tell whether all of it is as it was stored: base backups to the end of each of their parts, WAL, histories. ' +
        'Without one of the following, what was never read, or has changed since. Only notes in the store what it has found.',
    )
    .option('--all', 'read everything, whenever it was read last')
    .option('--since <time>', 'also what was read last before this time (2026-11-30T12:00:00Z, or 30d, 12h ago)', parseSince)
    .option('--basebackup <name>', 'only this base backup, and the WAL that it needs to become consistent')
    .option('--budget <bytes>', 'read no more than so many bytes (10G, 500M): the next run goes on there', parseBytes)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 all that was read is sound, 3 warnings, 4 something is damaged, 5 something could not be read; ' +
        '1 it could not be done, 2 the command line is wrong.',
    );
}

async function run(argv: readonly string[]): Promise<number> {
  const command = describeCommand();
  const exitCode = parseFlags(command, argv);
  if (exitCode !== undefined) return exitCode;
  return interruptible((signal) => answer(command.opts<Flags>(), signal));
}

async function answer(flags: Flags, signal: AbortSignal): Promise<number> {
  if ([flags.all, flags.since, flags.basebackup].filter((flag) => flag !== undefined).length > 1) {
    throw new OperatorError('request-invalid', 'only one of --all, --since and --basebackup can be given');
  }
  const config = await loadConfig(configFileOf(flags));
  const site = selectSite(config, flags.site);
  const report = await verify(flags, config, site, signal);
  if (flags.json) process.stdout.write(formatJson(reportAsData(report)));
  else console.log(reportText(report, systemClock.now()));
  return verifyExitCode(report);
}

async function verify(flags: Flags, config: Config, site: SiteConfig, signal: AbortSignal): Promise<VerifyReport> {
  const store = await openStore(site.object_storage);
  const progress = new Progress({ totalBytes: 0 });
  const line = (told: ProgressReport) => verifyProgressLine(told);
  const output = flags.json ? { write: () => true } : process.stdout;
  try {
    await using pool = new CodecPool(config.restore_process_count);
    await using shown = new RestoreProgress(progress, output, undefined, line);
    const catalog = new Catalog(store, new SiteKeys(site.prefix));
    const basebackup = flags.basebackup === undefined ? undefined : await catalog.basebackup(flags.basebackup, signal);
    shown.start();
    return await verifySite(requestOf(flags, basebackup), {
      site: site.name,
      catalog,
      storage: site.object_storage,
      privateKeys: privateKeysOf(site),
      pool,
      budget: budgetOf(flags),
      whenQuiet: async () => {},
      onPlanned: (bytes) => {
        progress.totalBytes = Math.min(bytes, flags.budget ?? bytes);
      },
      onFinding: (finding) => shown.say(findingLine(finding)),
      onBytes: (bytes) => progress.add(bytes),
      clock: systemClock,
      signal,
    });
  } finally {
    await store.close();
  }
}

function requestOf({ all, since }: Flags, basebackup: BasebackupEntry | undefined) {
  const again = (provenAt: Date) => all === true || basebackup !== undefined || (since !== undefined && provenAt < since);
  return { again, basebackup };
}

function budgetOf({ budget }: Flags): Budget {
  return budget === undefined ? unlimited : new FixedBudget(budget);
}

const unitsMs: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000 };

function parseSince(text: string): Date {
  const ago = /^(\d{1,5})([hd])$/.exec(text);
  if (ago) return new Date(systemClock.now().getTime() - Number(ago[1]) * (unitsMs[ago[2] as string] ?? 0));
  const time = new Date(text);
  if (/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?$/.test(text) && !Number.isNaN(time.getTime())) return time;
  throw new InvalidArgumentError('It must be a date, a time with its zone, or so many days (30d) or hours (12h).');
}
