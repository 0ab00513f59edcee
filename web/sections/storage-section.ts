import type { RecoverabilityDocument } from '../../src/daemon/http/api.ts';
import { type DayOfStorage, storagePerDay } from '../charts/per-day.ts';
import { h } from '../dom.ts';
import { formatBytes, formatDay, plural } from '../format.ts';
import { readPalette } from '../timeline/palette.ts';
import { beginDrawing } from '../timeline/surface.ts';

const height = 96;

/** What is stored, by day. */
export class StorageSection {
  readonly element: HTMLElement;
  readonly #canvas = h('canvas', { 'aria-hidden': 'true' });
  readonly #words = h('p', { class: 'quiet' });
  readonly #rows = h('tbody');
  readonly #details = h('details', { class: 'tables' });
  #days: readonly DayOfStorage[] = [];

  constructor() {
    const heads = ['Day', 'Base backups', 'Stored'].map((head) => h('th', { scope: 'col' }, head));
    const table = h('table', {}, h('caption', {}, 'Base backups by day'), h('thead', {}, h('tr', {}, ...heads)), this.#rows);
    this.#details.append(
      h('summary', {}, 'The same as a table'),
      h('div', { class: 'table', tabindex: 0, role: 'region', 'aria-label': 'Base backups by day' }, table),
    );
    this.element = h(
      'section',
      { 'aria-label': 'Storage', hidden: true },
      h('h2', {}, 'Storage of base backups, by day'),
      this.#canvas,
      this.#words,
      this.#details,
    );
    this.#details.addEventListener('toggle', () => this.#showRows());
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  show({ basebackups }: RecoverabilityDocument): void {
    this.#days = storagePerDay(basebackups);
    const [first] = this.#days;
    const last = this.#days.at(-1);
    this.element.hidden = first === undefined;
    if (first === undefined || last === undefined) return;
    const bytes = this.#days.reduce((sum, day) => sum + day.bytes, 0);
    this.#words.textContent = `${plural(basebackups.length, 'base backup')}, ${formatBytes(bytes)} in all, ${formatDay(first.dayMs)} to ${formatDay(last.dayMs)}. WAL is not counted here.`;
    this.#showRows();
    this.#draw();
  }

  #showRows(): void {
    if (!this.#details.open) return;
    this.#rows.replaceChildren(
      ...this.#days
        .toReversed()
        .map(({ dayMs, basebackups: count, bytes: ofDay }) =>
          h('tr', {}, h('td', {}, formatDay(dayMs)), h('td', {}, count), h('td', {}, formatBytes(ofDay))),
        ),
    );
  }

  #draw(): void {
    const surface = beginDrawing(this.#canvas, height);
    if (surface === undefined || this.#days.length === 0) return;
    const { context, width } = surface;
    const palette = readPalette();
    const peak = this.#days.reduce((most, { bytes }) => Math.max(most, bytes), 1);
    const pitch = Math.min(36, width / this.#days.length);
    context.fillStyle = palette.line;
    context.fillRect(0, height - 1, width, 1);
    context.fillStyle = palette.covered;
    for (const [index, { bytes }] of this.#days.entries()) {
      const high = (bytes / peak) * (height - 20);
      context.fillRect(index * pitch, height - 1 - high, Math.max(1, pitch - Math.min(2, pitch / 4)), high);
    }
    context.fillStyle = palette.quiet;
    context.fillText(formatBytes(peak), 2, 12);
  }
}
