import type { StorageOptions } from '../storage/options.ts';
import type { GlobalOptions, SiteOptions } from './schema.ts';

/** A site with all defaults filled in and all paths absolute. */
export type SiteConfig = Readonly<Omit<SiteOptions, 'prefix' | 'object_storage' | 'basebackup_count'>> & {
  readonly name: string;
  /** Null: any number. */
  readonly basebackup_count: number | null;
  /** What the keys of its objects begin with; no slash at either end. May be empty. */
  readonly prefix: string;
  readonly object_storage: StorageOptions;
};

/** A configuration file with all defaults filled in and all paths absolute. */
export type Config = Readonly<Omit<GlobalOptions, '$schema' | 'backup_sites' | 'alert_file_dir'>> & {
  /** The file it was read from. */
  readonly file: string;
  readonly backup_sites: Readonly<Record<string, SiteConfig>>;
  readonly alert_file_dir: string;
  /** What an operator should know or change, though it works: deprecated and useless keys, surprising defaults. */
  readonly warnings: readonly string[];
};

/** What a daemon can rely on beside that. */
export type DaemonConfig = Config & { readonly backup_location: string };
