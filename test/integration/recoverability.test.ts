import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { fingerprintOf } from '../../src/catalog/evidence/fingerprint.ts';
import { storeDrillEvidence, storeVerifyEvidence } from '../../src/catalog/evidence/store-evidence.ts';
import { type RecoverabilityDocument, recoverabilityDocument } from '../../src/catalog/recoverability/recoverability-document.ts';
import { healthDocument } from '../../src/daemon/health/health-document.ts';
import type { CommitsDocument } from '../../src/daemon/http/api.ts';
import { sourceOfBytes } from '../../src/storage/object-source.ts';
import { siteName } from '../support/daemon.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

const withinMs = 60_000;

describe('which moments can be restored, on a real server with two timelines', () => {
  let site: TestSite;
  let basebackup: string;
  /** The segment that is lost and found again, of the second timeline. */
  let segment: string;

  before(async () => {
    const settings = { wal_keep_size: '0', track_commit_timestamp: 'on' };
    // A hole must stay one, or the base backup that mends it hides it.
    site = await TestSite.start({
      initdb: ['--wal-segsize=1'],
      settings,
      site: { basebackup_after_wal_gap: false, wal_listing_seconds: 1 },
    });
    basebackup = await site.basebackup();
    await commit();
    await site.archiveAll();
  });
  after(() => site?.[Symbol.asyncDispose]());

  test('from the end of a base backup on all is covered', async () => {
    const found = await becomes('all is covered', ({ newest }) => newest?.time != null);
    assert.deepEqual([found.is_known, found.current_timeline, found.timelines.length], [true, 1, 1]);
    assert.deepEqual(statesOf(found, 1), ['covered']);
    const [mark] = found.basebackups;
    assert.deepEqual([mark?.name, mark?.state, mark?.reaches?.timeline], [basebackup, 'covered', 1]);
    const [span] = spansOf(found, 1);
    assert.deepEqual([span?.basebackups, span?.from.time], [[basebackup], mark?.end]);
  });

  test('commits are told by the minute, and restore points by their names', async () => {
    await site.postgres.query("SELECT pg_create_restore_point('before the worst')");
    for (let each = 0; each < 5; each++) await commit();
    await site.archiveAll();
    let found: CommitsDocument | undefined;
    await waitFor(
      async () => {
        const answer = await site.daemon.request('GET', `/${siteName}/commits?from=2026-01-01T00:00:00Z&buckets=3`);
        assert.equal(answer.status, 200);
        found = (await answer.json()) as CommitsDocument;
        return found.is_complete && found.restore_points.length === 1;
      },
      { withinMs, what: () => `everything is indexed: ${JSON.stringify(found)}` },
    );
    assert.deepEqual([found?.restore_points[0]?.name, found?.restore_points[0]?.timeline], ['before the worst', 1]);
    const commits = found?.timelines[0]?.commits ?? [];
    assert.ok(commits.length <= 3 && (commits.at(-1) ?? 0) >= 7, `${JSON.stringify(commits)}: six inserts and the table`);
    assert.equal((await site.daemon.request('GET', `/${siteName}/commits?from=yesterday`)).status, 400);
  });

  test('a promotion begins a timeline that goes on from the first one', async () => {
    await writeFile(join(site.postgres.dataDirectory, 'standby.signal'), '');
    await site.postgres.restart();
    await site.postgres.query('SELECT pg_promote()');
    await site.postgres.promoted();
    await commit();
    segment = await site.archiveAll();
    await commit();
    await site.archiveAll();
    const found = await becomes('both are covered', (each) => statesOf(each, 2).join() === 'covered');
    const second = found.timelines.find(({ timeline }) => timeline === 2);
    assert.deepEqual([second?.parent?.timeline, second?.is_current, found.newest?.timeline], [1, true, 2]);
    assert.deepEqual([statesOf(found, 1), second?.parent?.switch_lsn], [['covered'], spansOf(found, 1).at(-1)?.to.lsn]);
    assert.deepEqual(spansOf(found, 2)[0]?.basebackups, [basebackup], 'the one of the first timeline leads there');
  });

  test('without its history the second timeline is a hole; a base backup that is not complete is told', async () => {
    const name = '00000002.history';
    const kept = await lose(name, async ({ store, keys }) => {
      await store.put(keys.chunk('2099-01-01_00-00_0', 1), sourceOfBytes(Buffer.from('x')), { metadata: {} });
    });
    const isKnown = (each: RecoverabilityDocument) =>
      statesOf(each, 2).join() === 'hole' && each.basebackups.some(({ state }) => state === 'unfinished');
    const found = await becomes('both are known', isKnown);
    const [hole] = spansOf(found, 2);
    assert.deepEqual([hole?.cause?.kind, hole?.cause?.timeline], ['history-missing', 2]);
    assert.match(String(hole?.because), /00000002\.history is missing/);
    assert.equal(found.newest?.timeline, 1);
    assert.equal(found.basebackups.find(({ state }) => state === 'unfinished')?.name, '2099-01-01_00-00_0');
    await mend(kept, async ({ store, keys }) => store.delete(keys.chunk('2099-01-01_00-00_0', 1)));
    await becomes('both are mended', (each) => statesOf(each, 2).join() === 'covered' && each.basebackups.length === 1);
    const named = await becomes('restore points are known', (each) => each.timelines.some((of) => of.restore_points.length > 0));
    const points = named.timelines.map(({ timeline, restore_points: of }) => [
      timeline,
      of.map((point) => [point.name, point.is_reachable]),
    ]);
    assert.deepEqual(points, [
      [1, [['before the worst', true]]],
      [2, []],
    ]);
  });

  test('behind a segment that vanishes while the daemon runs there is a hole, with its name as the cause, until it is back', async () => {
    await rm(join(site.postgres.dataDirectory, 'pg_wal', segment), { force: true });
    const catalog = await site.daemon.catalog();
    const kept = await takeOut(catalog, segment);
    const found = await becomes('the hole is known', (each) => statesOf(each, 2).includes('hole'));
    const hole = spansOf(found, 2).find(({ state }) => state === 'hole');
    assert.deepEqual([hole?.cause?.kind, hole?.cause?.first_segment, hole?.cause?.segments], ['wal-missing', segment, 1]);
    assert.match(String(hole?.because), new RegExp(`WAL segment ${segment} is missing`));
    await catalog.store.put(catalog.walKey(segment), sourceOfBytes(kept.bytes), { metadata: kept.metadata });
    await becomes('the hole is mended', (each) => statesOf(each, 2).join() === 'covered');
  });

  test('what verify has found damaged does not count, until there is another object; what a drill has replayed is proven', async () => {
    const damaged = { verified_at: new Date(0).toISOString(), bytes: 1, result: 'corrupt', findings: [] } as const;
    const replayed = String(spansOf(await recoverability(), 1).at(-1)?.to.lsn);
    await changeStore(async (catalog) => {
      const stored = await catalog.findWal(segment);
      assert(stored);
      const run = { from: segment, to: segment, fingerprint: fingerprintOf(stored), ...damaged };
      await storeVerifyEvidence(catalog, { format: 1, kind: 'wal', timeline: 2, segment_bytes: 1 << 20, history: null, runs: [run] });
      await storeDrillEvidence(catalog, {
        format: 1,
        basebackup,
        timeline: 1,
        target: { kind: 'latest', value: null },
        replayed_to: { timeline: 1, lsn: replayed, time: null },
        begun_at: new Date().toISOString(),
        duration_seconds: 1,
        result: 'passed',
        because: null,
        checks: [],
        restored_bytes: null,
        replayed_segments: null,
      });
    });
    const found = await becomes('the damage is known', (each) => statesOf(each, 2).includes('hole'));
    const hole = spansOf(found, 2).find(({ state }) => state === 'hole');
    assert.deepEqual([hole?.cause?.kind, hole?.cause?.first_segment], ['wal-corrupt', segment]);
    assert.deepEqual([statesOf(found, 1)[0], found.basebackups[0]?.state], ['proven', 'proven']);
    const copy = await lose(segment);
    await mend(copy);
    await becomes('another object is in its place', (each) => !statesOf(each, 2).includes('hole'));
  });

  test('a base backup that is damaged leaves nothing to restore, and the status says the same', async () => {
    const damaged = { verified_at: new Date(0).toISOString(), bytes: 1, result: 'corrupt', findings: [] } as const;
    await changeStore(async (catalog) => {
      const fingerprint = fingerprintOf(await catalog.basebackup(basebackup));
      await storeVerifyEvidence(catalog, { format: 1, kind: 'basebackup', name: basebackup, fingerprint, ...damaged });
    });
    const found = await becomes('it is known', ({ basebackups: [mark] }) => mark?.state === 'corrupt');
    assert.deepEqual([found.newest, statesOf(found, 1)], [null, ['hole']]);
    assert.equal(spansOf(found, 1)[0]?.cause?.kind, 'basebackup-corrupt');
    const answer = await site.daemon.request('GET', `/${siteName}/status`);
    const { restorable } = healthDocument.parse(await answer.json());
    assert.deepEqual([restorable.state, restorable.because], ['no', `base backup ${basebackup} is damaged`]);
    await changeStore(({ store, keys }) => store.delete(keys.verifyEvidenceOfBasebackup(basebackup)));
    await becomes('it is mended', ({ newest }) => newest?.timeline === 2);
  });

  interface Kept {
    readonly name: string;
    readonly bytes: Buffer;
    readonly metadata: Readonly<Record<string, string>>;
  }

  async function commit(): Promise<void> {
    await site.postgres.query('CREATE TABLE IF NOT EXISTS t (i int)');
    await site.postgres.query('INSERT INTO t VALUES (1)');
  }

  /** While no daemon sees it; its first look afterwards is at everything. */
  async function changeStore<T>(change: (catalog: Catalog) => Promise<T>): Promise<T> {
    await site.daemon.stop();
    const changed = await change(await site.daemon.catalog());
    await site.daemon.launch();
    return changed;
  }

  async function lose(name: string, also: (catalog: Catalog) => Promise<unknown> = async () => {}): Promise<Kept> {
    await rm(join(site.postgres.dataDirectory, 'pg_wal', name), { force: true });
    return changeStore(async (catalog) => {
      const kept = await takeOut(catalog, name);
      await also(catalog);
      return kept;
    });
  }

  async function takeOut(catalog: Catalog, name: string): Promise<Kept> {
    const { store } = catalog;
    const key = catalog.walKey(name);
    const { entry, bytes } = await store.get(key);
    const pieces: Uint8Array[] = [];
    for await (const piece of bytes) pieces.push(piece);
    await store.delete(key);
    return { name, bytes: Buffer.concat(pieces), metadata: entry.metadata };
  }

  async function mend({ name, bytes, metadata }: Kept, also: (catalog: Catalog) => Promise<unknown> = async () => {}): Promise<void> {
    await changeStore(async (catalog) => {
      await catalog.store.put(catalog.walKey(name), sourceOfBytes(bytes), { metadata });
      await also(catalog);
    });
  }

  async function recoverability(): Promise<RecoverabilityDocument> {
    const answer = await site.daemon.request('GET', `/${siteName}/recoverability`);
    assert.equal(answer.status, 200);
    return recoverabilityDocument.parse(await answer.json());
  }

  async function becomes(what: string, isSo: (found: RecoverabilityDocument) => boolean): Promise<RecoverabilityDocument> {
    let found = await recoverability();
    await waitFor(
      async () => {
        found = await recoverability();
        return found.is_known && isSo(found);
      },
      { withinMs, what: () => `${what}: ${JSON.stringify(found, undefined, 1)}` },
    );
    return found;
  }
});

function spansOf(found: RecoverabilityDocument, timeline: number): RecoverabilityDocument['timelines'][number]['spans'] {
  return found.timelines.find((each) => each.timeline === timeline)?.spans ?? [];
}

function statesOf(found: RecoverabilityDocument, timeline: number): readonly string[] {
  return spansOf(found, timeline).map(({ state }) => state);
}
