import type { Config } from '../../config/load.ts';
import { type CheckDeps, checkMsMax, type DaemonReply } from './deps.ts';
import { about, type Finding, failed, failure, note, ok, warning } from './finding.ts';
import { within } from './within.ts';

/** What `/status` tells of a site, as far as it is looked at here. */
export interface SiteState {
  readonly lease: { readonly held: boolean; readonly because: string } | undefined;
  readonly because: string;
  readonly holes: readonly { readonly status: string; readonly because: string }[];
}

export interface DaemonState {
  readonly version: string;
  readonly alerts: readonly { readonly name: string; readonly site: string | null; readonly because: string }[];
  readonly sites: ReadonlyMap<string, SiteState>;
}

const holesShownMax = 3;

/** Whether the daemon of this configuration runs, and what it says. `sites`: those that are looked at. */
export async function checkDaemon(config: Config, sites: readonly string[], { askDaemon, version, signal }: CheckDeps): Promise<Finding[]> {
  const where = `${config.http_address}:${config.http_port}`;
  const isNeeded = sites.some((name) => config.backup_sites[name]?.active === true);
  if (config.http_port === 0)
    return [note('running', 'http_port is 0: where the daemon listens stands in its log only, so it cannot be asked')];
  let reply: DaemonReply;
  try {
    reply = await within(checkMsMax, signal, askDaemon);
  } catch (error) {
    signal.throwIfAborted();
    return [judgeNoAnswer(where, isNeeded, config.file, failed('', error).because)];
  }
  const state = judgeReply(reply, where);
  if ('remedy' in state) return [state];
  return judgeState(state, { version, where, sites });
}

function judgeNoAnswer(where: string, isNeeded: boolean, file: string, why: string): Finding {
  const text = `no daemon answers at ${where}: ${why}`;
  const start = ['systemctl start pghoard', `or: pghoard --config ${file}`];
  return isNeeded ? failure('running', text, ...start) : note('running', text, ...start);
}

/** The state, or what is wrong with the answer. */
export function judgeReply({ status, server, text }: DaemonReply, where: string): DaemonState | Finding {
  if (!server.startsWith('pghoard/')) return failure('running', `what answers at ${where} is not pghoard`, 'choose another http_port');
  if (status === 401) {
    return failure(
      'running',
      `the daemon at ${where} wants other credentials than this configuration has: it runs with another one`,
      'restart the daemon: webserver_username and webserver_password take effect then',
    );
  }
  const state = status === 200 ? parseState(text) : undefined;
  return (
    state ?? failure('running', `the daemon at ${where} does not tell its state (HTTP status ${status})`, 'the log of the daemon tells why')
  );
}

export function judgeState(
  state: DaemonState,
  expected: { readonly version: string; readonly where: string; readonly sites: readonly string[] },
): Finding[] {
  const { version, where, sites } = expected;
  const running =
    state.version === version
      ? ok('running', `pghoard ${version} answers at ${where}`)
      : warning('running', `pghoard ${state.version} answers at ${where}, but this is ${version}`, 'systemctl restart pghoard');
  const alerts = state.alerts.filter(({ site }) => site === null || sites.includes(site)).map(judgeAlert);
  return [
    running,
    ...(alerts.length > 0 ? alerts : [ok('alerts', 'no alert is active')]),
    ...sites.flatMap((site) => judgeSite(site, state.sites.get(site))),
  ];
}

function judgeAlert({ name, site, because }: DaemonState['alerts'][number]): Finding {
  const finding = failure('alerts', `${name}: ${because}`, `docs/alerts.md, "${name}"`);
  return site === null ? finding : about(`site ${site}`, finding);
}

function judgeSite(name: string, site: SiteState | undefined): Finding[] {
  const here = (finding: Finding) => about(`site ${name}`, finding);
  if (site === undefined)
    return [
      here(
        failure(
          'site',
          'the daemon does not know this site: it runs with another configuration',
          'kill -HUP of the daemon has it read the configuration again',
        ),
      ),
    ];
  return [
    ...(site.lease === undefined ? [] : [here(judgeLease(site.lease))]),
    ...judgeHoles(site.holes).map(here),
    here(ok('site', site.because)),
  ];
}

function judgeLease({ held, because }: NonNullable<SiteState['lease']>): Finding {
  return held ? ok('lease', 'this daemon works on the site') : note('lease', `another daemon works on the site, or may: ${because}`);
}

/** Those that a newer base backup is behind of do no harm to it. */
function judgeHoles(holes: SiteState['holes']): Finding[] {
  const open = holes.filter(({ status }) => status !== 'past');
  if (open.length === 0)
    return [ok('holes', holes.length === 0 ? 'no WAL is missing in the archive' : 'WAL is missing only for older base backups')];
  return open
    .slice(0, holesShownMax)
    .map(({ because }) => failure('holes', because, 'docs/guide.md, "Holes": the daemon mends it, or takes a base backup'));
}

/** Undefined for what is no state of ours. */
function parseState(text: string): DaemonState | undefined {
  const state = objectOf(parsed(text));
  const ours = objectOf(state['pghoard']);
  if (typeof ours['version'] !== 'string') return undefined;
  const alerts = listOf(ours['alerts']).map((alert) => ({
    name: textOf(alert['name']),
    site: alert['site'] === null ? null : textOf(alert['site']),
    because: textOf(alert['because']),
  }));
  const sites = Object.entries(objectOf(ours['sites'])).map(([name, site]): [string, SiteState] => [name, parseSite(objectOf(site))]);
  return { version: ours['version'], alerts, sites: new Map(sites) };
}

function parseSite(site: Record<string, unknown>): SiteState {
  const lease = objectOf(site['lease']);
  const holes = listOf(objectOf(site['wal'])['holes']);
  return {
    lease: typeof lease['held'] === 'boolean' ? { held: lease['held'], because: textOf(lease['because']) } : undefined,
    because: textOf(site['because']),
    holes: holes.map((hole) => ({ status: textOf(hole['status']), because: textOf(hole['because']) })),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
