import type { BasebackupListing } from '../catalog/catalog.ts';
import type { SiteConfig } from '../config/config.ts';
import type { RetentionRules } from '../retention/decide.ts';
import type { Forecast } from '../retention/forecast.ts';
import type { RetentionPlan } from '../retention/plan.ts';
import type { SimulatedPass } from '../retention/simulate.ts';

/** What is known of a site's retention at one moment. */
export interface RetentionView {
  readonly site: SiteConfig;
  readonly store: string;
  readonly listing: BasebackupListing;
  readonly rules: RetentionRules;
  readonly now: Date;
  readonly plan: RetentionPlan;
  /** When base backups begin from now on. */
  readonly starts: Iterable<Date>;
}

/** Something that is stored, in the shape of `--json`. */
export interface DescribedItem {
  readonly stays: boolean;
  readonly because: string;
  /** When it goes; null where it is not known, or not within the time looked at. */
  readonly goes: Date | null;
  readonly bytes: number;
}

export interface DescribedBackup extends DescribedItem {
  readonly name: string;
  readonly began: Date;
  readonly ended: Date | null;
  /** Which WAL stays for it: `onwards`, `its own` or `none`. */
  readonly wal: string;
  /** Why it cannot be restored. */
  readonly flaw: string | null;
  /** Why nobody can tell whether it can be restored. */
  readonly doubt: string | null;
}

export interface DescribedWal extends DescribedItem {
  readonly from: string;
  readonly to: string;
  readonly files: number;
}

export interface DescribedForecast {
  readonly site: string;
  readonly store: string;
  readonly now: Date;
  /** How far was looked ahead. */
  readonly until: Date;
  readonly policy: Readonly<Record<string, unknown>>;
  readonly basebackups: readonly DescribedBackup[];
  readonly wal: readonly DescribedWal[];
  readonly unreadable: readonly string[];
  /** Why the next pass deletes nothing, although something is to go. */
  readonly waits: string | null;
  /** What would have to be confirmed before the daemon deletes it. */
  readonly confirmation: { readonly digest: string; readonly because: string } | null;
}

export interface DescribedPass {
  readonly at: Date;
  readonly deletes: readonly { readonly name: string; readonly because: string }[];
  readonly kept: number;
}

export interface DescribedSimulation {
  readonly site: string;
  readonly now: Date;
  /** The moment of the last pass that was looked at. */
  readonly until: Date;
  readonly intervalHours: number;
  /** `03:30 Europe/Helsinki`; null where only the interval counts. */
  readonly timeOfDay: string | null;
  readonly passes: readonly DescribedPass[];
}

export function describeForecast(view: RetentionView, ahead: Forecast, { onlyGoing }: { readonly onlyGoing: boolean }): DescribedForecast {
  const { site, store, now, plan, listing } = view;
  const { confirmation, waitsFor } = plan;
  const isShown = ({ stays }: DescribedItem) => !onlyGoing || !stays;
  return {
    site: site.name,
    store,
    now,
    until: ahead.until,
    policy: policyOf(site),
    basebackups: backupsOf(view, ahead).filter(isShown),
    wal: plan.survey
      .map(({ stays, because, from, to, files, bytes }) => ({
        stays,
        because,
        from,
        to,
        files,
        bytes,
        goes: stays ? (ahead.goes.get(from) ?? null) : now,
      }))
      .filter(isShown),
    unreadable: listing.unreadable.map(({ key, why }) => `${key}: ${why}`),
    waits: waitsFor ?? null,
    confirmation: confirmation && site.retention_confirmation ? { digest: confirmation.digest, because: confirmation.because } : null,
  };
}

/** Only passes that delete something. */
export function describePasses({ site, now, rules }: RetentionView, passes: Iterable<SimulatedPass>): DescribedSimulation {
  const described: DescribedPass[] = [];
  let until = now;
  for (const { at, decision } of passes) {
    until = at;
    const deletes = decision.doomed.map(({ name, because }) => ({ name, because }));
    if (deletes.length > 0) described.push({ at, deletes, kept: decision.backups.length - deletes.length });
  }
  return { site: site.name, now, until, intervalHours: rules.intervalHours, timeOfDay: timeOfDayOf(site), passes: described };
}

function timeOfDayOf({ basebackup_hour: hour, basebackup_minute: minute, basebackup_time_zone: zone }: SiteConfig): string | null {
  const digits = (number: number) => String(number).padStart(2, '0');
  return hour === null ? null : `${digits(hour)}:${digits(minute ?? 0)} ${zone}`;
}

function backupsOf({ plan, listing, now }: RetentionView, ahead: Forecast): DescribedBackup[] {
  const verdicts = new Map(plan.decision.backups.map((verdict) => [verdict.name, verdict]));
  const backups = new Map(plan.backups.map((backup) => [backup.name, backup]));
  return listing.entries.flatMap((entry) => {
    const verdict = verdicts.get(entry.name);
    if (verdict === undefined) return [];
    const { name, stays, because, wal } = verdict;
    return [
      {
        name,
        stays,
        because,
        wal,
        goes: stays ? (ahead.goes.get(name) ?? null) : now,
        began: entry.startTime,
        ended: entry.endTime ?? null,
        bytes: entry.storedSize,
        flaw: backups.get(name)?.flaw ?? null,
        doubt: backups.get(name)?.doubt ?? null,
      },
    ];
  });
}

function policyOf({ basebackup_count, basebackup_count_min, basebackup_age_days_max, recovery_window_days, keep }: SiteConfig) {
  return { basebackup_count, basebackup_count_min, basebackup_age_days_max, recovery_window_days, keep };
}
