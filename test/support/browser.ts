import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

export const withinMs = 60_000;

/** Debian's Chromium, without a window. */
export async function startBrowser(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
  return chromium.launch({ executablePath: '/usr/bin/chromium', args });
}

/** A page of its own, with nothing left from others, and what went wrong in it. */
export interface Visit extends AsyncDisposable {
  readonly page: Page;
  /** Errors of scripts, refusals of the policy, dialogs that nobody expected. */
  readonly troubles: readonly string[];
  /** Whom it has asked: `http://127.0.0.1:16000`. */
  readonly origins: ReadonlySet<string>;
}

export async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, timezoneId: 'UTC', ...options });
  context.setDefaultTimeout(withinMs);
  const page = await context.newPage();
  const troubles: string[] = [];
  const origins = new Set<string>();
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('console', (message) => {
    if (/Content Security Policy|Uncaught/.test(message.text())) troubles.push(message.text());
  });
  page.on('request', (request) => origins.add(new URL(request.url()).origin));
  return { page, troubles, origins, [Symbol.asyncDispose]: () => context.close() };
}

export interface ScriptClock {
  readonly spentMs: () => Promise<number>;
  /** How often the page has measured something, asked without what Playwright itself runs in a page, which would count. */
  readonly count: (measure: string) => Promise<number>;
}

/** Processor time that the page's main thread has spent in scripts, in ms: on a busy machine the clock on the wall tells of others. */
export async function scriptClock(page: Page): Promise<ScriptClock> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.setTimeDomain', { timeDomain: 'threadTicks' });
  await session.send('Performance.enable');
  return {
    spentMs: async () => {
      const { metrics } = await session.send('Performance.getMetrics');
      return (metrics.find(({ name }) => name === 'ScriptDuration')?.value ?? Number.NaN) * 1000;
    },
    count: async (measure) => {
      const expression = `performance.getEntriesByName('${measure}').length`;
      return Number((await session.send('Runtime.evaluate', { expression })).result.value);
    },
  };
}

/** For every element that has text of its own: its contrast with what lies behind it, where that is less than 4.5. Runs in the page. */
export const lowContrasts = `(() => {
  const parse = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('body *')].flatMap((element) => {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue.trim() !== '');
    if (!hasText || element.getClientRects().length === 0) return [];
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return contrast < 4.5 ? [element.tagName + '.' + element.className + ': ' + contrast.toFixed(2)] : [];
  });
})()`;

/** Controls and pictures that tell nobody what they are. Runs in the page. */
export const nameless = `[...document.querySelectorAll('button, a, input, [role=slider], [role=region], nav, section, progress, img')]
  .filter((element) => !(element.getAttribute('aria-label') ?? element.getAttribute('alt') ?? element.textContent.trim() + (element.labels?.[0]?.textContent ?? '')) && element.getAttribute('alt') !== '')
  .map((element) => element.outerHTML.slice(0, 120))`;
