import type { SiteConfig } from '../config/load.ts';
import type { ProgramSearch } from '../postgres/programs.ts';
import { runsPgBasebackup } from './basebackup-mode.ts';

export type SiteProgram = 'pg_basebackup' | 'pg_receivewal';

type Paths = Pick<SiteConfig, 'pg_basebackup_path' | 'pg_receivexlog_path'>;

/** Those that the modes of a site run. */
export function programsOf({ active_backup_mode: wal, basebackup_mode: mode }: SiteConfig): readonly SiteProgram[] {
  return [...(runsPgBasebackup(mode) ? ['pg_basebackup' as const] : []), ...(wal === 'pg_receivexlog' ? ['pg_receivewal' as const] : [])];
}

/** Where the configuration says that one is. */
export function placeOf(program: SiteProgram, site: SiteConfig, globals: Paths): Omit<ProgramSearch, 'major'> {
  const key = program === 'pg_basebackup' ? 'pg_basebackup_path' : 'pg_receivexlog_path';
  return { sitePath: site[key] ?? undefined, globalPath: globals[key] ?? undefined, binDirectory: site.pg_bin_directory ?? undefined };
}
