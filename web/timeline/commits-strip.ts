import type { CommitsDocument } from '../../src/daemon/http/api.ts';
import { h } from '../dom.ts';
import { plural } from '../format.ts';
import { commitColumns } from './commit-columns.ts';
import { readPalette } from './palette.ts';
import { beginDrawing } from './surface.ts';
import type { TimeWindow } from './window.ts';

const height = 34;

/** Commits per minute below the picture of what can be restored, over the same stretch of time; the words beside it tell the same. */
export class CommitsStrip {
  readonly element: HTMLElement;
  readonly #canvas = h('canvas', { 'aria-hidden': 'true' });
  readonly #words = h('p', { class: 'quiet' });
  #document: CommitsDocument | undefined;
  #window: TimeWindow = { from: 0, to: 1 };
  #isDue = false;

  constructor() {
    this.element = h('figure', { class: 'commits', hidden: true, 'aria-label': 'Commits per minute' }, this.#canvas, this.#words);
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  show(document: CommitsDocument | undefined): void {
    this.#document = document;
    this.element.hidden = document === undefined;
    this.#draw();
  }

  look(window: TimeWindow): void {
    this.#window = window;
    this.#draw();
  }

  /** Once for all that changes before the next picture. */
  #draw(): void {
    if (this.#isDue || this.#document === undefined) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#drawNow();
    });
  }

  #drawNow(): void {
    const document = this.#document;
    const surface = document && beginDrawing(this.#canvas, height);
    if (document === undefined || surface === undefined) return;
    const { context, width } = surface;
    const { columns, peakPerMinute, commits } = commitColumns(document, this.#window, width);
    const palette = readPalette();
    context.fillStyle = palette.line;
    context.fillRect(0, height - 1, width, 1);
    context.fillStyle = palette.quiet;
    for (const { x0, x1, perMinute } of columns) {
      const high = Math.max(1, (perMinute / peakPerMinute) * (height - 4));
      context.fillRect(x0, height - 1 - high, Math.max(1, x1 - x0 - (x1 - x0 > 4 ? 1 : 0)), high);
    }
    const rate = peakPerMinute >= 10 ? Math.round(peakPerMinute).toLocaleString('en-GB') : peakPerMinute.toFixed(1);
    const lacking = document.is_complete ? '' : `; not all of it is known: ${document.because ?? ''}`;
    this.#words.textContent = `${commits === 0 ? 'No commits' : `${plural(commits, 'commit')}, at most ${rate} per minute`}${lacking}`;
  }
}
