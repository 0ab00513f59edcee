import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { chunked, FaultSite } from '../support/fault-site.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { waitFor } from '../support/wait-for.ts';

function seeded(t: TestContext): SeededRandom {
  const random = new SeededRandom();
  t.diagnostic(`PGHOARD_TEST_SEED=${random.seed}`);
  return random;
}

/** After a crash: the base backup that was begun is taken after all, what was complete before still is, nothing torn is visible, and WAL is archived on. */
async function recovered(site: FaultSite, complete: readonly string[]): Promise<readonly string[]> {
  await site.requestServed();
  await site.settle();
  const { basebackups } = await site.check();
  assert.deepEqual(basebackups.slice(0, complete.length), complete, 'no complete base backup is lost');
  assert.equal(basebackups.length, complete.length + 1, 'what was requested is taken once');
  return basebackups;
}

/** The next base backup is complete and takes away what the killed ones have left in the store. */
async function backedUpAgain(site: FaultSite): Promise<void> {
  await site.takeBasebackup();
  const { orphanChunks } = await site.check();
  assert.deepEqual(orphanChunks, []);
  assert.deepEqual(await readdir(join(site.daemon.spoolDirectory, 'basebackup_incoming')), []);
}

/** Chunks of base backups that are not complete. */
async function unfinishedChunks(site: FaultSite, complete: readonly string[]): Promise<number> {
  const chunks = await site.chunks();
  return chunks.filter((path) => !complete.includes(basename(dirname(path)))).length;
}

test('a daemon that is killed -9 while it makes chunks leaves no torn base backup, and the next one cleans up', async (t) => {
  const random = seeded(t);
  await using site = await FaultSite.start({ encrypted: true, site: { ...chunked, basebackup_count: 20 } });
  let complete: readonly string[] = [await site.takeBasebackup()];
  const chunksEach = (await site.chunks()).length;
  assert(chunksEach > 10, `only ${chunksEach} chunks`);
  for (let kill = 1; kill <= 5; kill++) {
    const wanted = random.between(0, chunksEach - 1);
    await site.beginBasebackup();
    const isMoment = async () => (await unfinishedChunks(site, complete)) >= wanted;
    await waitFor(isMoment, {
      withinMs: 60_000,
      everyMs: 1,
      what: () => `${wanted} chunks are in the store:\n${site.daemon.log.slice(-3000)}`,
    });
    await site.daemon.kill9();
    t.diagnostic(`kill ${kill}: at chunk ${wanted} of ${chunksEach}, ${await unfinishedChunks(site, complete)} stored`);
    await site.daemon.launch();
    complete = await recovered(site, complete);
  }
  await backedUpAgain(site);
  await site.restoreAndCompare();
});

test('a daemon that is killed -9 while it takes the stream of pg_basebackup leaves no torn base backup', async (t) => {
  const random = seeded(t);
  await using site = await FaultSite.start({ site: { basebackup_mode: 'pipe', basebackup_count: 20 } });
  let complete: readonly string[] = [await site.takeBasebackup()];
  const { entries } = await (await site.daemon.catalog()).basebackups();
  const size = entries[0]?.size ?? 0;
  for (let kill = 1; kill <= 5; kill++) {
    const wanted = random.between(0, size * 0.9);
    await site.beginBasebackup();
    const seen = await site.spooledPart(wanted);
    await site.daemon.kill9();
    t.diagnostic(`kill ${kill}: at ${seen} of some ${size} bytes`);
    await site.daemon.launch();
    complete = await recovered(site, complete);
  }
  await backedUpAgain(site);
  await site.restoreAndCompare();
});
