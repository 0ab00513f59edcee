import { Command, InvalidArgumentError } from 'commander';
import { Catalog } from '../catalog/catalog.ts';
import { SiteKeys } from '../catalog/keys.ts';
import type { Config, SiteConfig } from '../config/config.ts';
import { loadConfig, selectSite } from '../config/load.ts';
import { backupViews } from '../daemon/backup-views.ts';
import { comingBasebackups } from '../daemon/coming-basebackups.ts';
import { retentionRulesOf } from '../daemon/retention-rules.ts';
import { scheduleOf } from '../daemon/schedule.ts';
import { relatedSites } from '../daemon/site-keys.ts';
import { systemClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { formatJson } from '../lib/json.ts';
import { forecast } from '../retention/forecast.ts';
import { planRetention } from '../retention/plan.ts';
import { simulate } from '../retention/simulate.ts';
import { openStore } from '../storage/drivers.ts';
import { confirmDeletion } from './confirm-deletion.ts';
import { DaemonClient, daemonAddressOf } from './daemon-client.ts';
import { interruptible } from './main.ts';
import { type CommonFlags, configFileOf, parseFlags, withCommonFlags } from './parse-flags.ts';
import { describeForecast, describePasses, type RetentionView } from './retention-report.ts';
import { forecastText, passesText } from './retention-text.ts';
import type { SubcommandProgram } from './subcommand-program.ts';

interface Flags extends CommonFlags {
  readonly explain?: boolean;
  readonly dryRun?: boolean;
  readonly simulate?: number;
  readonly confirm?: string | true;
  readonly json?: boolean;
}

const dayMs = 86_400_000;
/** How far it is told when something goes. */
const horizonDays = 366;

/** `pghoard retention`: what of a site goes when, and why. By the store alone: the daemon need not run. */
export const retentionProgram: SubcommandProgram = { describe: describeCommand, run };

async function run(argv: readonly string[]): Promise<number> {
  const command = describeCommand();
  const exitCode = parseFlags(command, argv);
  if (exitCode !== undefined) return exitCode;
  await interruptible((signal) => answer(command.opts<Flags>(), signal));
  return 0;
}

function describeCommand(): Command {
  return withCommonFlags(new Command('pghoard retention'), process.env)
    .description('Tell which base backups and which WAL are kept, why, and when they go. Changes nothing, but for --confirm.')
    .option('--explain', 'tell of everything why it stays or goes, and when (default)')
    .option('--dry-run', 'only tell what the next pass of the daemon deletes')
    .option('--simulate <days>', 'tell what is deleted in the coming days, if the schedule goes on', parseDays)
    .option('--confirm [digest]', 'have the running daemon delete what waits for a confirmation; with the digest, only just that')
    .option('--json', 'print it as JSON');
}

async function answer(flags: Flags, signal: AbortSignal): Promise<void> {
  const chosen = [flags.explain, flags.dryRun, flags.simulate, flags.confirm].filter((flag) => flag !== undefined);
  if (chosen.length > 1) {
    throw new OperatorError('request-invalid', 'only one of --explain, --dry-run, --simulate and --confirm can be given');
  }
  const config = await loadConfig(configFileOf(flags));
  const site = selectSite(config, flags.site);
  if (flags.confirm !== undefined) {
    const daemon = new DaemonClient(daemonAddressOf(config), signal);
    const confirmed = await confirmDeletion(daemon, site.name, flags.confirm === true ? undefined : flags.confirm);
    console.log(flags.json ? formatJson(confirmed).trimEnd() : `Confirmed ${confirmed.digest}: ${confirmed.because}`);
    return;
  }
  const view = await look(config, site, signal);
  if (flags.simulate !== undefined) showSimulation(view, flags.simulate, flags.json);
  else showForecast(view, flags);
}

async function look(config: Config, site: SiteConfig, signal: AbortSignal): Promise<RetentionView> {
  const [own, ...moved] = relatedSites(config, site);
  await using stores = new AsyncDisposableStack();
  const catalog = await openCatalog(own, stores);
  const listing = await catalog.basebackups(signal);
  const elsewhere = [];
  for (const each of moved) elsewhere.push(...(await (await openCatalog(each, stores)).basebackups(signal)).entries);
  const rules = retentionRulesOf(site);
  const now = systemClock.now();
  const plan = await planRetention({ listing, elsewhere, rules, now }, { catalog, signal });
  const schedule = scheduleOf(site);
  const taken = [...elsewhere, ...listing.entries].toSorted((a, b) => a.startTime.getTime() - b.startTime.getTime());
  const starts = comingBasebackups(backupViews(taken, schedule), schedule, now);
  return { site, store: catalog.store.name, listing, rules, now, plan, starts };
}

function showForecast(view: RetentionView, { dryRun = false, json }: Flags): void {
  const { plan, rules, now, starts } = view;
  const ahead = forecast(plan, { rules, now, until: new Date(now.getTime() + horizonDays * dayMs), starts });
  const described = describeForecast(view, ahead, { onlyGoing: dryRun });
  console.log(json ? formatJson(described).trimEnd() : forecastText(described));
}

function showSimulation(view: RetentionView, days: number, json: boolean | undefined): void {
  const { plan, rules, now, starts } = view;
  const passes = simulate({ backups: plan.backups, rules, now, until: new Date(now.getTime() + days * dayMs), starts });
  const described = describePasses(view, passes);
  console.log(json ? formatJson(described).trimEnd() : passesText(described));
}

async function openCatalog({ object_storage, prefix }: SiteConfig, stores: AsyncDisposableStack): Promise<Catalog> {
  const store = await openStore(object_storage);
  stores.defer(() => store.close());
  return new Catalog(store, new SiteKeys(prefix));
}

function parseDays(text: string): number {
  const days = Number(text);
  if (/^\d{1,4}(\.\d+)?$/.test(text) && days > 0 && days <= 3660) return days;
  throw new InvalidArgumentError('It must be a number of days above 0, at most 3660.');
}
