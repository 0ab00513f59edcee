import type { RecoverabilityDocument } from '../../src/daemon/http/api.ts';
import { type Child, h } from '../dom.ts';
import { formatBytes, formatDay, formatTime, formatUtc, isUtcHere, msOf, plural } from '../format.ts';

type Span = RecoverabilityDocument['timelines'][number]['spans'][number];
type Backup = RecoverabilityDocument['basebackups'][number];

/** More rows make a page slow, and nobody reads them. */
const rowsMax = 300;

/** What the picture shows, as tables: newest first. */
export function tablesOf({ timelines, basebackups }: RecoverabilityDocument): HTMLElement[] {
  const spans = timelines.flatMap(({ timeline, spans: ofTimeline }) => ofTimeline.map((span) => ({ timeline, span }))).toReversed();
  const points = timelines
    .flatMap(({ timeline, restore_points: ofTimeline }) => ofTimeline.map((point) => ({ timeline, point })))
    .toReversed();
  return [
    table('What can be restored', ['Timeline', 'State', 'From', 'To', 'Why'], spans, ({ timeline, span }) => spanRow(timeline, span)),
    table('Base backups', ['Name', 'State', 'Ended', 'Size', 'Reaches', 'Why'], basebackups.toReversed(), backupRow),
    ...(points.length === 0
      ? []
      : [
          table('Restore points', ['Name', 'Timeline', 'Time', 'Can be restored'], points, ({ timeline, point }) => [
            point.name,
            timeline,
            momentText(point.time),
            point.is_reachable ? 'yes' : 'no',
          ]),
        ]),
  ];
}

function spanRow(timeline: number, { state, from, to, because }: Span): Child[] {
  return [timeline, state, momentText(from.time) ?? from.lsn, momentText(to.time) ?? to.lsn, because];
}

function backupRow({ name, state, start, end, stored_bytes: bytes, reaches, because }: Backup): Child[] {
  return [name, state, momentText(end ?? start), bytes === null ? null : formatBytes(bytes), momentText(reaches?.time), because];
}

function momentText(iso: string | null | undefined): string | null {
  const ms = msOf(iso);
  if (ms === undefined) return null;
  return isUtcHere(ms) ? formatUtc(ms) : `${formatDay(ms)}, ${formatTime(ms)} (${formatUtc(ms)})`;
}

function table<T>(caption: string, heads: readonly string[], items: readonly T[], row: (item: T) => Child[]): HTMLElement {
  const shown = items.slice(0, rowsMax);
  const left = items.length - shown.length;
  return h(
    'div',
    { class: 'table', tabindex: 0, role: 'region', 'aria-label': caption },
    h(
      'table',
      {},
      h(
        'caption',
        {},
        `${caption} (${left > 0 ? `the newest ${rowsMax} of ${items.length.toLocaleString('en-GB')}` : plural(items.length, 'row')})`,
      ),
      h('thead', {}, h('tr', {}, ...heads.map((head) => h('th', { scope: 'col' }, head)))),
      h('tbody', {}, ...shown.map((item) => h('tr', {}, ...row(item).map((value) => h('td', {}, value ?? 'not known'))))),
    ),
  );
}
