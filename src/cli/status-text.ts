import { styleText } from 'node:util';
import type { HealthDocument } from '../daemon/health/health-document.ts';
import { inUnits } from '../lib/bytes-in-words.ts';
import { durationInWords } from '../lib/time-in-words.ts';
import type { SiteStatus, StatusReport, StatusVerdict } from './status-report.ts';
import { verificationTexts } from './verification-text.ts';
import { wrapText } from './wrap-text.ts';

export interface TextStyle {
  /** Where lines are wrapped. */
  readonly columns: number;
  readonly colours: boolean;
}

type Row = readonly [label: string, ...texts: string[]];

const labelWidth = 14;
const indent = 2;
const words: Readonly<Record<StatusVerdict['is'], string>> = {
  ok: 'ok',
  attention: 'NEEDS ATTENTION',
  failure: 'NOT RESTORABLE',
  unknown: 'UNKNOWN',
  inactive: 'not active',
};
const colourOf: Readonly<Record<StatusVerdict['is'], 'green' | 'yellow' | 'red' | 'gray'>> = {
  ok: 'green',
  attention: 'yellow',
  failure: 'red',
  unknown: 'yellow',
  inactive: 'gray',
};

/** The report for people, a line each. */
export function statusText(report: StatusReport, style: TextStyle): string[] {
  const { daemon, sites } = report;
  const outage = daemon.answers ? [] : [...wrapText(`NO DAEMON ANSWERS: ${daemon.because}`, style.columns), ''];
  return [...outage, ...sites.flatMap((site, index) => [...(index === 0 ? [] : ['']), ...siteText(site, report.at, style)])];
}

function siteText(site: SiteStatus, now: Date, style: TextStyle): string[] {
  const { verdict, health, source } = site;
  const said = paint(words[verdict.is], colourOf[verdict.is], style);
  const head = `${paint(site.site, 'bold', style)}: ${said}`;
  const wrong: Row[] = verdict.is === 'ok' || verdict.is === 'inactive' || source === 'state-file' ? [] : [['because', ...verdict.because]];
  const told = health === undefined ? [] : source === 'state-file' ? recalledRows(health, now) : rowsOf(health, { said: verdict.because });
  return [head, ...[...wrong, ...told, ...storeRows(site)].flatMap((row) => rowText(row, style))];
}

function rowText([label, ...texts]: Row, { columns }: TextStyle): string[] {
  const room = Math.max(20, columns - indent - labelWidth);
  const lines = texts.flatMap((text) => wrapText(text, room));
  return lines.map((line, index) => `${' '.repeat(indent)}${(index === 0 ? label : '').padEnd(labelWidth)}${line}`);
}

/** What the state file remembers. */
function recalledRows(health: HealthDocument, now: Date): Row[] {
  const seconds = Math.max(0, Math.round((now.getTime() - Date.parse(health.at)) / 1000));
  return [
    ['state file', `says how it was ${durationInWords(seconds)} ago, at ${second(health.at)}:`],
    ...rowsOf(health, { later: seconds }),
  ];
}

/** `later`: so many seconds have passed since; `said`: what is told above. */
function rowsOf(health: HealthDocument, { later = 0, said = [] }: { readonly later?: number; readonly said?: readonly string[] }): Row[] {
  const { restorable, wal_lag: lag, jobs, next, spool, store, verification } = health;
  return [
    ['restorable', ...restorableTexts(restorable, later)],
    [
      'WAL lag',
      lag.bytes === null
        ? `unknown: ${lag.because}`
        : `${inUnits(lag.bytes)}${lag.seconds === null ? '' : `, ${durationInWords(lag.seconds)}`}`,
    ],
    ['base backups', backupsText(health.basebackups, later)],
    ...(jobs.length === 0 ? [] : [['running', ...jobs.map(jobText)] as const]),
    ['alerts', ...alertTexts(health, said)],
    ['next', ...next.map(({ what, at, because }) => `${nameOf(what)}${at === null ? '' : ` at ${second(at)}`}: ${because}`)],
    ...(verification === undefined ? [] : [['verified', ...verificationTexts(verification, health.at, later)] as const]),
    ['spool', spoolText(spool)],
    ['store', store.because],
  ];
}

/** By name only those that are told above in full. */
function alertTexts({ alerts }: HealthDocument, said: readonly string[]): string[] {
  const texts = alerts.map(({ name, because }) => ({ name, text: `${name}: ${because}` }));
  const told = texts.filter(({ text }) => said.includes(text)).map(({ name }) => name);
  const others = texts.filter(({ name }) => !told.includes(name)).map(({ text }) => text);
  return alerts.length === 0 ? ['none'] : [...(told.length === 0 ? [] : [told.join(', ')]), ...others];
}

function restorableTexts({ state, from, until, until_seconds_ago: age, because }: HealthDocument['restorable'], later: number): string[] {
  if (state !== 'yes') return [`${state === 'no' ? 'NO' : 'unknown'}: ${because}`];
  const reach = until === null ? `from ${second(String(from))}` : `from ${second(String(from))} to ${second(until)}`;
  return [age === null ? reach : `${reach} (${durationInWords(age + later)} ago)`, because];
}

function backupsText({ count, restorable, bytes, unreadable, failures, newest }: HealthDocument['basebackups'], later: number): string {
  const failed = failures === 0 ? '' : `; ${failures} failed since the last success`;
  if (count === null) return `not listed yet${failed}`;
  const proven = restorable === null || restorable === count ? '' : ` (${restorable} with all their WAL)`;
  const size = count === 0 ? '' : `, ${inUnits(bytes ?? 0)}`;
  const last =
    newest === null ? '' : `; newest ${newest.name}, ${durationInWords(newest.seconds_ago + later)} ago, ${inUnits(newest.bytes)}`;
  const broken = unreadable === null || unreadable === 0 ? '' : `; ${unreadable} cannot be read`;
  return `${count}${proven}${size}${last}${broken}${failed}`;
}

function jobText({
  phase,
  bytes_done: done,
  bytes_total: total,
  elapsed_seconds: elapsed,
  ends_at: end,
}: HealthDocument['jobs'][number]): string {
  const isAll = phase === 'copying' && total !== null && total > 0 && done >= total;
  const part = total === null || total === 0 ? inUnits(done) : `${Math.floor((done * 100) / total)} % of ${inUnits(total)}`;
  const share = isAll ? `${inUnits(done)}, all that was expected, and being stored` : part;
  return `base backup, ${phase}: ${share}, for ${durationInWords(elapsed)}${end === null ? '' : `, ends at about ${second(end)}`}`;
}

function spoolText({ files, bytes, because }: HealthDocument['spool']): string {
  if (files === null) return `unknown: ${because}`;
  return files === 0 ? 'nothing waits' : `${files} ${files === 1 ? 'file' : 'files'}, ${inUnits(bytes ?? 0)}, to be stored`;
}

/** What lies in the store now. */
function storeRows({ store }: SiteStatus): Row[] {
  if (store === undefined) return [];
  if ('because' in store) return [['in the store', `unknown: ${store.because}`]];
  const { count, newest } = store;
  const last = newest === undefined ? '' : `; newest ${newest.name} of ${second(newest.at.toISOString())}, ${inUnits(newest.bytes)}`;
  return [['in the store', `${count} ${count === 1 ? 'base backup' : 'base backups'} now${last}`]];
}

function nameOf(what: string): string {
  return { basebackup: 'base backup', deletion: 'deletion', wal: 'WAL' }[what] ?? what;
}

/** `2026-11-30 12:00:08Z` */
function second(iso: string): string {
  return iso.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
}

function paint(text: string, style: 'bold' | 'green' | 'yellow' | 'red' | 'gray', { colours }: TextStyle): string {
  return colours ? styleText(style, text, { validateStream: false }) : text;
}
