import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { parseWalName } from '../../src/postgres/wal-name.ts';
import { runOurs } from '../support/commands.ts';
import { type GcsFault, TestGcs } from '../support/services/gcs.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

const segmentBytes = 16 * 1024 * 1024;

function refusal(status: number, reason: string, message: string): GcsFault {
  const body = JSON.stringify({ error: { code: status, message, errors: [{ reason, message, domain: 'global' }] } });
  return { status, body, headers: { 'content-type': 'application/json' } };
}

interface Outage {
  readonly what: string;
  readonly fault: GcsFault;
  readonly alert: string;
  readonly code: string;
  /** Of the table of faults. */
  readonly row: number;
}

/** What a store can do to a daemon for hours; here, until the test mends it. */
const outages: readonly Outage[] = [
  { what: 'breaks off every connection', fault: 'reset', alert: 'upload_retries_warning', code: 'store-unreachable', row: 10 },
  {
    what: 'does not take the key any more',
    fault: refusal(401, 'authError', 'Invalid Credentials'),
    alert: 'store_denied',
    code: 'store-denied',
    row: 26,
  },
  {
    what: 'has lost the bucket',
    fault: refusal(404, 'notFound', 'The specified bucket does not exist.'),
    alert: 'store_missing',
    code: 'store-missing',
    row: 11,
  },
];

describe('a daemon and a store that fails for long', () => {
  let gcs: TestGcs;
  let site: TestSite;

  before(async () => {
    gcs = await TestGcs.start();
    gcs.faults.push(() => 'reset');
    const object_storage = {
      storage_type: 'google',
      project_id: 'test-project',
      bucket_name: 'backups',
      api_endpoint: gcs.url,
      credentials: gcs.serviceAccount,
    };
    site = await TestSite.start({ site: { object_storage } });
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await gcs?.[Symbol.asyncDispose]();
  });

  afterEach(mend);

  test('a new site whose store cannot be reached at the start makes its bucket once it can', async () => {
    assert.equal(gcs.buckets.get('backups'), undefined);
    mend();
    await site.archiveAll();
    assert.ok(gcs.buckets.get('backups'));
    assert.match(site.daemon.log, /made .*backups.*which did not exist/);
    await site.basebackup();
  });

  for (const { what, fault, alert, code, row } of outages) {
    test(`a store that ${what}: an alert within a cycle, WAL is kept, nothing hammers, and all is stored once it is mended (${row})`, async () => {
      gcs.faults.push(({ url = '' }) => (url.startsWith('/token') && fault !== 'reset' ? undefined : fault));
      const names = [await site.postgres.switchWal(), await site.postgres.switchWal(), await site.postgres.switchWal()];
      await alerted(alert);
      const requestsBefore = gcs.log.length;
      const windowMs = 2_000;
      await waited(windowMs);
      const perSecond = ((gcs.log.length - requestsBefore) * 1000) / windowMs;
      assert.ok(perSecond < 40, `${perSecond} requests a second`);
      assert.ok((await waitingInPostgres()).includes(names[0] ?? ''), 'PostgreSQL keeps its WAL');
      await assertCommandsSay(code);
      mend();
      await site.archiveAll();
      for (const name of names) await site.daemon.archived(name);
      await assertWithoutHole();
    });
  }

  test('a suspended account may still read: restores go on, and storing is an alert at once (12)', async () => {
    await alertGone('upload_retries_warning');
    gcs.faults.push(({ method, url = '' }) =>
      method === 'POST' && url.includes('/upload/') ? refusal(403, 'forbidden', 'Suspended.') : undefined,
    );
    const name = await site.postgres.switchWal();
    await alerted('upload_retries_warning');
    assert.match(await site.daemon.restore(site.place('restored')), /restoration complete/);
    mend();
    await site.archiveAll();
    await site.daemon.archived(name);
    await assertWithoutHole();
    assert.equal(gcs.log.filter(({ method, path }) => method === 'POST' && /\/b\?/.test(path)).length, 1, 'one bucket was made, once');
  });

  async function assertCommandsSay(code: string): Promise<void> {
    const config = ['--config', site.daemon.configFile, '--site', 'main'];
    const runs = [runOurs('restore', ['list-basebackups', ...config]), runOurs('archive-cleanup', ['--dry-run', ...config])];
    for (const result of await Promise.all(runs)) {
      assert.equal(result.code, 1);
      assert.match(result.stderr, new RegExp(`FATAL: ${code}: `));
    }
  }

  function mend(): void {
    gcs.faults.length = 0;
  }

  async function alerted(name: string): Promise<void> {
    await waitFor(() => existsSync(join(site.daemon.directory, 'alerts', name)), {
      withinMs: 90_000,
      what: () => `the alert ${name} is raised:\n${site.daemon.log}`,
    });
  }

  async function alertGone(name: string): Promise<void> {
    await waitFor(() => !existsSync(join(site.daemon.directory, 'alerts', name)), {
      withinMs: 60_000,
      what: () => `the alert ${name} goes away:\n${site.daemon.log}`,
    });
  }

  async function waitingInPostgres(): Promise<string[]> {
    const marks = await readdir(join(site.postgres.dataDirectory, 'pg_wal', 'archive_status'));
    return marks.filter((mark) => mark.endsWith('.ready')).map((mark) => mark.slice(0, -'.ready'.length));
  }

  async function assertWithoutHole(): Promise<void> {
    const numbers: bigint[] = [];
    for await (const { name } of (await site.daemon.catalog()).walFiles('segment')) numbers.push(parseWalName(name, segmentBytes).number);
    const first = numbers[0] ?? 0n;
    assert.deepEqual(
      numbers,
      numbers.map((_, i) => first + BigInt(i)),
    );
  }
});

/** A rate can only be told of a span of time. */
async function waited(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
