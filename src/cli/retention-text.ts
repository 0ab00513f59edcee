import { inUnits } from '../lib/bytes-in-words.ts';
import type { DescribedBackup, DescribedForecast, DescribedItem, DescribedSimulation } from './retention-report.ts';

/** For people. */
export function forecastText(view: DescribedForecast): string {
  const { site, store, basebackups, wal, unreadable, waits, confirmation, policy } = view;
  const bytes = (items: readonly DescribedItem[]) => inUnits(items.reduce((sum, item) => sum + item.bytes, 0));
  const backupRows = basebackups.map((each) => [each.name, minute(each.began), inUnits(each.bytes), fate(each, view), reasonOf(each)]);
  const walRows = wal.map((each) => [each.from, each.to, String(each.files), inUnits(each.bytes), fate(each, view), each.because]);
  const files = wal.reduce((sum, each) => sum + each.files, 0);
  return [
    `Site ${site} in ${store}. Times are UTC.`,
    `Policy: ${policyText(policy)}`,
    '',
    ...(basebackups.length === 0 ? ['No base backups.'] : table(['BASE BACKUP', 'BEGAN', 'SIZE', 'FATE', 'WHY'], backupRows)),
    '',
    ...(wal.length === 0 ? ['No WAL.'] : table(['WAL FROM', 'TO', 'FILES', 'SIZE', 'FATE', 'WHY'], walRows)),
    '',
    `${basebackups.length} base backups, ${bytes(basebackups)}; ${files} WAL files, ${bytes(wal)}`,
    ...unreadable.map((each) => `Not readable, so no WAL goes: ${each}`),
    ...(waits === null ? [] : [`Nothing goes now: ${waits}`]),
    ...(confirmation === null
      ? []
      : [
          `The daemon asks for a confirmation first: ${confirmation.because}. If that is meant: pghoard retention --site ${site} --confirm ${confirmation.digest}`,
        ]),
  ].join('\n');
}

export function passesText({ site, until, intervalHours, timeOfDay, passes }: DescribedSimulation): string {
  const heading =
    intervalHours > 0
      ? `Site ${site}, if a base backup is taken every ${intervalHours} hours${timeOfDay === null ? '' : ` from ${timeOfDay} on`} until ${minute(until)} UTC:`
      : `Site ${site}, if no base backup is taken (basebackup_interval_hours is null):`;
  const rows = passes.flatMap(({ at, deletes, kept }) => deletes.map(({ name, because }) => [minute(at), name, String(kept), because]));
  return [heading, ...(rows.length === 0 ? ['Nothing is deleted.'] : table(['WHEN', 'DELETED', 'LEFT', 'WHY'], rows))].join('\n');
}

function fate({ stays, goes }: DescribedItem, { until }: DescribedForecast): string {
  if (!stays) return 'goes now';
  return goes === null ? `stays past ${day(until)}` : `goes ${minute(goes)}`;
}

function reasonOf({ because, flaw, doubt }: DescribedBackup): string {
  if (flaw !== null) return `${because}; cannot be restored: ${flaw}`;
  return doubt === null ? because : `${because}; nobody can tell whether it can be restored: ${doubt}`;
}

function policyText(policy: Readonly<Record<string, unknown>>): string {
  const set = Object.entries(policy).filter(([, value]) => value !== null);
  return set.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(', ');
}

/** The last column is as long as it is. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '));
}

function minute(date: Date): string {
  return date.toISOString().slice(0, 16).replace('T', ' ');
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}
