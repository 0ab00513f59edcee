import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeStoredSite, putObject } from '../../test/support/stored-site.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { RecoveryTarget } from './choose.ts';
import { coveredWishes } from './kept-alone.ts';
import { parseTargetTime } from './target-time.ts';

const signal = new AbortController().signal;
const size = { 'original-file-size': '16777216' };
const [first, second] = ['2026-11-20_0', '2026-11-22_0'];
const end = '2026-11-20T01:00:00+00:00';

/** The first of two base backups ends in segment 3. */
async function site(segments: readonly string[]): Promise<Catalog> {
  const catalog = await makeStoredSite({ [first]: '000000010000000000000002', [second]: '000000010000000000000008' }, []);
  const key = catalog.keys.basebackupMain(first);
  const { metadata } = await catalog.store.head(key);
  await putObject(catalog, key, { ...metadata, 'end-time': end, 'end-wal-segment': '000000010000000000000003' });
  for (const name of ['000000010000000000000002', '000000010000000000000003', '000000010000000000000008', ...segments])
    await putObject(catalog, catalog.walKey(name), size);
  return catalog;
}

async function recovery(
  catalog: Catalog,
  name: string,
  target: RecoveryTarget,
  more: { keepsAlone?: boolean; primaryConninfo?: string } = {},
) {
  const { keepsAlone = true, ...wishes } = more;
  const source = { site: 'site', catalog, storage: { storage_type: 'local' } as never, privateKeys: {}, keepsAlone };
  const all = (await catalog.basebackups()).entries.map((entry) => ({ ...entry, source }));
  const backup = all.find((each) => each.name === name);
  assert.ok(backup);
  const said: string[] = [];
  const given = { target, targetAction: 'promote', timeline: 'latest', toPrimary: false, ...wishes } as const;
  const covered = await coveredWishes(given, { backup, all }, (message) => said.push(message), signal);
  return { target: covered.target.kind, timeline: covered.timeline, said: said.join() };
}

const at = (text: string): RecoveryTarget => ({ kind: 'time', time: parseTargetTime(text, new Date()) });

test('a base backup without the WAL behind it is restored to the moment it ended, and that is said', async () => {
  const catalog = await site([]);
  const { said, ...wishes } = await recovery(catalog, first, { kind: 'latest' });
  assert.deepEqual(wishes, { target: 'immediate', timeline: 'current' });
  assert.match(said, /2026-11-20_0 is not kept.*2026-11-20T01:00:00\.000Z/);
  assert.equal((await recovery(catalog, first, at('2026-11-20 01:00:00.5+00'))).target, 'immediate');
});

test('a target behind it is refused', async () => {
  const catalog = await site([]);
  for (const target of [at('2026-11-20 01:00:02+00'), { kind: 'xid', xid: '7' }, { kind: 'name', name: 'point' }] as const)
    await assert.rejects(recovery(catalog, first, target), {
      code: 'target-not-covered',
      message: /2026-11-20_0/,
      hint: /2026-11-20T01:00:00/,
    });
});

test('whoever has the WAL, or did not ask to keep base backups alone, gets what was asked for', async () => {
  const latest = { kind: 'latest' } as const;
  const asked = { target: 'latest', timeline: 'latest', said: '' };
  const alone = await site([]);
  assert.deepEqual(await recovery(alone, second, latest), asked, 'the newest one');
  assert.deepEqual(await recovery(alone, first, latest, { keepsAlone: false }), asked);
  assert.deepEqual(await recovery(alone, first, latest, { primaryConninfo: 'host=primary' }), asked, 'a standby may stream it');
  assert.deepEqual(await recovery(await site(['000000010000000000000004']), first, latest), asked);
  const promoted = await site(['000000020000000000000003', '00000002.history']);
  assert.deepEqual(await recovery(promoted, first, latest), asked, 'it goes on in the segment in which a timeline was left');
});
