import { h } from '../dom.ts';
import { formatDay, formatTime, formatUtc, isUtcHere, zoneAt } from '../format.ts';

/** A moment in the viewer's zone, with UTC beside it. */
export function momentOf(ms: number): HTMLElement {
  const iso = new Date(ms).toISOString();
  const local = h('time', { datetime: iso }, `${formatDay(ms)}, ${formatTime(ms)} ${isUtcHere(ms) ? 'UTC' : zoneAt(ms)}`);
  return isUtcHere(ms) ? local : h('span', {}, local, ' ', h('span', { class: 'utc' }, `(${formatUtc(ms)})`));
}
