import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { parseRestoreFlags } from '../../src/cli/restore-flags.ts';
import type { RecoverabilityDocument } from '../../src/daemon/http/api.ts';
import { startBrowser, type Visit, visit, withinMs } from '../support/browser.ts';
import { has, painted, slider, textOf, valueNow, wordsOf } from '../support/dashboard-page.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

let browser: Browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser?.close());

describe('the dashboard of a real daemon', () => {
  let site: TestSite;
  let visitor: Visit;
  let page: Page;

  before(async () => {
    site = await TestSite.start({ global: { dashboard_actions: true } });
    visitor = await visit(browser);
    page = visitor.page;
    await page.goto(`http://127.0.0.1:${site.daemon.port}/`);
  });
  after(async () => {
    await visitor?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  test('at first nothing can be restored, and it says why', async () => {
    await has(page, 'Nothing can be restored');
    await has(page, /no complete base backup/);
    assert.equal(await page.title(), 'main · pghoard');
  });

  test('a base backup is asked for in the page, and its success shows by itself', async () => {
    await page.getByRole('button', { name: 'Take a base backup now' }).click();
    await has(page, 'The daemon does so.');
    await site.daemon.basebackups(1);
    await has(page, 'Restorable to');
    assert.match(await textOf(page, '.claim'), /^Restorable to \d\d:\d\d:\d\d/);
  });

  test('what is committed and stored moves the second on, without a reload', async () => {
    const until = () => page.locator('.claim .second').getAttribute('datetime');
    await site.postgres.query('CREATE TABLE t AS SELECT clock_timestamp() AS at');
    const earlier = String(await until());
    await site.archiveAll();
    await waitFor(async () => String(await until()) > earlier, { withinMs, what: 'the second moves on' });
  });

  test('the picture is that of the windows which the daemon tells', async () => {
    const answer = await fetch(`http://127.0.0.1:${site.daemon.port}/main/recoverability`);
    const { timelines, basebackups, newest } = (await answer.json()) as RecoverabilityDocument;
    const [first] = timelines.flatMap(({ spans }) => spans);
    await page.reload();
    await painted(page);
    await page.locator(slider).press('Home');
    const secondOf = (time: string | null | undefined) => Math.floor(Date.parse(String(time)) / 1000) * 1000;
    const begins = Math.ceil(Date.parse(String(first?.from.time)) / 1000) * 1000;
    await waitFor(async () => (await valueNow(page)) === begins, { withinMs, what: 'the first second is told' });
    assert.match(String(await page.locator(slider).getAttribute('aria-valuetext')), /timeline 1: covered\. /);
    await page.locator(slider).press('End');
    // It may have moved on since.
    await waitFor(async () => (await valueNow(page)) >= secondOf(newest?.time), { withinMs, what: 'the newest second is told' });
    await page.locator('.tables summary').first().click();
    // They are made once they are opened.
    for (const { name } of basebackups) await page.locator('.tables').first().getByText(name).first().waitFor();
  });

  test('a second that is chosen shows what its restore would do, and the very command', async () => {
    await page.locator(slider).press('Home');
    await page.locator(slider).press('Enter');
    await has(page, /all \d+ objects that it needs are there/);
    await has(page, /^\d+ commits?, at most .* per minute/);
    const [name = ''] = await site.daemon.basebackups(1);
    const plan = await textOf(page, '.plan');
    assert.ok(plan.includes(name), plan);
    assert.match(plan, /\d+ segments?, .*[KM]iB[^]*To fetch[^]*Takes[^]*Last commit that it has/);
    const parsed = parseRestoreFlags(wordsOf(await textOf(page, '.command pre')).slice(1), {});
    assert.ok(parsed.do === 'get-basebackup');
    assert.deepEqual([parsed.flags.site, parsed.flags.basebackup], ['main', name]);
    assert.equal(new Date(String(parsed.flags.recoveryTargetTime)).getTime(), await valueNow(page));
  });

  test('a daemon that is away is told, with the age of what is shown, and comes back by itself', async () => {
    await site.daemon.stop();
    await has(page, /not connected; what is shown is of \d\d:\d\d:\d\d/);
    await has(page, 'Restorable to');
    await site.daemon.launch();
    await page.locator('#connection', { hasText: /^live$/ }).waitFor();
  });

  test('it asked nobody else, and nothing went wrong in it', () => {
    assert.deepEqual([...visitor.origins], [`http://127.0.0.1:${site.daemon.port}`]);
    assert.deepEqual(visitor.troubles, []);
  });
});
