import { readFile } from 'node:fs/promises';
import { OperatorError, systemErrorCode } from '../lib/errors.ts';
import { checkConfigText } from './check.ts';
import type { Config, DaemonConfig, SiteConfig } from './config.ts';
import { findUnusableFiles } from './referenced-files.ts';

export type { Config, DaemonConfig, SiteConfig } from './config.ts';

export interface LoadOptions {
  /** Also requires what only the daemon needs, such as `backup_location`, and `pg_data_directory` and `nodes` of active sites. */
  readonly forDaemon?: boolean;
  /** Of which sites a file that their store needs and that cannot be used is a warning only. Without `forDaemon` it always is. */
  readonly storeMayBeUnusable?: (site: SiteConfig) => boolean;
}

type DaemonLoadOptions = Omit<LoadOptions, 'forDaemon'> & { readonly forDaemon: true };

/**
 * Reads, checks and completes a configuration file. Rejects with `config-missing`, `config-unreadable`, or a {@link ConfigError}
 * (`config-invalid`) that has every problem of the file. Asks no server and does not look into data directories.
 */
export function loadConfig(path: string, options: DaemonLoadOptions): Promise<DaemonConfig>;
export function loadConfig(path: string, options?: LoadOptions): Promise<Config>;
export async function loadConfig(
  path: string,
  // Tools may run where not every site's files are; the store itself will complain.
  { forDaemon = false, storeMayBeUnusable = () => !forDaemon }: LoadOptions = {},
): Promise<Config> {
  const check = checkConfigText(path, await readConfigFile(path), forDaemon);
  for (const site of Object.values(check.sites)) {
    const verdict = storeMayBeUnusable(site) ? check.warning : check.problem;
    for (const { key, why } of await findUnusableFiles(site)) verdict(['backup_sites', site.name, 'object_storage', key], why);
  }
  return check.result();
}

/** The named site, or the only one. Throws `site-unknown`, `site-not-given` or `site-missing`. */
export function selectSite(config: Config, name?: string): SiteConfig {
  const names = Object.keys(config.backup_sites);
  const list = names.map((each) => JSON.stringify(each)).join(', ');
  if (names.length === 0) throw new OperatorError('site-missing', `no backup sites defined in configuration file ${config.file}`);
  if (name === undefined && names.length > 1) {
    throw new OperatorError('site-not-given', `backup site not set and configuration file defines ${names.length} sites`, {
      hint: `Choose one with --site: ${list}.`,
    });
  }
  const chosen = name ?? names[0] ?? '';
  const site = Object.hasOwn(config.backup_sites, chosen) ? config.backup_sites[chosen] : undefined;
  if (site === undefined) {
    throw new OperatorError('site-unknown', `site ${JSON.stringify(chosen)} not defined in configuration file ${config.file}`, {
      hint: `Defined: ${list}.`,
    });
  }
  return site;
}

async function readConfigFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') throw new OperatorError('config-missing', `configuration file ${path} does not exist`);
    throw new OperatorError('config-unreadable', `configuration file ${path} cannot be read`, { cause: error });
  }
}
