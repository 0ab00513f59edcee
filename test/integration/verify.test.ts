import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { EvidenceReader } from '../../src/catalog/evidence/read-evidence.ts';
import { CodecPool } from '../../src/codec/pool.ts';
import { SiteVerify } from '../../src/daemon/site-verify.ts';
import { damageInWords } from '../../src/daemon/site-verify-of-site.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { noMetrics } from '../../src/lib/metrics.ts';
import { storageOptions } from '../../src/storage/options.ts';
import { runOurs } from '../support/commands.ts';
import { siteName } from '../support/daemon.ts';
import { TestSite } from '../support/test-site.ts';
import { VerifyBench } from '../support/verify-bench.ts';

interface Told {
  readonly code: number | null;
  readonly report: {
    readonly result: string;
    readonly findings: readonly { readonly severity: string; readonly code: string; readonly object: string; readonly what: string }[];
    readonly basebackups: Readonly<Record<string, number>>;
    readonly read: { readonly bytes: number; readonly objects: number };
    readonly unproven: { readonly objects: number };
    readonly stopped_by: string | null;
  };
}

describe('what a real cluster has stored', () => {
  let site: TestSite;
  const taken = new Map<string, string>();

  before(async () => {
    site = await TestSite.start({ initdb: ['--wal-segsize=1', '--data-checksums'] });
    await site.postgres.query('CREATE TABLE words AS SELECT i, md5(i::text) AS word FROM generate_series(1, 20000) AS i');
    for (const mode of ['local-tar', 'pipe', 'delta', 'stream']) {
      await site.daemon.reconfigure({ site: { basebackup_mode: mode, basebackup_count: 10 } });
      taken.set(mode, await site.basebackup());
    }
    await site.postgres.query('INSERT INTO words SELECT i, md5(i::text) FROM generate_series(1, 20000) AS i');
    await site.archiveAll();
  });
  after(() => site?.[Symbol.asyncDispose]());

  async function verify(...flags: readonly string[]): Promise<Told> {
    const args = ['verify', '--config', site.daemon.configFile, '--site', siteName, '--json', ...flags];
    const { code, stdout, stderr } = await runOurs('pghoard', args);
    assert.ok(stdout.startsWith('{'), stdout + stderr);
    return { code, report: JSON.parse(stdout) as Told['report'] };
  }

  function fileOf(key: string): string {
    return join(site.daemon.storeDirectory, key);
  }

  test('is sound in every mode, is read once, and by its budget', async () => {
    const part = await verify('--budget', '2M');
    assert.deepEqual([part.code, part.report.stopped_by, part.report.result], [0, 'budget', 'sound']);
    assert.ok(part.report.read.bytes <= 2 * 1024 * 1024, `${part.report.read.bytes} bytes`);
    const { code, report } = await verify();
    assert.deepEqual(report.findings, []);
    assert.deepEqual([code, report.basebackups['sound'], report.unproven.objects], [0, taken.size, 0]);
    const again = await verify();
    assert.ok(again.report.read.objects <= 2, `${again.report.read.objects} objects are read again`);
    const anew = await verify('--all');
    assert.deepEqual([anew.code, anew.report.basebackups['sound'], anew.report.unproven.objects], [0, taken.size, 0]);
    const one = await verify('--basebackup', taken.get('stream') as string);
    assert.ok(one.report.read.bytes < anew.report.read.bytes / 2);
  });

  test('pages that were damaged before they were stored, and files that differ from the list of PostgreSQL, are told', async () => {
    const [{ path } = {}] = await site.postgres.query("SELECT pg_relation_filepath('words') AS path");
    const file = join(site.postgres.dataDirectory, String(path));
    await site.postgres.query('CHECKPOINT');
    const bytes = await readFile(file);
    const changed = Buffer.from(bytes);
    changed[8192 * 3 + 4000] = (changed[8192 * 3 + 4000] as number) ^ 1;
    await site.daemon.reconfigure({
      site: { basebackup_mode: 'local-tar', basebackup_verify_checksums: false, basebackup_chunk_size: 2 ** 20 },
    });
    await writeFile(file, changed);
    let name: string;
    try {
      name = await site.basebackup();
    } finally {
      await writeFile(file, bytes);
    }
    const { code, report } = await verify('--basebackup', name);
    // The base backup is as the server gave it: that is a warning.
    assert.deepEqual([code, report.basebackups['damaged']], [3, 0]);
    const told = ({ findings }: Pick<Told['report'], 'findings'>) =>
      findings.filter(({ code: found }) => found === 'page-checksum').map(({ what }) => what);
    assert.match(told(report).join(), new RegExp(`: ${String(path)}, block 3`));
    const { verify: evidence } = await new EvidenceReader(await site.daemon.catalog()).read(new AbortController().signal);
    const noted = evidence.find((each) => each.kind === 'basebackup' && each.name === name);
    assert.equal(noted?.kind === 'basebackup' && noted.result, 'sound');
    // It stays known, without being read again, until it is gone.
    const later = await verify('--budget', '1');
    assert.deepEqual([later.code, told(later.report)], [3, told(report)]);
    // It is told once where it is found again, and the base backup is not read to its end then.
    await using bench = new VerifyBench();
    const { object_storage: storage } = await site.daemon.siteConfig();
    let isFound = false;
    const cut = await bench.verify({ storage: storageOptions.parse(storage), prefix: siteName }, undefined, {
      budget: { allows: () => (isFound ? 'used up' : 'yes'), spend: () => {} },
      onFinding: ({ code: found }) => {
        isFound ||= found === 'page-checksum';
      },
    });
    assert.deepEqual(told(cut), told(report));
    const catalog = await site.daemon.catalog();
    await catalog.forgetBasebackup(await catalog.basebackup(name));
    assert.equal((await verify()).code, 0);
  });

  test('the daemon tells of an object that is damaged, and of its being mended', async () => {
    const catalog = await site.daemon.catalog();
    const { object_storage } = await site.daemon.siteConfig();
    await using pool = new CodecPool(1);
    let [ms, isQuiet] = [0, true];
    const clock = {
      ...systemClock,
      monotonicMs: () => ms,
      sleep: systemClock.sleep.bind(systemClock),
      now: systemClock.now.bind(systemClock),
    };
    const daemon = new SiteVerify({
      site: siteName,
      catalog,
      storage: storageOptions.parse(object_storage),
      privateKeys: {},
      options: { bytes_per_day: 10 ** 9, again_after_days: 30 },
      pool,
      isOwn: () => true,
      isQuiet: () => isQuiet,
      watch: (work) => work(new AbortController().signal, () => {}),
      metrics: noMetrics,
      clock,
      log: silentLog,
      signal: new AbortController().signal,
    });
    const pass = async () => {
      ms += 3_600_000;
      await daemon.step();
      return damageInWords(daemon);
    };
    assert.equal(damageInWords(daemon), undefined, 'nobody knows yet');
    isQuiet = false;
    assert.equal(await pass(), undefined, 'it is in nobody’s way');
    isQuiet = true;
    assert.equal(await pass(), null);
    const [segment] = (await readdir(fileOf(`${siteName}/xlog`))).filter((name) => /^[0-9A-F]{24}$/.test(name)).toSorted();
    const path = fileOf(`${siteName}/xlog/${segment}`);
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, bytes.length - 100));
    assert.match((await pass()) ?? '', new RegExp(`${segment}: .*damaged`));
    await writeFile(path, bytes);
    assert.equal(await pass(), null, 'it is mended');
    const name = taken.get('pipe') as string;
    const main = fileOf(`${siteName}/basebackup/${name}`);
    const whole = await readFile(main);
    whole[whole.length >> 1] = (whole[whole.length >> 1] as number) ^ 1;
    await writeFile(main, whole);
    assert.match((await pass()) ?? '', new RegExp(name));
    await catalog.forgetBasebackup(await catalog.basebackup(name));
    assert.equal(await pass(), null, 'it is gone');
    await rm(fileOf(`${siteName}/xlog/${segment}.metadata`), { force: true });
  });
});
