import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { packageVersion } from '../src/cli/main.ts';
import type { SiteHealth } from '../src/daemon/health/site-health.ts';
import { startBrowser, visit } from '../test/support/browser.ts';
import { startMadeUpDaemon } from '../test/support/dashboard-fixture.ts';
import { madeUpRecoverability } from '../test/support/made-up-recoverability.ts';
import { packageRoot } from '../test/support/package-root.ts';
import { waitFor } from '../test/support/wait-for.ts';
import { commitsFor, planFor } from './picture-answers.ts';

/** The pictures of the dashboard in the documentation: `node dist/scripts/screenshots.js`, after a build, where scripts/install-apt.sh has installed Chromium. */
const pictures = join(packageRoot, 'docs', 'images');
const site = 'main';
const now = new Date();
const before = (seconds: number) => new Date(now.getTime() - seconds * 1000);

const health: SiteHealth = {
  site,
  at: now,
  verdict: { is: 'ok', because: [] },
  restorable: {
    is: true,
    state: 'yes',
    from: before(90 * 86_400),
    until: before(4),
    untilSecondsAgo: 4,
    because: 'all WAL up to 2/5F0000A8 is stored, which the primary had written by then',
  },
  walLag: { bytes: 5_242_880, seconds: 3, because: 'behind db1, the primary' },
  backups: { count: 90, restorable: 90, unreadable: 0, bytes: 612e9, failures: 0 },
  jobs: [
    {
      kind: 'basebackup',
      phase: 'copying',
      startedAt: before(600),
      elapsedSeconds: 600,
      bytesDone: 41e9,
      bytesTotal: 98e9,
      endsAt: before(-830),
    },
  ],
  alerts: [],
  next: [{ what: 'deletion', because: 'the oldest base backup goes once the one that is being taken is complete' }],
  verification: {
    newest: before(3 * 3600),
    oldest: before(28 * 86_400),
    basebackups: { stored: 90, sound: 90, damaged: 0, storedBytes: 612e9, soundBytes: 612e9 },
    segments: { stored: 118_204, sound: 117_911, damaged: 0 },
    findings: [],
    findingsCount: 0,
  },
  spool: { files: 1, bytes: 16_777_216 },
  store: { reachable: true, lastSuccess: before(2), because: 'its last request succeeded' },
};

const { document } = madeUpRecoverability(site, now.getTime(), 90);
await mkdir(pictures, { recursive: true });
const browser = await startBrowser();
const madeUp = await startMadeUpDaemon([{ name: site, health }], { version: packageVersion(), configFile: '/etc/pghoard.json' });
for (const [colorScheme, name] of [
  ['light', 'dashboard.png'],
  ['dark', 'dashboard-dark.png'],
] as const) {
  await using visitor = await visit(browser, { viewport: { width: 1000, height: 1120 }, colorScheme, timezoneId: 'Europe/Berlin' });
  const { page } = visitor;
  await page.route('**/recoverability', (route) => route.fulfill({ json: document }));
  const queryOf = (url: string) => new URL(url).searchParams;
  await page.route('**/commits?*', (route) => route.fulfill({ json: commitsFor(site, queryOf(route.request().url())) }));
  await page.route('**/plan?*', (route) => route.fulfill({ json: planFor(site, queryOf(route.request().url())) }));
  await page.goto(madeUp.url);
  const isDrawn = async () => Number(await page.evaluate("performance.getEntriesByName('timeline').length")) > 0;
  await waitFor(isDrawn, { withinMs: 60_000, what: 'the timeline is drawn' });
  await page.locator('[role=slider]').click({ position: { x: 820, y: 53 } });
  await page.locator('.plan').waitFor();
  await page.locator('.commits').waitFor();
  await page.evaluate('document.activeElement.blur()');
  await page.screenshot({ path: join(pictures, name) });
}
await madeUp[Symbol.asyncDispose]();
await browser.close();
