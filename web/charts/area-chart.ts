import { h } from '../dom.ts';
import { readPalette } from '../timeline/palette.ts';
import { beginDrawing } from '../timeline/surface.ts';
import { columnsOf, type Sample } from './series.ts';

const height = 72;
const columnPixels = 3;
/** Values come every other second; what is further apart was not heard. */
const bridgeMs = 8_000;

/** How a value went in the last half hour; the words beside it tell the same. */
export class AreaChart {
  readonly element: HTMLElement;
  readonly #canvas = h('canvas', { 'aria-hidden': 'true' });
  readonly #words = h('p', { class: 'quiet' });
  readonly #format: (value: number) => string;

  constructor(title: string, format: (value: number) => string) {
    this.#format = format;
    this.element = h('figure', { class: 'chart' }, h('figcaption', {}, title), this.#canvas, this.#words);
  }

  show(samples: readonly Sample[], nowMs: number, spanMs: number): void {
    const known = samples.flatMap(({ value }) => (value === undefined ? [] : [value]));
    const latest = samples.at(-1)?.value;
    const peak = known.reduce((a, b) => Math.max(a, b), 0);
    const words =
      known.length === 0 ? 'not known' : `now ${latest === undefined ? 'not known' : this.#format(latest)}, at most ${this.#format(peak)}`;
    if (this.#words.textContent !== words) this.#words.textContent = words;
    // A single value is told by the words.
    if (known.length > 1) this.#draw(samples, nowMs, spanMs, peak);
  }

  #draw(samples: readonly Sample[], nowMs: number, spanMs: number, peak: number): void {
    const surface = beginDrawing(this.#canvas, height);
    if (surface === undefined) return;
    const { context, width } = surface;
    const palette = readPalette();
    context.fillStyle = palette.line;
    context.fillRect(0, height - 1, width, 1);
    const columns = Math.max(1, Math.floor(width / columnPixels));
    const bridge = Math.ceil((bridgeMs / spanMs) * columns);
    context.fillStyle = palette.covered;
    let held: number | undefined;
    let age = 0;
    for (const [column, value] of columnsOf(samples, nowMs - spanMs, nowMs, columns).entries()) {
      age = value === undefined ? age + 1 : 0;
      held = value ?? (age <= bridge ? held : undefined);
      if (held === undefined) continue;
      const high = peak === 0 ? 0 : (held / peak) * (height - 8);
      context.fillRect(column * columnPixels, height - 1 - high, columnPixels, Math.max(1, high));
    }
  }
}
