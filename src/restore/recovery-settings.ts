import { formatLsn } from '../postgres/lsn.ts';
import type { RecoveryTarget } from './choose.ts';
import { commentOut, formatSetting, parseSettings } from './settings-text.ts';
import { formatTargetTime } from './target-time.ts';

export type TargetAction = 'pause' | 'promote' | 'shutdown';

/** What the restored cluster is to do when it is started. */
export interface RecoveryWishes {
  readonly target: RecoveryTarget;
  readonly targetAction: TargetAction;
  /** As PostgreSQL's setting takes it: `latest`, `current` (that of the base backup) or a number. */
  readonly timeline: string;
  /** Becomes a server of its own once it has recovered; otherwise it stays a standby. */
  readonly toPrimary: boolean;
  readonly primaryConninfo?: string | undefined;
  readonly recoveryEndCommand?: string | undefined;
  /** Of PostgreSQL 15 and later: whether it reads WAL ahead of what it replays. */
  readonly prefetch?: RecoveryPrefetch | undefined;
}

export type RecoveryPrefetch = 'try' | 'on' | 'off';

export interface RecoveryFiles {
  /** Relative to the data directory. */
  readonly settingsFile: 'postgresql.auto.conf' | 'recovery.conf';
  readonly settingsText: string;
  readonly signalFile?: 'recovery.signal' | 'standby.signal';
}

/** What is in the restored directory already. */
export interface ExistingSettings {
  readonly autoConf: string;
  readonly postgresqlConf: string;
}

type Setting = readonly [name: string, value: string];

/** PostgreSQL refuses to start where two of these are not empty, whichever file they stand in. */
const targetSettings = ['recovery_target', 'recovery_target_lsn', 'recovery_target_name', 'recovery_target_time', 'recovery_target_xid'];

/** What the source had of these belongs to another recovery or another role than this one; the values are what takes them back. */
const foreignSettings = new Map<string, string>([
  ['recovery_target_inclusive', 'on'],
  ['recovery_target_action', 'pause'],
  ['recovery_target_timeline', 'latest'],
  ['restore_command', ''],
  ['recovery_end_command', ''],
  ['archive_cleanup_command', ''],
  ['recovery_min_apply_delay', '0'],
  ['primary_conninfo', ''],
  ['primary_slot_name', ''],
  ['promote_trigger_file', ''],
]);

/** `version` as from parseVersionNumber: 90605, 150018. */
export function recoveryFiles(version: number, wishes: RecoveryWishes, command: string, existing: ExistingSettings): RecoveryFiles {
  if (version < 120_000) {
    return {
      settingsFile: 'recovery.conf',
      settingsText: lines([['standby_mode', wishes.toPrimary ? 'off' : 'on'], ...settingsFor(version, wishes, command)]),
    };
  }
  const settings = settingsFor(version, wishes, command);
  const settingsText = [withoutForeign(existing.autoConf), lines([...takingBack(version, settings, existing), ...settings])].join('');
  return { settingsFile: 'postgresql.auto.conf', settingsText, signalFile: wishes.toPrimary ? 'recovery.signal' : 'standby.signal' };
}

function settingsFor(version: number, wishes: RecoveryWishes, command: string): Setting[] {
  return [
    ...timelineSetting(version, wishes),
    ['restore_command', command],
    ...triggerFile(version, wishes),
    ...optional('primary_conninfo', wishes.primaryConninfo),
    ...optional('recovery_end_command', wishes.recoveryEndCommand),
    ...targetAction(version, wishes.targetAction),
    ...prefetching(version, wishes),
    ...targetSetting(wishes.target),
  ];
}

/** Before 12 there was no word for what was the default. */
function timelineSetting(version: number, { timeline }: RecoveryWishes): Setting[] {
  return version < 120_000 && timeline === 'current' ? [] : [['recovery_target_timeline', timeline]];
}

/** A file that promotes a standby when it appears; from 16 on only pg_promote() and pg_ctl do. */
function triggerFile(version: number, { toPrimary }: RecoveryWishes): Setting[] {
  if (toPrimary || version >= 160_000) return [];
  return [[version < 120_000 ? 'trigger_file' : 'promote_trigger_file', 'trigger_file']];
}

/** Before 9.5 there was only the choice to pause, and no way to say "shut down". */
function targetAction(version: number, action: TargetAction): Setting[] {
  if (version >= 90_500) return [['recovery_target_action', action]];
  return action === 'pause' ? [['pause_at_recovery_target', 'true']] : [];
}

/** With `immediate` PostgreSQL would ask for WAL beyond the target, which may not be kept. */
function prefetching(version: number, { prefetch, target }: RecoveryWishes): Setting[] {
  if (version < 150_000) return [];
  return optional('recovery_prefetch', prefetch ?? (target.kind === 'immediate' ? 'off' : undefined));
}

function targetSetting(target: RecoveryTarget): Setting[] {
  switch (target.kind) {
    case 'latest':
      return [];
    case 'immediate':
      return [['recovery_target', 'immediate']];
    case 'time':
      return [['recovery_target_time', formatTargetTime(target.time)], ...inclusion(target)];
    case 'xid':
      return [['recovery_target_xid', target.xid], ...inclusion(target)];
    case 'lsn':
      return [['recovery_target_lsn', formatLsn(target.lsn)], ...inclusion(target)];
    case 'name':
      return [['recovery_target_name', target.name]];
  }
}

function inclusion({ isExclusive = false }: { readonly isExclusive?: boolean }): Setting[] {
  return isExclusive ? [['recovery_target_inclusive', 'off']] : [];
}

function optional(name: string, value: string | undefined): Setting[] {
  return value === undefined || value === '' ? [] : [[name, value]];
}

/** Ahead of our own settings: PostgreSQL reads an empty target after one that is set as a contradiction. */
function takingBack(version: number, settings: readonly Setting[], existing: ExistingSettings): Setting[] {
  const ours = new Set(settings.map(([name]) => name));
  const theirs = parseSettings(existing.postgresqlConf);
  const foreign = [...foreignSettings].filter(([name]) => theirs.has(name) && (name !== 'promote_trigger_file' || version < 160_000));
  return [...targetSettings.map((name): Setting => [name, '']), ...foreign].filter(([name]) => !ours.has(name));
}

function withoutForeign(autoConf: string): string {
  const text = commentOut(autoConf, new Set([...targetSettings, ...foreignSettings.keys()]));
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

function lines(settings: readonly Setting[]): string {
  return ['# written by pghoard_restore', ...settings.map(([name, value]) => formatSetting(name, value)), ''].join('\n');
}
