import { z } from 'zod';
import { compareKeys } from '../key-order.ts';
import { storeMissing } from '../store-errors.ts';
import type { Container } from './container.ts';
import { jsonIn, storeAnswerOdd } from './store-answer.ts';

export interface ListedObject {
  readonly name: string;
  readonly bytes: number;
  readonly lastModified: Date;
}

export interface PageOptions {
  readonly after?: string | undefined;
  readonly pageEntries: number;
  readonly signal?: AbortSignal | undefined;
}

const pageShape = z.array(z.object({ name: z.string(), bytes: z.number(), last_modified: z.string() }));

/**
 * Everything whose name begins with `prefix`, segments included, in pages, in byte order.
 * Only an empty page is the end: a cluster may give less than was asked for.
 */
export async function* pagesOf(container: Container, prefix: string, options: PageOptions): AsyncGenerator<ListedObject[], void> {
  const { pageEntries, signal } = options;
  const what = `list ${prefix}`;
  let marker = options.after ?? '';
  for (;;) {
    const query = { format: 'json', limit: String(pageEntries), prefix, marker };
    const answer = await container.request({ method: 'GET', query, what, signal, understood: [404] });
    if (answer.status === 404) {
      answer.discard();
      throw storeMissing(container.storeName);
    }
    const parsed = pageShape.safeParse((await jsonIn(answer, what, container.storeName)) ?? []);
    if (!parsed.success) throw storeAnswerOdd(what, container.storeName, 'no listing');
    const last = parsed.data.at(-1);
    if (last === undefined) return;
    if (compareKeys(last.name, marker) <= 0) throw storeAnswerOdd(what, container.storeName, 'the listing does not go on');
    yield parsed.data.map(({ name, bytes, last_modified }) => ({ name, bytes, lastModified: timeOf(last_modified) }));
    marker = last.name;
  }
}

/** In UTC, with `Z` or without. */
function timeOf(text: string): Date {
  return new Date(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`);
}
