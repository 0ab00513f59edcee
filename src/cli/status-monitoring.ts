import type { HealthDocument } from '../daemon/health/health-document.ts';
import { durationInWords } from '../lib/time-in-words.ts';
import { type SiteStatus, type StatusReport, worstOf } from './status-report.ts';

export interface PluginResult {
  readonly line: string;
  readonly exitCode: number;
}

const states = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const;
type PluginState = (typeof states)[number];

const stateOf: Readonly<Record<SiteStatus['verdict']['is'], PluginState>> = {
  ok: 'OK',
  inactive: 'OK',
  attention: 'WARNING',
  failure: 'CRITICAL',
  unknown: 'UNKNOWN',
};

/** One line with numbers behind `|`, and an exit code, as plugins of Nagios and its kin give. A daemon that does not run backs nothing up. */
export function pluginResult({ daemon, sites }: StatusReport): PluginResult {
  const worst = worstOf(sites);
  if (!daemon.answers && worst !== 'inactive') return result('CRITICAL', `no daemon answers: ${daemon.because}`, []);
  const texts = sites.map(({ site, verdict, health }) => `${site}: ${verdict.because[0] ?? reach(health)}`);
  return result(stateOf[worst], texts.join('; '), sites.flatMap(numbersOf));
}

/** What went wrong before anything could be asked. */
export function pluginFailure(because: string): PluginResult {
  return result('UNKNOWN', because, []);
}

function result(state: PluginState, text: string, numbers: readonly string[]): PluginResult {
  const told = `PGHOARD ${state} - ${text.replaceAll(/[|\r\n]+/g, ' ')}`;
  return { line: numbers.length === 0 ? told : `${told} | ${numbers.join(' ')}`, exitCode: states.indexOf(state) };
}

function reach(health: HealthDocument | undefined): string {
  const age = health?.restorable.until_seconds_ago;
  return age === undefined || age === null ? 'restorable' : `restorable to ${durationInWords(age)} ago`;
}

/** What is not known is left out. */
function numbersOf({ site, health }: SiteStatus): string[] {
  if (health === undefined) return [];
  const { restorable, wal_lag: lag, basebackups, spool } = health;
  const numbers: readonly (readonly [name: string, value: number | null | undefined, unit: string])[] = [
    ['restorable_age', restorable.until_seconds_ago, 's'],
    ['wal_lag', lag.seconds, 's'],
    ['wal_lag_bytes', lag.bytes, 'B'],
    ['basebackups', basebackups.count, ''],
    ['basebackup_age', basebackups.newest?.seconds_ago, 's'],
    ['spool', spool.bytes, 'B'],
  ];
  return numbers.flatMap(([name, value, unit]) =>
    value === null || value === undefined ? [] : [`'${site.replaceAll(/['=\s]/g, '_')}_${name}'=${value}${unit}`],
  );
}
