import type { Alert } from './alert.ts';

/** Of the JSON that webhooks and commands get. A new field does not change it; another meaning of one does. */
export const eventSchemaVersion = 1;

export type AlertEventKind = 'alert.raised' | 'alert.reminder' | 'alert.cleared';
export type BasebackupEventKind = 'basebackup.completed' | 'basebackup.failed';

/** What is told of a base backup. */
export interface BasebackupReport {
  /** Null: it failed before it had one. */
  readonly name: string | null;
  readonly reason: string;
  readonly started: string;
  /** Failures in a row, this one included. */
  readonly failures: number;
  /** Why it failed; null where it did not. */
  readonly because: string | null;
}

interface AboutEvent {
  readonly schema_version: number;
  /** The same each time that it is delivered. */
  readonly id: string;
  readonly at: string;
  readonly host: string;
  readonly pghoard_version: string;
  /** Null: the daemon as a whole. */
  readonly site: string | null;
  readonly severity: 'critical' | 'warning' | 'info';
  /** One line for a person. */
  readonly summary: string;
}

/** What is told to webhooks and commands, as they get it. */
export type AlertEvent =
  | (AboutEvent & { readonly event: AlertEventKind; readonly alert: AlertReport; readonly basebackup: null })
  | (AboutEvent & { readonly event: BasebackupEventKind; readonly alert: null; readonly basebackup: BasebackupReport });

export interface AlertReport {
  readonly name: string;
  readonly since: string;
  readonly because: string;
  readonly hint: string;
  /** How often it came in the last hour: more than once where it comes and goes. */
  readonly times: number;
}

/** Who tells, and when. */
export interface Teller {
  readonly id: string;
  readonly at: Date;
  readonly host: string;
  readonly version: string;
}

const textMax = 4_000;

export function alertEvent(kind: AlertEventKind, { name, site, severity, since, because, hint, times }: Alert, teller: Teller): AlertEvent {
  const report = { name, since: since.toISOString(), because: clean(because), hint, times };
  return {
    ...aboutEvent(teller, site),
    event: kind,
    severity,
    summary: summaryOf(site, kind === 'alert.cleared' ? `${name} is over` : `${name}: ${firstLine(because)}`),
    alert: report,
    basebackup: null,
  };
}

export function basebackupEvent(site: string, report: BasebackupReport, teller: Teller): AlertEvent {
  const failed = report.because !== null;
  const words = failed ? `base backup failed: ${firstLine(report.because)}` : `base backup ${report.name ?? ''} is complete`;
  return {
    ...aboutEvent(teller, site),
    event: failed ? 'basebackup.failed' : 'basebackup.completed',
    severity: failed ? 'warning' : 'info',
    summary: summaryOf(site, words),
    alert: null,
    basebackup: { ...report, because: failed ? clean(report.because) : null },
  };
}

/** Two events with the same subject tell of the same thing, the later one as it is now. */
export function subjectOf({ event, site, alert, basebackup }: AlertEvent): string {
  return JSON.stringify(alert ? ['alert', site, alert.name] : [event, site, basebackup.started]);
}

/** For a command that does not want to read JSON. */
export function environmentOf({ id, event, at, host, site, severity, summary, alert, basebackup }: AlertEvent): Record<string, string> {
  return {
    PGHOARD_EVENT: event,
    PGHOARD_EVENT_ID: id,
    PGHOARD_AT: at,
    PGHOARD_HOST: host,
    PGHOARD_SITE: site ?? '',
    PGHOARD_SEVERITY: severity,
    PGHOARD_SUMMARY: summary,
    PGHOARD_ALERT: alert?.name ?? '',
    PGHOARD_SINCE: alert?.since ?? basebackup?.started ?? '',
    PGHOARD_BECAUSE: alert?.because ?? basebackup?.because ?? '',
    PGHOARD_HINT: alert?.hint ?? '',
    PGHOARD_BASEBACKUP: basebackup?.name ?? '',
  };
}

function aboutEvent({ id, at, host, version }: Teller, site: string | null): Omit<AboutEvent, 'severity' | 'summary'> {
  return { schema_version: eventSchemaVersion, id, at: at.toISOString(), host, pghoard_version: version, site };
}

function summaryOf(site: string | null, words: string): string {
  return clean(`pghoard${site === null ? '' : `, site ${site}`}: ${words}`);
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

/** No environment can hold a zero byte, and messages of servers may be of any length. */
function clean(text: string): string {
  return text.replaceAll('\0', '').slice(0, textMax);
}
