import type { RecoverabilityDocument } from '../../src/daemon/http/api.ts';
import { type DayOfStorage, storagePerDay } from '../charts/per-day.ts';
import { walPerDay } from '../charts/wal-per-day.ts';
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
    const heads = ['Day', 'Base backups', 'Stored', 'WAL written'].map((head) => h('th', { scope: 'col' }, head));
    const table = h('table', {}, h('caption', {}, 'Base backups and WAL by day'), h('thead', {}, h('tr', {}, ...heads)), this.#rows);
    this.#details.append(
      h('summary', {}, 'The same as a table'),
      h('div', { class: 'table', tabindex: 0, role: 'region', 'aria-label': 'Base backups and WAL by day' }, table),
    );
    this.element = h(
      'section',
      { 'aria-label': 'Storage', hidden: true },
      h('h2', {}, 'Storage by day'),
      this.#canvas,
      this.#words,
      this.#details,
    );
    this.#details.addEventListener('toggle', () => this.#showRows());
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  show(document: RecoverabilityDocument): void {
    const { basebackups } = document;
    this.#days = storagePerDay(basebackups, walPerDay(document));
    const [first] = this.#days;
    const last = this.#days.at(-1);
    this.element.hidden = first === undefined;
    if (first === undefined || last === undefined) return;
    const bytes = this.#days.reduce((sum, day) => sum + day.bytes, 0);
    const walBytes = this.#days.reduce((sum, day) => sum + day.walBytes, 0);
    const backups = `${plural(basebackups.length, 'base backup')}, ${formatBytes(bytes)} stored in all (wide bars)`;
    const wal = `${formatBytes(walBytes)} of WAL written in between, before it is compressed (narrow bars)`;
    this.#words.textContent = `${formatDay(first.dayMs)} to ${formatDay(last.dayMs)}: ${backups}, ${wal}.`;
    this.#showRows();
    this.#draw();
  }

  #showRows(): void {
    if (!this.#details.open) return;
    this.#rows.replaceChildren(
      ...this.#days
        .toReversed()
        .map(({ dayMs, basebackups: count, bytes: ofDay, walBytes }) =>
          h('tr', {}, ...[formatDay(dayMs), count, formatBytes(ofDay), formatBytes(walBytes)].map((cell) => h('td', {}, cell))),
        ),
    );
  }

  #draw(): void {
    const surface = beginDrawing(this.#canvas, height);
    if (surface === undefined || this.#days.length === 0) return;
    const { context, width: whole } = surface;
    const palette = readPalette();
    const peak = this.#days.reduce((most, { bytes, walBytes }) => Math.max(most, bytes, walBytes), 1);
    const pitch = Math.min(36, whole / this.#days.length);
    context.fillStyle = palette.line;
    context.fillRect(0, height - 1, whole, 1);
    const wide = Math.max(1, pitch - Math.min(2, pitch / 4));
    for (const [index, { bytes, walBytes }] of this.#days.entries()) {
      for (const [value, colour, width] of [
        [bytes, palette.covered, wide],
        [walBytes, palette.ink, Math.max(1, wide / 3)],
      ] as const) {
        const high = (value / peak) * (height - 20);
        context.fillStyle = colour;
        context.fillRect(index * pitch + (wide - width) / 2, height - 1 - high, width, high);
      }
    }
    context.fillStyle = palette.quiet;
    context.fillText(formatBytes(peak), 2, 12);
  }
}
