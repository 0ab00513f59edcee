import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { Spool } from '../../transfer/spool.ts';
import { SampleBooks } from './sample-books.ts';
import { SpoolWatch } from './spool-watch.ts';
import { StoreWatch } from './store-watch.ts';

const startMs = Date.parse('2026-11-30T12:00:00Z');

function clockAt(ms: () => number) {
  return { now: () => new Date(startMs + ms()), monotonicMs: ms, sleep: () => Promise.resolve() };
}

test('what a store says of an object is an answer; what it cannot do is a failure; what we gave up is neither', () => {
  let ms = 0;
  const watch = new StoreWatch(clockAt(() => ms));
  const ended = (outcome: string) => watch.ended({ operation: 'head', key: 'k', durationMs: 1, outcome });
  ended('other');
  assert.deepEqual(watch.view, { lastSuccess: undefined, lastFailure: undefined });
  ended('object-missing');
  ms = 5_000;
  ended('store-unreachable');
  ms = 7_000;
  assert.deepEqual(watch.view, {
    lastSuccess: { at: new Date(startMs), msAgo: 7_000 },
    lastFailure: { at: new Date(startMs + 5_000), msAgo: 2_000, because: 'head (store-unreachable)' },
  });
});

test('what waits on the disk is counted, without what can be fetched again, and not more often than need be', async () => {
  await using scratch = await makeTemporaryDirectory();
  const spool = new Spool(scratch.path, 'main');
  let ms = 0;
  const watch = new SpoolWatch(
    spool,
    clockAt(() => ms),
  );
  await watch.look();
  assert.deepEqual(watch.view, { files: 0, bytes: 0 }, 'directories that are not there yet');
  await spool.ensure();
  const chunks = join(spool.basebackupsIncomingDirectory, 'backup', 'chunks');
  await mkdir(chunks, { recursive: true });
  for (const path of [join(spool.walDirectory, 'a'), join(chunks, 'b')]) await writeFile(path, 'xxxxx');
  await writeFile(join(spool.walDirectory, 'a.metadata'), '{}');
  await writeFile(join(spool.prefetchDirectory, 'c'), 'xxxxx');
  await watch.look();
  assert.deepEqual(watch.view, { files: 0, bytes: 0 }, 'it was looked at just now');
  ms = 3_600_000;
  await watch.look();
  assert.deepEqual(watch.view, { files: 2, bytes: 10 });
  await rm(spool.walDirectory, { recursive: true });
  await writeFile(spool.walDirectory, 'no directory');
  ms = 7_200_000;
  await watch.look();
  const { view } = watch;
  assert.match(String('because' in view && view.because), /cannot be looked at: .*ENOTDIR/);
});

test('samples outlive the process by the state file, whatever stands there', () => {
  let ms = 0;
  const clock = clockAt(() => ms);
  const books = new SampleBooks(clock, undefined);
  const sample = { systemIdentifier: 7n, timeline: 1, lsn: 100n, flushed: 100n, nextXid: '5' };
  books.of('main').add({ ...sample, time: new Date(startMs) });
  ms = 3_000;
  books.of('main').add({ ...sample, lsn: 200n, flushed: 200n, nextXid: undefined, time: new Date(startMs + 3_000) });
  assert.equal(books.of('main').sampledMsAgo, 0);
  const state = JSON.parse(JSON.stringify({ pghoard: { sites: { main: { server_samples: books.of('main').memory } } } })) as Record<
    string,
    unknown
  >;
  const later = new SampleBooks(clock, state).of('main');
  assert.deepEqual([later.samples, later.sampledMsAgo], [books.of('main').samples, undefined]);
  for (const memory of [
    null,
    7,
    {},
    { system_identifier: '7', samples: 'x' },
    { system_identifier: 'x', samples: [] },
    { system_identifier: '7', samples: ['yesterday 1 0/1 0/1', null, '2026-13-45T00:00:00Z 1 0/1 0/1'] },
  ]) {
    assert.deepEqual(new SampleBooks(clock, { pghoard: { sites: { main: { server_samples: memory } } } }).of('main').samples, []);
  }
  later.add({ ...sample, systemIdentifier: 8n, time: new Date(startMs + 4_000) });
  assert.equal(later.samples.length, 1, 'what another cluster was says nothing');
});

test('however long a daemon runs, it remembers few samples, and the younger the more of them', () => {
  let ms = 0;
  const book = new SampleBooks(
    clockAt(() => ms),
    undefined,
  ).of('main');
  for (let index = 0; index < 5_000; index++) {
    ms += 3_000;
    const lsn = BigInt(index) * 1000n;
    book.add({ systemIdentifier: 7n, timeline: 1, lsn, flushed: lsn, nextXid: undefined, time: new Date(startMs + ms) });
  }
  const ages = book.samples.map(({ time }) => (startMs + ms - time.getTime()) / 1000);
  assert.ok(ages.length <= 160, `${ages.length} samples`);
  const widest = Math.max(...ages.slice(1).map((age, index) => ((ages[index] ?? 0) - age) / (age + 60)));
  assert.ok(widest < 0.25, `the widest gap is ${widest} of its age`);
});
