import type { LiveDaemonDocument } from '../src/daemon/http/api.ts';
import { h, show } from './dom.ts';
import { alertsOf } from './sections/alerts.ts';
import { answerOf } from './sections/answer.ts';
import { nowOf } from './sections/now.ts';
import type { SiteState, State } from './state.ts';

/** Everything about one site. */
export class SitePage {
  readonly name: string;
  readonly #answer = h('header', { class: 'answer' });
  readonly #alerts = h('div');
  readonly #now = h('div', { class: 'now' });

  constructor(name: string, _daemon: LiveDaemonDocument) {
    this.name = name;
  }

  get elements(): readonly HTMLElement[] {
    return [this.#answer, this.#alerts, this.#now];
  }

  show(site: SiteState, _state: State, nowMs: number): void {
    show(this.#answer, ...answerOf(site, nowMs));
    show(this.#alerts, ...alertsOf(site.document.alerts, 'Alerts'));
    show(this.#now, ...nowOf(site.document.health));
  }
}
