import type { HealthDocument, RecoverabilityDocument } from '../src/daemon/http/api.ts';
import { apiPath } from './format.ts';

const againMs = 60_000;

/** Asks for the windows of a site when they may have changed: when its health tells so, and once a minute. */
export class RecoverabilityWatch {
  readonly #site: string;
  readonly #onNews: (news: RecoverabilityDocument | string) => void;
  #told = '';
  #askedMs = Number.NEGATIVE_INFINITY;
  #isAsking = false;

  /** `onNews` gets the document, or in words why there is none. */
  constructor(site: string, onNews: (news: RecoverabilityDocument | string) => void) {
    this.#site = site;
    this.#onNews = onNews;
  }

  follow({ restorable: { state, from, because }, basebackups, alerts }: HealthDocument, nowMs: number): void {
    const signs = JSON.stringify([state, from, because, basebackups.count, basebackups.newest?.name, basebackups.restorable, alerts]);
    if (this.#isAsking || (signs === this.#told && nowMs - this.#askedMs < againMs)) return;
    this.#told = signs;
    this.#askedMs = nowMs;
    this.#isAsking = true;
    void this.#ask().finally(() => {
      this.#isAsking = false;
    });
  }

  async #ask(): Promise<void> {
    try {
      const answer = await fetch(apiPath(this.#site, 'recoverability'));
      if (answer.ok) this.#onNews((await answer.json()) as RecoverabilityDocument);
      else
        this.#onNews(
          answer.status === 404 || answer.status === 400
            ? 'This daemon does not tell which moments can be restored.'
            : `The daemon cannot tell now: ${await answer.text()}`,
        );
    } catch {
      this.#told = ''; // once more with the next news of the site
    }
  }
}
