import type { HealthDocument, LiveDaemonDocument, RecoverabilityDocument } from '../../src/daemon/http/api.ts';
import { CommitsWatch } from '../commits.ts';
import { h } from '../dom.ts';
import { RecoverabilityWatch } from '../recoverability.ts';
import { chosenOf } from '../timeline/chosen.ts';
import { CommitsStrip } from '../timeline/commits-strip.ts';
import { type Lane, prepare } from '../timeline/prepare.ts';
import { tablesOf } from '../timeline/table.ts';
import { Timeline } from '../timeline/timeline.ts';

const hourMs = 3_600_000;

/** Which moments can be restored: a picture, the second that somebody has chosen in it, and the same as tables. */
export class TimelineSection {
  readonly element: HTMLElement;
  readonly #site: string;
  readonly #daemon: LiveDaemonDocument;
  readonly #watch: RecoverabilityWatch;
  readonly #strip = new CommitsStrip();
  readonly #commits: CommitsWatch;
  readonly #timeline = new Timeline(
    (lane, ms) => this.#choose(lane, ms),
    () => this.#moved(),
  );
  readonly #note = h('p', { class: 'quiet' }, 'Asking which moments can be restored …');
  readonly #picture = h('div', { hidden: true });
  readonly #chosen = h('div', { class: 'chosen', role: 'status', 'aria-label': 'Chosen second' });
  readonly #input = h('input', { type: 'datetime-local', step: 1, id: 'moment' });
  readonly #tables = h('details', { class: 'tables' }, h('summary', {}, 'The same as tables'));
  readonly #onNews: (document: RecoverabilityDocument) => void;
  #document: RecoverabilityDocument | undefined;
  #choice = new AbortController();

  constructor(site: string, daemon: LiveDaemonDocument, onNews: (document: RecoverabilityDocument) => void) {
    this.#onNews = onNews;
    this.#site = site;
    this.#daemon = daemon;
    this.#watch = new RecoverabilityWatch(site, (news) => this.#hear(news));
    this.#commits = new CommitsWatch(site, (news) => this.#strip.show(news));
    const picture = [this.#timeline.range, this.#timeline.element, this.#strip.element];
    this.#picture.append(this.#toolbar(), ...picture, legend(), this.#chosen, this.#tables);
    this.#tables.addEventListener('toggle', () => this.#showTables());
    this.element = h('section', { 'aria-label': 'What can be restored' }, h('h2', {}, 'What can be restored'), this.#note, this.#picture);
  }

  follow(health: HealthDocument, nowMs: number): void {
    this.#watch.follow(health, nowMs);
  }

  #hear(news: RecoverabilityDocument | string): void {
    if (typeof news === 'string') return this.#say(news);
    const begun = performance.now();
    const prepared = prepare(news);
    if (prepared === undefined) return this.#say(news.because ?? 'There is nothing yet that can be restored.');
    this.#document = news;
    requestIdleCallback(() => this.#onNews(news), { timeout: 1000 }); // the picture first
    this.#say('');
    this.#picture.hidden = false;
    this.#timeline.show(prepared);
    performance.measure('prepare', { start: begun });
    this.#showTables();
  }

  #say(words: string): void {
    this.#note.textContent = words;
    this.#note.hidden = words === '';
  }

  #showTables(): void {
    if (!this.#tables.open || this.#document === undefined) return;
    const [summary] = this.#tables.children;
    if (summary !== undefined) this.#tables.replaceChildren(summary, ...tablesOf(this.#document));
  }

  #choose(lane: Lane, ms: number): void {
    const instead = (other: number) => {
      this.#timeline.moveTo(other);
      this.#timeline.choose();
      this.#timeline.element.focus();
    };
    this.#choice.abort();
    this.#choice = new AbortController();
    const choice = { site: this.#site, configFile: this.#daemon.config_file, lane, ms, instead, signal: this.#choice.signal };
    this.#chosen.replaceChildren(...chosenOf(choice));
  }

  #toolbar(): HTMLElement {
    const button = (text: string, label: string, deed: () => void) => {
      const element = h('button', { type: 'button', 'aria-label': label }, text);
      element.addEventListener('click', deed);
      return element;
    };
    const timeline = this.#timeline;
    const form = h('form', { class: 'jump' }, h('label', { for: 'moment' }, 'Second (your time)'), this.#input, h('button', {}, 'Show'));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const ms = new Date(this.#input.value).getTime();
      if (Number.isNaN(ms)) return;
      timeline.moveTo(ms);
      timeline.choose();
    });
    return h(
      'div',
      { class: 'toolbar' },
      button('−', 'Look from further away', () => timeline.zoom(2)),
      button('+', 'Look closer', () => timeline.zoom(0.5)),
      button('‹', 'Earlier', () => timeline.pan(-0.5)),
      button('›', 'Later', () => timeline.pan(0.5)),
      button('All', 'Everything', () => timeline.showAll()),
      button('Day', 'The last day', () => timeline.showLast(24 * hourMs)),
      button('Hour', 'The last hour', () => timeline.showLast(hourMs)),
      form,
    );
  }

  #moved(): void {
    this.#commits.look(this.#timeline.window);
    this.#strip.look(this.#timeline.window);
    this.#tellInput();
  }

  #tellInput(): void {
    const at = this.#timeline.cursor;
    if (at === undefined || document.activeElement === this.#input) return;
    const local = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
    this.#input.value = local.toISOString().slice(0, 19);
  }
}

function legend(): HTMLElement {
  const items = [
    ['proven', 'proven: a drill has restored it'],
    ['covered', 'covered: all that it needs is stored'],
    ['hole', 'hole: it cannot be restored'],
    ['unknown', 'unknown: do not rely on it'],
  ] as const;
  const keys =
    'Click or Enter: what restores a second, and how. Wheel, pinch, + and −: closer. Arrows, comma and full stop: move. Page up and down: base backups. 0: all.';
  return h(
    'div',
    { class: 'legend' },
    h(
      'ul',
      {},
      ...items.map(([state, words]) => h('li', {}, h('span', { class: `swatch ${state}`, 'aria-hidden': 'true' }), words)),
      h('li', {}, h('span', { 'aria-hidden': 'true' }, '◆ '), 'base backup (◇ not restorable)'),
    ),
    h('p', { class: 'quiet' }, keys),
  );
}
