import { relative } from 'node:path';
import { lzmaExtremeBit } from '../codec/options.ts';
import { didYouMean } from '../lib/did-you-mean.ts';
import type { StorageOptions } from '../storage/options.ts';
import type { Config, SiteConfig } from './config.ts';
import { isSiteName, type SiteInFile, type Verdicts } from './site-rules.ts';

/** What lies directly under the prefix of a site, in the store or in the spool. */
const reservedNames =
  'xlog xlog_incoming xlog_index xlog_partial xlog_prefetch xlog_rollup timeline preservation_request site_identity site_lease check_scratch basebackup basebackup_incoming basebackup_chunk basebackup_delta basebackup_delta_chunk'.split(
    ' ',
  );

export interface WholeFile {
  readonly config: Config;
  /** Global keys whose value has been refused; `config` has their defaults. */
  readonly badKeys: ReadonlySet<string>;
  readonly sites: readonly SiteInFile[];
  readonly forDaemon: boolean;
}

/** Rules between global keys, and between sites. Those that depend on bad values are not asked. */
export function checkFile({ config, badKeys, sites, forDaemon }: WholeFile, verdicts: Verdicts): void {
  checkGlobals(config, badKeys, verdicts);
  if (forDaemon) checkNeededByDaemon(config, badKeys, verdicts);
  for (const { name, bad } of sites) {
    const site = config.backup_sites[name];
    if (site && !bad.has('moved_from')) checkMovedFrom(site, config, verdicts);
  }
  if (badKeys.has('path_prefix') || badKeys.has('backup_location')) return;
  const placed = sites.filter(({ name, bad }) => isSiteName(name) && !['active', 'prefix', 'object_storage'].some((key) => bad.has(key)));
  checkPlaces(config, placed, verdicts);
}

/** Nothing may lie where something else does. */
function checkPlaces(config: Config, placed: readonly SiteInFile[], verdicts: Verdicts): void {
  const sites = placed.flatMap(({ name }) => config.backup_sites[name] ?? []);
  for (const { name, options } of placed) if (options.object_storage === null) checkDefaultStore(name, config, verdicts);
  for (const site of sites) if (config.backup_location !== null) checkLocalStore(site, config.backup_location, sites, verdicts);
  const active = sites.filter((site) => site.active);
  for (const [index, site] of active.entries()) {
    for (const earlier of active.slice(0, index)) checkPrefixes(site, earlier, verdicts);
  }
}

function checkGlobals(config: Config, badKeys: ReadonlySet<string>, { problem }: Verdicts): void {
  const { webserver_username: user, webserver_password: password, compression } = config;
  if (!badKeys.has('webserver_username') && !badKeys.has('webserver_password')) {
    if (user !== null && password === null) problem(['webserver_username'], 'needs webserver_password');
    if (user === null && password !== null) problem(['webserver_password'], 'needs webserver_username');
  }
  const level = compression.level & ~lzmaExtremeBit;
  if (compression.algorithm === 'lzma' && level > 9)
    problem(['compression', 'level'], `is ${compression.level}, but lzma has levels 0 to 9`);
  if (compression.algorithm === 'zstd' && compression.level > 22) {
    problem(['compression', 'level'], `is ${compression.level}, but zstd has levels 0 (meaning 3) to 22`);
  }
  if (config.json_state_file_path === config.maintenance_mode_file) {
    problem(['maintenance_mode_file'], 'is the same file as json_state_file_path: writing the state would switch maintenance mode on');
  }
}

function checkNeededByDaemon(config: Config, badKeys: ReadonlySet<string>, { problem, warning }: Verdicts): void {
  if (config.backup_location === null && !badKeys.has('backup_location'))
    problem(['backup_location'], 'is missing; objects wait there for their upload');
  if (Object.keys(config.backup_sites).length === 0 && !badKeys.has('backup_sites')) {
    warning(['backup_sites'], 'names no site: there is nothing to back up');
  }
}

function checkDefaultStore(name: string, config: Config, { problem, warning }: Verdicts): void {
  const path = ['backup_sites', name, 'object_storage'];
  const storage = config.backup_sites[name]?.object_storage;
  if (config.backup_location === null) problem(path, 'is missing, and so is backup_location');
  else if (storage?.storage_type === 'local') {
    warning(path, `is missing: backups are kept in ${storage.directory}, on the same disk as what waits for its upload`);
  }
}

function checkMovedFrom(site: SiteConfig, config: Config, { problem }: Verdicts): void {
  for (const [index, name] of site.moved_from.entries()) {
    const path = ['backup_sites', site.name, 'moved_from', index];
    if (name === site.name) problem(path, 'a site cannot have moved from itself');
    else if (!Object.hasOwn(config.backup_sites, name)) {
      problem(path, `there is no site "${name}"${didYouMean(name, Object.keys(config.backup_sites))}`);
    }
  }
}

/** Spool files are deleted once they are uploaded; in the same place that would be the stored object. */
function checkLocalStore(site: SiteConfig, backupLocation: string, sites: readonly SiteConfig[], { problem }: Verdicts): void {
  const { object_storage: storage } = site;
  if (storage.storage_type !== 'local') return;
  const path = ['backup_sites', site.name, 'object_storage', 'directory'];
  const store = joinParts(storage.directory, storage.prefix ?? '');
  if (store === backupLocation) {
    problem(path, 'is the same directory as backup_location, where objects only wait for their upload');
    return;
  }
  const objects = joinParts(store, site.prefix);
  const clash = sites.find((other) => {
    const spool = joinParts(backupLocation, other.prefix);
    return isWithin(objects, spool) || (isWithin(spool, objects) && other.prefix !== '');
  });
  if (clash) problem(path, `lies where objects of site "${clash.name}" wait for their upload (${joinParts(backupLocation, clash.prefix)})`);
}

function checkPrefixes(site: SiteConfig, earlier: SiteConfig, { problem }: Verdicts): void {
  const path = ['backup_sites', site.name, 'prefix'];
  if (site.prefix === earlier.prefix) {
    problem(path, `is "${site.prefix}", the same as that of site "${earlier.name}": their backups would be mixed up`);
    return;
  }
  if (isReservedBelow(site.prefix, earlier.prefix) || isReservedBelow(earlier.prefix, site.prefix)) {
    problem(path, `"${site.prefix}" and "${earlier.prefix}" of site "${earlier.name}" lie within each other`);
    return;
  }
  const [here, there] = [rootOf(site), rootOf(earlier)];
  if (here === there)
    problem(path, `leads to the same place in the same store as that of site "${earlier.name}": their backups would be mixed up`);
}

function isReservedBelow(inner: string, outer: string): boolean {
  const [first = ''] = outer === '' ? inner.split('/') : inner.startsWith(`${outer}/`) ? inner.slice(outer.length + 1).split('/') : [];
  return reservedNames.includes(first);
}

/** Names the place where the objects of a site lie, the same for the same place. */
function rootOf({ object_storage: storage, prefix }: SiteConfig): string {
  return `${storage.storage_type} ${identityOf(storage)} ${joinParts('', storage.prefix ?? '', prefix)}`;
}

function identityOf(storage: StorageOptions): string {
  switch (storage.storage_type) {
    case 'local':
      return storage.directory;
    case 's3':
      return `${storage.host ?? ''}:${storage.port ?? ''} ${storage.bucket_name}`;
    case 'google':
      return storage.bucket_name;
    case 'azure':
      return `${storage.host ?? ''}:${storage.port ?? ''} ${storage.account_name} ${storage.bucket_name}`;
    case 'swift':
      return `${storage.auth_url} ${storage.tenant_name ?? storage.project_id ?? storage.project_name ?? ''} ${storage.container_name}`;
    case 'sftp':
      return `${storage.server}:${storage.port} ${storage.username}`;
  }
}

function isWithin(inner: string, outer: string): boolean {
  const way = relative(outer, inner);
  return way === '' || !(way === '..' || way.startsWith('../'));
}

/** With one slash between parts. */
function joinParts(first: string, ...parts: readonly string[]): string {
  return [first.replace(/\/+$/, ''), ...parts.flatMap((part) => part.split('/')).filter((part) => part !== '')].join('/');
}
