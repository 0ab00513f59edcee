import { readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import type { Config, SiteConfig } from '../../config/load.ts';
import type { ConfigProblem } from '../../config/problem.ts';
import { lockName } from '../backup-location.ts';
import { checkConfiguration } from './configuration.ts';
import { checkDaemon } from './daemon-state.ts';
import { type CheckDeps, sectionMsMax } from './deps.ts';
import { checkArchiveProgram, checkDirectories } from './directories.ts';
import { checkDisks } from './disk.ts';
import { userName } from './file-access.ts';
import { type Finding, failed, type Section } from './finding.ts';
import { checkKeys } from './keys.ts';
import { parseArchiveCommand } from './postgres/archive-command.ts';
import { checkServers, type SeenServers, seenClusters } from './postgres/check-postgres.ts';
import { lookAtDataDirectory } from './postgres/local-cluster.ts';
import { checkBackups } from './store/check-backups.ts';
import { checkStore } from './store/check-store.ts';
import { checkSystemd } from './systemd.ts';
import { within } from './within.ts';

export interface CheckRequest {
  /** Those to be looked at. */
  readonly sites: readonly SiteConfig[];
  /** What the daemon would refuse in a configuration that tools can use. */
  readonly problems: readonly ConfigProblem[];
}

/** Looks at everything, one thing after the other, and changes nothing but under a prefix of its own in the stores. Rejects only if it is interrupted. */
export async function* checkEverything({ sites, problems }: CheckRequest, deps: CheckDeps): AsyncGenerator<Section> {
  const { config, signal } = deps;
  const owner = await ownerOfData(sites);
  yield { subject: 'configuration', findings: await attempt('settings', signal, () => checkConfiguration(config, problems)) };
  yield {
    subject: 'directories',
    findings: await attempt('directory', signal, async () => checkDirectories(config, await uidOfDaemon(config, owner))),
  };
  for (const site of sites) yield* checkSite(site, owner, deps);
  const names = sites.map(({ name }) => name);
  yield { subject: 'daemon', findings: await attempt('running', signal, () => checkDaemon(config, names, deps)) };
  const unit = {
    configFile: config.file,
    program: join(dirname(deps.postgresCommand), 'pghoard'),
    user: await userName(owner ?? process.geteuid?.() ?? 0),
  };
  yield { subject: 'systemd', findings: await attempt('unit', signal, () => checkSystemd(unit, signal)) };
}

async function* checkSite(site: SiteConfig, owner: number | undefined, deps: CheckDeps): AsyncGenerator<Section> {
  const { config, clock, signal } = deps;
  const here = { site: site.name } as const;
  const seen: SeenServers = { local: await lookAtDataDirectory(site, signal), nodes: [] };
  for await (const { outcome, ...section } of checkServers(site, seen.local, deps)) {
    if (outcome !== undefined) seen.nodes.push(outcome);
    const program = await attempt('archive-program', signal, () => archiveProgram(site, outcome?.facts?.settings, owner));
    yield { ...section, findings: [...section.findings, ...program] };
  }
  yield* checkStored(site, seen, deps);
  const facts = seen.nodes.flatMap((node) => node.facts ?? []);
  const [segmentBytes] = facts.flatMap(({ settings }) => Number(settings.get('wal_segment_size') ?? []));
  const [databaseBytes] = facts.flatMap((each) => each.databaseBytes ?? []);
  const disks = () => checkDisks(site, config, { segmentBytes, databaseBytes }, clock.now());
  yield { ...here, subject: 'disk', findings: await attempt('room', signal, disks) };
}

/** The store, what lies in it, and whether that can be read. */
async function* checkStored(site: SiteConfig, seen: SeenServers, deps: CheckDeps): AsyncGenerator<Section> {
  const { config, signal } = deps;
  const here = { site: site.name } as const;
  await using stores = new AsyncDisposableStack();
  const { name, findings, catalog } = await checkStore(site, seenClusters(seen), deps, stores);
  yield { ...here, subject: 'store', about: name, findings };
  const lastArchived =
    site.active_backup_mode === 'archive_command' ? seen.nodes.flatMap(({ facts }) => facts?.archiver?.lastArchived ?? []) : [];
  const backups = catalog && (await checkBackups(site, catalog, lastArchived, deps));
  if (backups) yield { ...here, subject: 'backups', findings: backups.findings };
  const keys = () => checkKeys(site, backups?.listing?.entries, config.file);
  yield { ...here, subject: 'keys', findings: await attempt('encryption', signal, keys) };
}

/** Where PostgreSQL runs on this host, as the owner of its data directory. */
async function archiveProgram(
  site: SiteConfig,
  settings: ReadonlyMap<string, string> | undefined,
  owner: number | undefined,
): Promise<Finding[]> {
  const command = settings?.get('archive_command');
  if (command === undefined || owner === undefined || site.active_backup_mode !== 'archive_command') return [];
  return checkArchiveProgram(parseArchiveCommand(command), owner);
}

/** As whom PostgreSQL runs on this host, as far as its data directory can be looked at. */
async function ownerOfData(sites: readonly SiteConfig[]): Promise<number | undefined> {
  for (const { active, pg_data_directory: directory } of sites) {
    if (!active || directory === null) continue;
    const found = await stat(directory).catch(() => undefined);
    if (found) return found.uid;
  }
  return undefined;
}

/** Of the process that has `backup_location` now, where there is one on this host; else it should be the owner of the data directory. */
async function uidOfDaemon({ backup_location: location }: Config, owner: number | undefined): Promise<number | undefined> {
  const occupant = location === null ? '' : await readFile(join(location, lockName), 'utf8').catch(() => '');
  const [, pid, host] = /^process (\d+) on (\S+),/.exec(occupant) ?? [];
  const found = host === hostname() ? await stat(`/proc/${pid}`).catch(() => undefined) : undefined;
  return found?.uid ?? owner;
}

/** A check that fails in a way nobody thought of is a failure like others, and the rest goes on. */
async function attempt(id: string, signal: AbortSignal, check: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await within(sectionMsMax, signal, check);
  } catch (error) {
    signal.throwIfAborted();
    return [failed(id, error)];
  }
}
