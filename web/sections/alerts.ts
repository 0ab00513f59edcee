import type { LiveAlertDocument } from '../../src/daemon/http/api.ts';
import { h } from '../dom.ts';
import { msOf } from '../format.ts';
import { momentOf } from './moment.ts';

/** What is wrong, why, and what to do next. */
export function alertsOf(alerts: readonly LiveAlertDocument[], title: string): HTMLElement[] {
  if (alerts.length === 0) return [];
  const inOrder = alerts.toSorted((a, b) => a.severity.localeCompare(b.severity) || a.since.localeCompare(b.since));
  return [h('section', { class: 'alerts', 'aria-label': title }, h('h2', {}, title), h('ul', {}, ...inOrder.map(alertOf)))];
}

function alertOf({ name, severity, since, because, hint }: LiveAlertDocument): HTMLElement {
  const sinceMs = msOf(since);
  return h(
    'li',
    { class: severity, 'data-key': name },
    h(
      'h3',
      {},
      h('span', { 'aria-hidden': 'true' }, severity === 'critical' ? '■ ' : '▲ '),
      name.replaceAll('_', ' '),
      h('span', { class: 'severity' }, ` ${severity}`),
    ),
    h('p', {}, because),
    h('p', { class: 'hint' }, h('strong', {}, 'Next: '), hint),
    sinceMs === undefined ? null : h('p', { class: 'quiet' }, 'since ', momentOf(sinceMs)),
  );
}
