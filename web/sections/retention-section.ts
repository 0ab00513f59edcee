import type { HealthDocument, LiveDaemonDocument, LiveSiteDocument } from '../../src/daemon/http/api.ts';
import { h, show } from '../dom.ts';
import { apiPath, msOf, plural } from '../format.ts';
import { quoted } from '../timeline/restore-command.ts';
import { momentOf } from './moment.ts';

/** What goes, what waits to be confirmed, and, where that is switched on, what can be asked for. */
export class RetentionSection {
  readonly element = h('section', { 'aria-label': 'Retention' }, h('h2', {}, 'Retention'));
  readonly #words = h('div');
  readonly #outcome = h('p', { role: 'status', class: 'outcome' });
  readonly #daemon: LiveDaemonDocument;

  constructor(daemon: LiveDaemonDocument) {
    this.#daemon = daemon;
    this.element.append(this.#words, this.#outcome);
    this.element.addEventListener('click', (event) => {
      const button = event.target instanceof Element ? event.target.closest<HTMLElement>('button[data-put]') : null;
      if (button) void this.#put(button.dataset['put'] ?? '', button.dataset['ask'] ?? '');
    });
  }

  show({ site, retention, health }: LiveSiteDocument): void {
    const { postponed, confirmation } = retention;
    show(
      this.#words,
      ...deletionsOf(health),
      postponed === null ? null : h('p', {}, 'Postponed: ', postponed),
      ...(confirmation === null ? [] : this.#confirmation(site, confirmation)),
      this.#daemon.may_act ? h('p', {}, actionButton('Take a base backup now', apiPath(site, 'basebackup'), '')) : null,
    );
  }

  #confirmation(site: string, { digest, because, basebackups }: NonNullable<LiveSiteDocument['retention']['confirmation']>): HTMLElement[] {
    const config = this.#daemon.config_file ?? '/etc/pghoard.json';
    const command = `pghoard retention --config ${quoted(config)} --site ${quoted(site)} --confirm ${quoted(digest)}`;
    const question = `Delete ${plural(basebackups.length, 'base backup')} of ${site} for good?`;
    return [
      h('p', {}, h('strong', {}, 'A deletion waits to be confirmed: '), because),
      h('ul', { class: 'names' }, ...basebackups.map((name) => h('li', {}, name))),
      this.#daemon.may_act
        ? actionButton('Confirm this deletion', apiPath(site, 'retention', 'confirm', encodeURIComponent(digest)), question)
        : h('pre', { tabindex: 0 }, h('code', {}, command)),
    ];
  }

  async #put(path: string, question: string): Promise<void> {
    if (question !== '' && !confirm(question)) return;
    this.#outcome.textContent = 'asking …';
    try {
      const answer = await fetch(path, { method: 'PUT' });
      this.#outcome.textContent = answer.ok ? 'The daemon does so.' : await answer.text();
    } catch {
      this.#outcome.textContent = 'The daemon did not answer.';
    }
  }
}

function deletionsOf({ next }: HealthDocument): HTMLElement[] {
  const deletions = next.filter(({ what }) => what === 'deletion');
  if (deletions.length === 0) return [h('p', { class: 'quiet' }, 'Nothing is about to be deleted.')];
  return deletions.map(({ at, because }) => {
    const atMs = msOf(at);
    return h('p', {}, 'Next deletion: ', ...(atMs === undefined ? [] : [momentOf(atMs), ', ']), because);
  });
}

function actionButton(text: string, path: string, question: string): HTMLElement {
  return h('button', { type: 'button', 'data-put': path, 'data-ask': question }, text);
}
