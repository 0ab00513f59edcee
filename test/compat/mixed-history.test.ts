import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fixture } from './fixture.ts';
import { type Change, History, isOfFirstTimeline } from './history.ts';

/** A cluster out of a fixture whose history our daemon has gone on writing, with other settings for each base backup. */
async function continued(history: History, changes: readonly Change[]): Promise<{ readonly olds: string[]; readonly news: string[] }> {
  const olds = await history.basebackups();
  for (const [index, change] of changes.entries()) {
    await history.reconfigure(change);
    await history.write(`before our base backup ${index}`);
    await history.takeBasebackup();
  }
  await history.write('at the end');
  const names = await history.basebackups();
  assert.deepEqual(names.slice(0, olds.length), olds);
  assert((await history.stored('xlog')).some(isOfFirstTimeline), 'until now the WAL of the original is there');
  return { olds, news: names.slice(olds.length) };
}

async function expectOldState(fixture: Fixture, history: History, state: string): Promise<void> {
  const flags = ['--basebackup', fixture.basebackupOf(state), '--recovery-target-name', state];
  await using server = await history.restored(`old-${state}`, flags);
  await fixture.expectState(server, state);
}

test('what 1.4.0 began is continued in other modes and codecs, restored from before and after, and pruned', async () => {
  await using fixture = await Fixture.unpack('g-pghoard14-pipe-snappy-enc');
  await using history = await History.begin(fixture);
  const { olds, news } = await continued(history, [
    { global: { compression: { algorithm: 'zstd', level: 3 } }, site: { basebackup_mode: 'local-tar' } },
    { global: { compression: { algorithm: 'lzma', level: 0 } }, site: { encryption_key_id: null, basebackup_mode: 'basic' } },
    { global: { compression: { algorithm: 'snappy' } }, site: { basebackup_mode: undefined, stream_compression: true } },
  ]);
  await expectOldState(fixture, history, 'rp_one');
  for (const name of [...olds, ...news.slice(0, 1)]) await history.expectRestored(name);

  await history.prune(2);
  assert.deepEqual(await history.basebackups(), news.slice(1));
  for (const name of news.slice(1)) await history.expectRestored(name);
});

test('delta backups share the files of those that the original took, which stay when those are pruned', async () => {
  await using fixture = await Fixture.unpack('d-snappy-delta-plain');
  await using history = await History.begin(fixture);
  const before = await history.stored('basebackup_delta');
  const { news } = await continued(history, [
    { global: { compression: { algorithm: 'zstd', level: 3 } }, site: { basebackup_mode: 'delta' } },
    { global: {}, site: { basebackup_mode: 'local-tar-delta-stats' } },
  ]);
  await expectOldState(fixture, history, 'rp_two');

  await history.prune(2);
  assert.deepEqual(await history.basebackups(), news);
  const after = await history.stored('basebackup_delta');
  const kept = before.filter((name) => after.includes(name)).length;
  assert(kept > 0 && kept < before.length, `${kept} of ${before.length} files of the original are still in use`);
  for (const name of news) await history.expectRestored(name);
});
