import type { CommitsDocument } from '../src/daemon/http/api.ts';
import { apiPath } from './format.ts';
import type { TimeWindow } from './timeline/window.ts';

/** Somebody who looks closer step by step is asked for once. */
const quietMs = 250;
const bucketsMax = 400;

/** Asks for the commits of the stretch of time that is looked at, once it stays the same for a moment. */
export class CommitsWatch {
  readonly #site: string;
  readonly #onNews: (news: CommitsDocument | undefined) => void;
  #timer: number | undefined;
  #asked = '';
  #asking = new AbortController();

  /** `onNews` gets undefined where the daemon cannot tell. */
  constructor(site: string, onNews: (news: CommitsDocument | undefined) => void) {
    this.#site = site;
    this.#onNews = onNews;
  }

  look({ from, to }: TimeWindow): void {
    const query = String(new URLSearchParams({ from: iso(from), to: iso(to), buckets: String(bucketsMax) }));
    if (query === this.#asked) return;
    this.#asked = query;
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#ask(query), quietMs);
  }

  async #ask(query: string): Promise<void> {
    this.#asking.abort();
    const { signal } = (this.#asking = new AbortController());
    try {
      const answer = await fetch(`${apiPath(this.#site, 'commits')}?${query}`, { signal });
      const news = answer.ok ? ((await answer.json()) as CommitsDocument) : undefined;
      if (!signal.aborted) this.#onNews(news);
    } catch {
      if (!signal.aborted) this.#onNews(undefined);
    }
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
