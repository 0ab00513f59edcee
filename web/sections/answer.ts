import type { HealthDocument } from '../../src/daemon/http/api.ts';
import { h } from '../dom.ts';
import { formatDay, formatDuration, formatTime, formatUtc, isUtcHere, msOf, zoneAt } from '../format.ts';
import type { SiteState } from '../state.ts';
import { momentOf } from './moment.ts';
import { verdictMark } from './verdict.ts';

/** Whether it can be restored, and to which second. */
export function answerOf({ document: { site, health }, heardMs }: SiteState, nowMs: number): HTMLElement[] {
  const sinceHeard = Math.max(0, (nowMs - heardMs) / 1000);
  return [
    h('div', { class: 'name' }, h('h1', {}, site), verdictMark(health.verdict.is)),
    ...reasons(health),
    ...restorable(health, sinceHeard),
  ];
}

function reasons({ verdict }: HealthDocument): HTMLElement[] {
  if (verdict.is === 'ok' || verdict.because.length === 0) return [];
  return [h('ul', { class: 'reasons' }, ...verdict.because.map((because) => h('li', {}, because)))];
}

function restorable(
  { restorable: { state, from, until, until_seconds_ago: secondsAgo, because } }: HealthDocument,
  sinceHeard: number,
): HTMLElement[] {
  const untilMs = msOf(until);
  const fromMs = msOf(from);
  if (state !== 'yes' || untilMs === undefined) {
    const said =
      state === 'no'
        ? 'Nothing can be restored'
        : state === 'yes'
          ? 'It can be restored; nobody knows to which second'
          : 'Nobody knows what can be restored';
    return [h('p', { class: 'claim' }, said), h('p', { class: 'quiet' }, because)];
  }
  const utc = isUtcHere(untilMs) ? null : h('span', { class: 'utc' }, formatUtc(untilMs));
  const ago = secondsAgo === null ? null : h('span', { class: 'ago' }, `${formatDuration(secondsAgo + sinceHeard)} ago`);
  return [
    h(
      'p',
      { class: 'claim' },
      h('span', { class: 'lead' }, 'Restorable to '),
      h('time', { datetime: until, class: 'second' }, formatTime(untilMs)),
      h('span', { class: 'day' }, ` ${formatDay(untilMs)} ${isUtcHere(untilMs) ? 'UTC' : zoneAt(untilMs)}`),
    ),
    h(
      'p',
      { class: 'beside' },
      utc,
      utc && ago ? ' · ' : null,
      ago,
      fromMs === undefined ? null : ' · from ',
      fromMs === undefined ? null : momentOf(fromMs),
    ),
    h('p', { class: 'quiet' }, because),
  ];
}
