import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../lib/log.ts';

/** The alert files that monitoring built for the original looks for, and ours: `cluster_mismatch`, `store_denied`, `store_empty`, `store_missing`, `two_primaries`, `wal_gap`, `wrong_server`. */
export const alertNames = [
  'authentication_error',
  'cluster_mismatch',
  'configuration_error',
  'store_denied',
  'store_empty',
  'store_missing',
  'two_primaries',
  'upload_retries_warning',
  'version_mismatch_error',
  'version_unsupported_error',
  'wal_gap',
  'wrong_server',
] as const;
export type AlertName = (typeof alertNames)[number];

/** Alert files: each holds the word `alert` as long as at least one site has the trouble, and goes away with its last cause. */
export class Alerts {
  readonly #directory: string;
  readonly #log: Log;
  readonly #causes = new Map<AlertName, Map<string, string>>();

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** What is wrong now: per alert and site, why. */
  get active(): readonly { name: AlertName; site: string; because: string }[] {
    return [...this.#causes].flatMap(([name, sites]) => [...sites].map(([site, because]) => ({ name, site, because })));
  }

  async raise(name: AlertName, site: string, because: string): Promise<void> {
    const sites = this.#causes.get(name) ?? new Map<string, string>();
    if (!sites.has(site)) this.#log.error({ alert: name, site }, because);
    this.#causes.set(name, sites.set(site, because));
    await mkdir(this.#directory, { recursive: true });
    await writeFile(join(this.#directory, name), 'alert');
  }

  /** Also removes what an earlier process left behind. */
  async clear(name: AlertName, site: string): Promise<void> {
    const sites = this.#causes.get(name);
    if (sites?.delete(site)) this.#log.info({ alert: name, site }, 'the cause of an alert is gone');
    if (sites !== undefined && sites.size > 0) return;
    this.#causes.delete(name);
    await rm(join(this.#directory, name), { force: true });
  }
}
