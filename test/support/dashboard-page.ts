import type { Page } from 'playwright-core';
import { withinMs } from './browser.ts';
import { waitFor } from './wait-for.ts';

/** The picture of what can be restored. */
export const slider = '[role=slider]';

/** Asked from outside: the page's policy lets nothing be evaluated in it. */
export async function painted(page: Page): Promise<void> {
  await waitFor(async () => (await timesDrawn(page)) > 0, { withinMs, what: 'the timeline is drawn' });
}

const timesDrawn = async (page: Page) => Number(await page.evaluate("performance.getEntriesByName('timeline').length"));
export const textOf = (page: Page, selector: string) => page.locator(selector).first().innerText();
export const has = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor({ state: 'visible' });
export const valueNow = async (page: Page) => Number(await page.locator(slider).getAttribute('aria-valuenow')) * 1000;

/** The words of a command line that was written for a shell. */
export function wordsOf(command: string): string[] {
  const words = command.replaceAll('\\\n', ' ').match(/(?:'[^']*'|\\'|[^\s'])+/g) ?? [];
  return words.map((word) => word.replaceAll("'\\''", '\0').replaceAll("'", '').replaceAll('\0', "'"));
}
