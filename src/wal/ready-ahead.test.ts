import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { waitFor } from '../../test/support/wait-for.ts';
import { mebibyte } from '../../test/support/wal-segment.ts';
import { TestWalSite } from '../../test/support/wal-site.ts';
import { CodecPool } from '../codec/pool.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { type Log, silentLog } from '../lib/log.ts';
import { ReadyAhead, type ReadyAheadDeps } from './ready-ahead.ts';

const pool = new CodecPool(2);
after(() => pool.close());

const names = Array.from({ length: 9 }, (_, n) => `00000001000000000000000${n + 1}`);
const [first, second, third, fourth, fifth] = names as [string, string, string, string, string];

interface Bench extends AsyncDisposable {
  readonly site: TestWalSite;
  readonly ahead: ReadyAhead;
  /** As PostgreSQL's archiver asks for it. */
  readonly ask: (name: string) => Promise<string>;
  /** Finishes segments: they are in pg_wal and marked. */
  readonly finish: (names: readonly string[]) => Promise<void>;
}

async function startBench(deps: Partial<ReadyAheadDeps> = {}): Promise<Bench> {
  const site = await TestWalSite.start(pool);
  const { archiver } = site;
  const ahead = new ReadyAhead({
    site: 'main',
    archiver,
    cluster: () => ({ segmentBytes: mebibyte }),
    filesMax: 4,
    log: silentLog,
    ...deps,
  });
  await mkdir(join(site.walDirectory, 'archive_status'));
  const finish = async (finished: readonly string[]) => {
    for (const name of finished) {
      await site.write(name);
      await writeFile(join(site.walDirectory, 'archive_status', `${name}.ready`), '');
    }
  };
  const ask = (name: string) => ahead.archive(name, join(site.walDirectory, name));
  return { site, ahead, ask, finish, [Symbol.asyncDispose]: () => site[Symbol.asyncDispose]() };
}

async function stored({ site }: Bench, name: string): Promise<void> {
  await waitFor(() => site.catalog.findWal(name), { withinMs: 30_000, what: `${name} is stored` });
  await waitFor(async () => (await site.spooled()).length === 0, { withinMs: 30_000, what: 'nothing is left to do' });
}

test('what PostgreSQL has marked as finished is stored before it asks, and then it need not wait', async () => {
  await using bench = await startBench();
  await bench.finish([first, second, third, fifth]);
  await bench.site.write(fourth);
  assert.equal(await bench.ask(first), 'stored');
  await stored(bench, third);
  const seen = bench.site.store.calls.length;
  assert.equal(await bench.ask(second), 'stored');
  assert.equal(await bench.ask(third), 'stored');
  assert.equal(bench.site.store.calls.length, seen, 'nothing had to be looked up');
  assert.equal(await bench.site.catalog.findWal(fourth), undefined, 'it is not marked');
  assert.equal(await bench.site.catalog.findWal(fifth), undefined, 'it does not follow');
  for (const name of [first, second, third])
    assert.deepEqual(await bench.site.fetchBytes(name), await readFile(join(bench.site.walDirectory, name)));
});

test('a file that is not the same any more is compared with what was stored', async () => {
  await using bench = await startBench();
  await bench.finish([first, second, third]);
  await bench.ask(first);
  await stored(bench, third);
  await bench.site.write(second, { filling: 'other' });
  await assert.rejects(bench.ask(second), { code: 'wal-conflict' });
  await bench.site.write(third);
  assert.equal(await bench.ask(third), 'already-stored');
});

test('what was stored ahead is believed once, and not for long', async () => {
  let nowMs = 0;
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
  await using bench = await startBench({ clock });
  await bench.finish([first, second, third]);
  await bench.ask(first);
  await stored(bench, third);
  assert.equal(await bench.ask(second), 'stored');
  assert.equal(await bench.ask(second), 'already-stored', 'it has been looked up');
  nowMs = 6 * 60_000;
  await bench.site.store.delete(bench.site.catalog.walKey(third));
  assert.equal(await bench.ask(third), 'stored');
  assert.ok(await bench.site.catalog.findWal(third), 'it has been stored again');
});

test('no more is done ahead than may be, and it is hurried when it is asked for', async () => {
  await using bench = await startBench();
  await bench.finish(names);
  const released = Promise.withResolvers<void>();
  bench.site.store.inject({ operation: 'put', key: /[2-9]$/, how: 'wait', until: released.promise });
  await bench.ask(first);
  await waitFor(() => bench.site.store.count('put') === 5, { withinMs: 30_000, what: 'four uploads ahead' });
  const asked = bench.ask(second);
  released.resolve();
  assert.equal(await asked, 'stored');
  await stored(bench, names[5] as string);
  assert.equal(bench.site.store.count('put', new RegExp(second)), 1, 'the request joined what was under way');
  assert.equal(await bench.site.catalog.findWal(names[6] as string), undefined, 'that is one too far');
  for (const name of names.slice(2)) assert.equal(await bench.ask(name), 'stored');
});

test('a failure ahead stays without consequences: the file is archived when it is asked for', async () => {
  await using bench = await startBench();
  await bench.finish(names);
  bench.site.store.inject({ operation: 'put', key: /[2-5]$/, how: 'refuse' });
  await bench.ask(first);
  await waitFor(() => bench.site.store.count('put') >= 5, { withinMs: 30_000, what: 'four attempts ahead' });
  await waitFor(async () => (await bench.site.spooled()).length === 0, { withinMs: 30_000, what: 'nothing is left of them' });
  assert.equal(bench.site.store.count('put'), 5, 'none was repeated');
  bench.site.store.heal();
  for (const name of names.slice(1)) assert.equal(await bench.ask(name), 'stored', name);
});

test('a name that is stored with other content is refused when it is asked for', async () => {
  await using bench = await startBench();
  await bench.finish([first, second]);
  await bench.site.archiver.archive(second, await bench.site.write(second, { filling: 'of a clone' }));
  await bench.site.write(second);
  await bench.ask(first);
  await assert.rejects(bench.ask(second), { code: 'wal-conflict' });
});

test('at the end, what nobody asked for is given up', async () => {
  await using bench = await startBench();
  await bench.finish(names);
  const released = Promise.withResolvers<void>();
  bench.site.store.inject({ operation: 'head', key: /[2-5]$/, how: 'wait', until: released.promise });
  await bench.ask(first);
  await waitFor(() => bench.site.store.count('head') === 5, { withinMs: 30_000, what: 'four files ahead' });
  bench.ahead.stop();
  assert.equal(await bench.ask(names[7] as string), 'stored', 'what is asked for is archived');
  released.resolve();
  await bench.site.archiver.settled();
  assert.equal(bench.site.store.count('put'), 2);
  assert.deepEqual(await bench.site.spooled(), []);
});

test('an archive_status that cannot be read is noted once', async () => {
  const notes: string[] = [];
  const log: Log = { ...silentLog, info: (_fields, message) => void notes.push(message) };
  await using site = await TestWalSite.start(pool);
  await writeFile(join(site.walDirectory, 'archive_status'), 'not a directory');
  const { archiver } = site;
  const ahead = new ReadyAhead({ site: 'main', archiver, cluster: () => ({ segmentBytes: mebibyte }), filesMax: 4, log });
  for (const name of [first, second]) assert.equal(await ahead.archive(name, await site.write(name)), 'stored');
  await waitFor(() => notes.length > 0, { withinMs: 30_000, what: 'the note' });
  assert.equal(notes.length, 1);
  assert.match(notes[0] ?? '', /not archived ahead.*ENOTDIR/);
});
