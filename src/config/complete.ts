import { join, resolve } from 'node:path';
import type { AlertOptions } from '../daemon/alerts/options.ts';
import type { StorageOptions } from '../storage/options.ts';
import type { Config, SiteConfig } from './config.ts';
import type { GlobalOptions, SiteOptions } from './schema.ts';

/** Where backups of a site without `object_storage` go, in `backup_location`. */
const defaultStoreName = 'object_storage';
/** How many base backups are kept where nothing says. */
const countDefault = 2;

/** Fills in defaults that depend on other keys, and takes relative paths from the working directory. */
export function completeConfig(file: string, options: GlobalOptions, sites: ReadonlyMap<string, SiteOptions>): Config {
  const { $schema: _schema, ...rest } = options;
  const backupLocation = absolute(options.backup_location);
  const entries = [...sites].map(([name, site]): [string, SiteConfig] => [name, completeSite(name, site, options, backupLocation)]);
  return {
    ...rest,
    file,
    backup_location: backupLocation,
    backup_sites: Object.fromEntries(entries),
    alerts: completeAlerts(options.alerts),
    alert_file_dir: resolve(options.alert_file_dir ?? backupLocation ?? '.'),
    json_state_file_path: resolve(options.json_state_file_path),
    maintenance_mode_file: resolve(options.maintenance_mode_file),
    pg_basebackup_path: program(options.pg_basebackup_path),
    pg_receivexlog_path: program(options.pg_receivexlog_path),
    warnings: [],
  };
}

function completeSite(name: string, site: SiteOptions, options: GlobalOptions, backupLocation: string | null): SiteConfig {
  const prefix = site.prefix ?? (options.path_prefix ? `${options.path_prefix}/${name}` : name);
  return {
    ...site,
    name,
    alerts: site.alerts && completeAlerts(site.alerts),
    prefix: normalisePrefix(prefix),
    object_storage: completeStorage(site.object_storage ?? defaultStorage(backupLocation), prefix.startsWith('/')),
    basebackup_count: site.basebackup_count === undefined ? defaultCount(site) : site.basebackup_count,
    basebackup_minute: site.basebackup_hour === null ? null : (site.basebackup_minute ?? 0),
    pg_data_directory: absolute(site.pg_data_directory),
    pg_bin_directory: absolute(site.pg_bin_directory),
    pg_basebackup_path: program(site.pg_basebackup_path),
    pg_receivexlog_path: program(site.pg_receivexlog_path),
  };
}

function completeAlerts({ webhook, ...rest }: AlertOptions): AlertOptions {
  return { ...rest, webhook: webhook && { ...webhook, secret_file: absolute(webhook.secret_file), ca_file: absolute(webhook.ca_file) } };
}

/** Where something else says what is kept, a default nobody wrote must not be what deletes. */
function defaultCount({ recovery_window_days: windowDays, keep }: SiteOptions): number | null {
  return windowDays === null && keep === null ? countDefault : null;
}

function defaultStorage(backupLocation: string | null): StorageOptions {
  return {
    storage_type: 'local',
    directory: join(backupLocation ?? '.', defaultStoreName),
    prefix: null,
    statsd_info: null,
    notifier: null,
  };
}

function completeStorage(storage: StorageOptions, isSiteAbsolute: boolean): StorageOptions {
  switch (storage.storage_type) {
    case 'local':
      return { ...storage, directory: resolve(storage.directory) };
    case 's3':
      return { ...storage, cert_path: absolute(storage.cert_path) };
    case 'google':
      return {
        ...storage,
        prefix: wholePrefix(storage.prefix ?? '', isSiteAbsolute),
        credential_file: absolute(storage.credential_file),
        cert_path: absolute(storage.cert_path),
      };
    case 'sftp':
      return { ...storage, private_key: absolute(storage.private_key), known_hosts: absolute(storage.known_hosts) };
    case 'swift':
      return {
        ...storage,
        prefix: wholePrefix((storage.prefix ?? '').replace(/^\/+/, ''), isSiteAbsolute),
        cert_path: absolute(storage.cert_path),
      };
    case 'azure':
      return storage;
  }
}

/**
 * What stands before every key on Google and Swift, to the letter. There the original put the site's prefix behind the store's as it was:
 * of one that begins with a slash, the slash is part of the keys.
 */
function wholePrefix(prefix: string, isSiteAbsolute: boolean): string {
  const storePrefix = prefix === '' ? '' : `${prefix.replace(/\/+$/, '')}/`;
  return isSiteAbsolute ? `${storePrefix}/` : storePrefix;
}

/** Keys have no leading and no doubled slashes. */
function normalisePrefix(prefix: string): string {
  return prefix
    .split('/')
    .filter((part) => part !== '')
    .join('/');
}

function absolute(path: string | null): string | null {
  return path === null ? null : resolve(path);
}

/** A bare name is looked for in PATH. */
function program(path: string | null): string | null {
  return path?.includes('/') ? resolve(path) : path;
}
