import type { SiteConfig } from '../config/load.ts';
import type { RetentionRules } from '../retention/decide.ts';

export type RetentionSettings = Pick<
  SiteConfig,
  | 'basebackup_age_days_max'
  | 'basebackup_count'
  | 'basebackup_count_min'
  | 'basebackup_interval_hours'
  | 'basebackup_time_zone'
  | 'keep'
  | 'recovery_window_days'
>;

/** Which base backups of a site stay, as its configuration says. */
export function retentionRulesOf(site: RetentionSettings): RetentionRules {
  return {
    countMax: site.basebackup_count ?? undefined,
    ageDaysMax: site.basebackup_age_days_max ?? undefined,
    countMin: site.basebackup_count_min,
    intervalHours: site.basebackup_interval_hours ?? 0,
    windowDays: site.recovery_window_days ?? undefined,
    keep: site.keep ?? undefined,
    timeZone: site.basebackup_time_zone,
  };
}
