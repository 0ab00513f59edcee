import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FaultSite, type FaultSiteOptions } from '../support/fault-site.ts';
import { makeSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { waitFor } from '../support/wait-for.ts';

const diskBytes = 64 * 1024 * 1024;
/** Enough to begin one: a twentieth of the disk, and half as much again, is left to WAL. */
const roomForHalfABackup = 5_500_000;

interface FullSite extends AsyncDisposable {
  readonly site: FaultSite;
  readonly fill: (leavingBytes?: number) => Promise<void>;
  readonly makeRoom: () => Promise<void>;
}

/** A site whose spool or store, `place`, is on a disk of its own, with one base backup. */
async function siteOn(place: 'spool' | 'store', options: FaultSiteOptions): Promise<FullSite> {
  let disk: SmallDisk | undefined;
  const prepare = async (directory: string) => (disk = await makeSmallDisk(join(directory, place), diskBytes));
  await using stack = new AsyncDisposableStack();
  const site = stack.use(await FaultSite.start({ ...options, prepare }));
  await site.takeBasebackup();
  const pid = () => site.daemon.pid ?? 0;
  const held = stack.move();
  return {
    site,
    fill: async (leavingBytes) => disk?.fill(pid(), leavingBytes),
    makeRoom: async () => disk?.makeRoom(pid()),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** What the daemon logs from now on. */
function logOf(site: FaultSite): { says: (what: string | RegExp) => Promise<void> } {
  const start = site.daemon.log.length;
  const says = async (what: string | RegExp) => {
    const isSaid = () => site.daemon.log.slice(start).search(what) !== -1;
    await waitFor(isSaid, { withinMs: 60_000, what: () => `the daemon logs ${what}:\n${site.daemon.log.slice(start)}` });
  };
  return { says };
}

async function failedArchiving(site: FaultSite): Promise<number> {
  const [row] = await site.postgres.query('SELECT failed_count::int AS count FROM pg_stat_archiver');
  return row?.['count'] as number;
}

async function restarted(site: FaultSite): Promise<void> {
  await site.daemon.kill9();
  await site.daemon.launch();
  await site.settle();
}

test('a full disk under the spool holds WAL and base backups up, and loses nothing', async () => {
  await using full = await siteOn('spool', { site: { basebackup_mode: 'pipe', basebackup_count: 20 } });
  const { site } = full;
  const complete = (await site.check()).basebackups;

  await full.fill();
  const failedBefore = await failedArchiving(site);
  await site.addSegments(3);
  await waitFor(async () => (await failedArchiving(site)) > failedBefore, { withinMs: 60_000, what: 'archiving fails' });
  await logOf(site).says(/there is no room to write .*xlog/);
  await full.makeRoom();
  await site.settle();
  await site.check();

  await full.fill(roomForHalfABackup);
  const log = logOf(site);
  await site.requestBasebackup();
  await log.says(/base backup failed: .*there is no room to write/);
  // A process with a limit on its files cannot write WAL either.
  if (process.getuid?.() === 0) await site.settle();
  await waitFor(async () => (await site.spooled()).length === 0, { withinMs: 30_000, what: 'the spool is empty' });
  assert.deepEqual(await readdir(join(site.daemon.spoolDirectory, 'basebackup_incoming')), []);
  await full.makeRoom();
  await restarted(site);
  await site.requestServed();
  assert.equal((await site.check()).basebackups.length, complete.length + 1);
  await site.restoreAndCompare();
});

test('a full store keeps uploads waiting, over a kill -9 too, and takes them once there is room', async () => {
  await using full = await siteOn('store', {
    encrypted: true,
    site: { basebackup_mode: 'local-tar', basebackup_chunk_size: 1_000_000, basebackup_count: 20 },
  });
  const { site } = full;
  const complete = (await site.check()).basebackups;

  await full.fill();
  const uploads = logOf(site);
  await site.addSegments(3);
  await uploads.says(/upload failed, will be repeated.*|there is no room/);
  await site.daemon.kill9();
  await site.daemon.launch();
  await full.makeRoom();
  await site.settle();
  await site.check();

  await full.fill(2_000_000);
  const waiting = logOf(site);
  await site.beginBasebackup();
  await waiting.says(/upload failed, will be repeated|there is no room/);
  await full.makeRoom();
  await site.daemon.basebackups(complete.length + 1);
  await site.settle();
  assert.deepEqual((await site.check()).orphanChunks, []);

  await full.fill(2_000_000);
  const killed = logOf(site);
  await site.beginBasebackup();
  await killed.says(/upload failed, will be repeated|there is no room/);
  await site.daemon.kill9();
  await full.makeRoom();
  await site.daemon.launch();
  await site.requestServed();
  await site.settle();
  assert.equal((await site.check()).basebackups.length, complete.length + 2);
  assert.deepEqual((await site.check()).orphanChunks, []);
  await site.restoreAndCompare();
});
