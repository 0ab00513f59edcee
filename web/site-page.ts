import type { LiveDaemonDocument } from '../src/daemon/http/api.ts';
import { h, show } from './dom.ts';
import { alertsOf } from './sections/alerts.ts';
import { answerOf } from './sections/answer.ts';
import { ChartsSection } from './sections/charts-section.ts';
import { nowOf } from './sections/now.ts';
import { RetentionSection } from './sections/retention-section.ts';
import { StorageSection } from './sections/storage-section.ts';
import { TimelineSection } from './sections/timeline-section.ts';
import type { SiteState } from './state.ts';

/** Everything about one site. */
export class SitePage {
  readonly name: string;
  readonly #daemon: LiveDaemonDocument;
  readonly #answer = h('header', { class: 'answer' });
  readonly #alerts = h('div');
  readonly #now = h('div', { class: 'now' });
  readonly #storage = new StorageSection();
  readonly #charts = new ChartsSection();
  readonly #timeline: TimelineSection;
  readonly #retention: RetentionSection;

  constructor(name: string, daemon: LiveDaemonDocument) {
    this.name = name;
    this.#daemon = daemon;
    this.#timeline = new TimelineSection(name, daemon, (document) => this.#storage.show(document));
    this.#retention = new RetentionSection(daemon);
  }

  get elements(): readonly HTMLElement[] {
    const parts = [this.#timeline, this.#charts, this.#retention, this.#storage].map(({ element }) => element);
    return [this.#answer, this.#alerts, ...parts.slice(0, 1), this.#now, ...parts.slice(1)];
  }

  /** Whether it was made for a daemon with these settings. */
  isOf({ version, config_file: file, may_act: mayAct }: LiveDaemonDocument): boolean {
    return this.#daemon.version === version && this.#daemon.config_file === file && this.#daemon.may_act === mayAct;
  }

  show(site: SiteState, nowMs: number): void {
    const { document, readings } = site;
    show(this.#answer, ...answerOf(site, nowMs));
    show(this.#alerts, ...alertsOf(document.alerts, 'Alerts'));
    show(this.#now, ...nowOf(document.health));
    this.#timeline.follow(document.health, nowMs);
    this.#charts.show(readings, nowMs);
    this.#retention.show(document);
  }
}
