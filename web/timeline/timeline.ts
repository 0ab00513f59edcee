import { h } from '../dom.ts';
import { formatMoment } from '../format.ts';
import { drawTimeline, heightOf, laneAt } from './draw.ts';
import { listenToKeys } from './keys.ts';
import { readPalette } from './palette.ts';
import { backupBeside, endOf } from './places.ts';
import { listenToPointers } from './pointers.ts';
import type { Lane, Prepared } from './prepare.ts';
import { sliderValues } from './slider-values.ts';
import { beginDrawing } from './surface.ts';
import { pan, reveal, type TimeWindow, within, zoom } from './window.ts';

/** Somebody has chosen a second of a timeline. */
export type OnChoice = (lane: Lane, ms: number) => void;

const second = 1000;

/** The picture of what can be restored: looked at from near and far, with a second under a cursor. */
export class Timeline {
  readonly element: HTMLElement;
  readonly #canvas = h('canvas', { 'aria-hidden': 'true' });
  readonly #range = h('p', { class: 'quiet range' });
  readonly #onChoice: OnChoice;
  readonly #onMove: () => void;
  #prepared: Prepared | undefined;
  #window: TimeWindow = { from: 0, to: 1 };
  /** As long as nobody has looked closer, new WAL widens what is seen. */
  #seesAll = true;
  #lane = 0;
  #cursor: number | undefined;
  #isDue = false;

  constructor(onChoice: OnChoice, onMove: () => void) {
    this.#onChoice = onChoice;
    this.#onMove = onMove;
    this.element = h(
      'div',
      { class: 'canvas', role: 'slider', tabindex: 0, 'aria-label': 'Second to restore to', 'aria-orientation': 'horizontal' },
      this.#canvas,
    );
    listenToPointers(this.element, {
      zoom: (factor, share) => this.zoom(factor, this.#at(share)),
      pan: (share) => this.pan(share),
      isWhole: () => this.#isWhole,
      choose: (share, y) => this.#chooseAt(share, y),
    });
    listenToKeys(this.element, this);
    new ResizeObserver(() => this.#draw()).observe(this.element);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  get range(): HTMLElement {
    return this.#range;
  }

  /** Milliseconds since 1970. */
  get cursor(): number | undefined {
    return this.#cursor;
  }

  /** What is seen. */
  get window(): TimeWindow {
    return this.#window;
  }

  get lane(): Lane | undefined {
    return this.#prepared?.lanes[this.#lane];
  }

  show(prepared: Prepared): void {
    const timeline = this.lane?.timeline;
    this.#prepared = prepared;
    const lane = prepared.lanes.findIndex((each) => (timeline === undefined ? each.isCurrent : each.timeline === timeline));
    this.#lane = Math.max(0, lane);
    this.#cursor ??= second * Math.floor((prepared.newest ?? prepared.to) / second);
    this.#look(this.#seesAll ? this.#limits : within(this.#window, this.#limits));
  }

  zoom(factor: number, anchor = this.#cursor ?? this.#window.to): void {
    const before = this.#window;
    this.#seesAll = false;
    this.#look(zoom(before, this.#limits, factor, anchor < before.from || anchor > before.to ? (before.from + before.to) / 2 : anchor));
  }

  /** By a share of what is seen: 1 is all of it. */
  pan(share: number): void {
    this.#seesAll = false;
    this.#look(pan(this.#window, this.#limits, share * (this.#window.to - this.#window.from)));
  }

  showAll(): void {
    this.#seesAll = true;
    this.#look(this.#limits);
  }

  /** The last so many milliseconds that can be restored. */
  showLast(ms: number): void {
    const { to } = this.#limits;
    this.#seesAll = false;
    this.#look(within({ from: to - ms, to }, this.#limits));
  }

  /** Moves the cursor by so many pixels, but by a second at least. */
  step(pixels: number): void {
    const perPixel = (this.#window.to - this.#window.from) / Math.max(1, this.#canvas.clientWidth);
    const ms = Math.max(second, Math.round((Math.abs(pixels) * perPixel) / second) * second);
    this.moveTo((this.#cursor ?? this.#window.to) + Math.sign(pixels) * ms);
  }

  stepSecond(direction: 1 | -1): void {
    this.moveTo((this.#cursor ?? this.#window.to) + direction * second);
  }

  /** To the previous (-1) or the next (1) base backup. */
  stepBackup(direction: 1 | -1): void {
    this.#moveIfThere(this.lane && backupBeside(this.lane, this.#cursor ?? 0, direction));
  }

  stepLane(direction: 1 | -1): void {
    const count = this.#prepared?.lanes.length ?? 0;
    this.#lane = Math.max(0, Math.min(count - 1, this.#lane + direction));
    this.#draw();
  }

  moveToEnd(which: 'first' | 'last'): void {
    this.#moveIfThere(this.lane && endOf(this.lane, which));
  }

  #moveIfThere(at: number | undefined): void {
    if (at !== undefined) this.moveTo(at);
  }

  moveTo(ms: number): void {
    const { from, to } = this.#limits;
    this.#cursor = Math.floor(Math.max(from, Math.min(to, ms)) / second) * second;
    const window = reveal(this.#window, this.#limits, this.#cursor);
    if (window !== this.#window) this.#seesAll = false;
    this.#look(window);
  }

  choose(): void {
    if (this.lane !== undefined && this.#cursor !== undefined) this.#onChoice(this.lane, this.#cursor);
  }

  get #isWhole(): boolean {
    const { from, to } = this.#limits;
    return this.#window.from <= from && this.#window.to >= to;
  }

  get #limits(): TimeWindow {
    const { from, to } = this.#prepared ?? { from: 0, to: 1 };
    const rim = (to - from) * 0.01;
    return { from: from - rim, to: to + rim };
  }

  #chooseAt(share: number, y: number): void {
    if (this.#prepared === undefined) return;
    this.#lane = laneAt(this.#prepared, y);
    this.moveTo(this.#at(share));
    this.choose();
  }

  #at(share: number): number {
    return this.#window.from + share * (this.#window.to - this.#window.from);
  }

  #look(window: TimeWindow): void {
    this.#window = window;
    this.#draw();
    this.#onMove();
  }

  /** Once for all that changes before the next picture. */
  #draw(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#drawNow();
    });
  }

  #drawNow(): void {
    const prepared = this.#prepared;
    if (prepared === undefined) return;
    const begun = performance.now();
    const surface = beginDrawing(this.#canvas, heightOf(prepared));
    if (surface === undefined) return;
    drawTimeline(surface, { prepared, window: this.#window, lane: this.#lane, cursor: this.#cursor, palette: readPalette() });
    this.#tell(prepared);
    performance.measure('timeline', { start: begun });
  }

  #tell(prepared: Prepared): void {
    const { lane } = this;
    this.#range.textContent = `${formatMoment(this.#window.from)} to ${formatMoment(this.#window.to)}`;
    if (lane === undefined || this.#cursor === undefined) return;
    for (const [name, value] of sliderValues(prepared, lane, this.#cursor)) this.element.setAttribute(name, value);
  }
}
