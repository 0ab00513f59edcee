import assert from 'node:assert/strict';
import { test } from 'node:test';
import { putObject } from '../../test/support/stored-site.ts';
import { type BasebackupEntry, parseBasebackupEntry } from '../catalog/basebackup-entry.ts';
import { Catalog } from '../catalog/catalog.ts';
import { SiteKeys } from '../catalog/keys.ts';
import { parseLsn } from '../postgres/lsn.ts';
import type { TimelineSwitch } from '../postgres/timeline-history.ts';
import { formatWalName } from '../postgres/wal-name.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { type WalDoubt, walDoubtOf } from './missing-wal.ts';

const segmentBytes = 16 * 1024 * 1024;
const segment = (number: number, timeline = 1) => formatWalName({ timeline, number: BigInt(number) }, segmentBytes);

interface Made {
  readonly start: number;
  readonly end?: number;
  /** A later one, to which a standby was promoted while the base backup was being taken. */
  readonly endTimeline?: number;
  readonly endLsn?: string;
  /** Hours of one day. */
  readonly begun: number;
  readonly completed: number;
  readonly more?: Readonly<Record<string, string>>;
}

function entryOf({ start, end, endTimeline, endLsn, begun, completed, more }: Made): BasebackupEntry {
  const at = (hour: number) => new Date(Date.parse('2026-11-20T00:00:00Z') + hour * 3_600_000);
  return parseBasebackupEntry({
    key: `site/basebackup/b${start}`,
    size: 1,
    lastModified: at(completed),
    metadata: {
      'start-time': at(begun).toISOString(),
      'start-wal-segment': segment(start),
      ...(end !== undefined && { 'end-wal-segment': segment(end, endTimeline) }),
      ...(endLsn !== undefined && { 'end-lsn': endLsn }),
      ...more,
    },
  });
}

async function doubtOf(backup: Made, stored: readonly number[], others: readonly Made[] = []): Promise<WalDoubt | undefined> {
  const catalog = new Catalog(new MemoryStore(), new SiteKeys('site'));
  for (const number of stored) await putObject(catalog, catalog.walKey(segment(number)), { 'original-file-size': String(segmentBytes) });
  const entry = entryOf(backup);
  return walDoubtOf(entry, [entry, ...others.map(entryOf)], catalog);
}

const missing = (number: number): WalDoubt => ({ kind: 'missing', segment: segment(number) });
const unknown: WalDoubt = { kind: 'end-unknown' };
const standby = { 'backup-from': 'standby' };
/** As the original takes them from a standby, or by pg_basebackup. */
const endless: Made = { start: 2, begun: 1, completed: 2 };
const later: Made = { start: 4, end: 5, begun: 3, completed: 4 };

test('a base backup from a standby needs its WAL to the segment in which it becomes consistent', async () => {
  const backup: Made = { start: 2, end: 4, begun: 1, completed: 2, more: standby };
  assert.deepEqual(await doubtOf(backup, [2, 3]), missing(4));
  assert.deepEqual(await doubtOf(backup, [2, 4]), missing(3));
  assert.equal(await doubtOf(backup, [2, 3, 4]), undefined);
});

test('where it does not tell its end, nothing that is stored proves anything', async () => {
  assert.deepEqual(await doubtOf(endless, [2, 3, 4, 5, 6]), unknown);
});

test('a base backup of the primary that was begun later does, with all WAL up to its own end', async () => {
  assert.equal(await doubtOf(endless, [2, 3, 4, 5], [later]), undefined);
  assert.equal(await doubtOf(endless, [2, 3, 4, 5], [{ ...later, start: 8, end: 9 }, later]), undefined, 'the nearest one');
});

test('without some of that WAL it is in doubt, not lost: it may have ended before, and WAL behind its end goes with the base backups that need it', async () => {
  assert.deepEqual(await doubtOf(endless, [2, 3, 4], [later]), unknown);
  assert.deepEqual(await doubtOf(endless, [2, 4, 5], [later]), unknown);
  assert.deepEqual(await doubtOf(endless, [3, 4, 5], [later]), missing(2), 'that in which it began is needed for certain');
});

test('one that may have been behind, or begun earlier, or by a wrong clock, does not', async () => {
  const wrong: readonly Made[] = [
    { ...later, more: standby },
    { ...later, begun: 2 },
    { ...later, begun: 24 * 365 },
    { ...later, start: 1 },
    { start: 4, begun: 3, completed: 4 },
  ];
  for (const other of wrong) assert.deepEqual(await doubtOf(endless, [1, 2, 3, 4, 5], [other]), unknown, JSON.stringify(other));
});

test('what carries its WAL, or has it kept elsewhere, needs none', async () => {
  for (const mode of ['standalone_hot_backup', 'basic'])
    assert.equal(await doubtOf({ ...later, more: { 'active-backup-mode': mode } }, []), undefined);
});

/** Timeline 1 was left in segment 4, which went on as that of timeline 3: 2 was left in the same one. */
const histories: Readonly<Record<number, readonly TimelineSwitch[]>> = {
  2: [{ timeline: 1, switchLsn: parseLsn('0/4001000'), reason: '' }],
  3: [
    { timeline: 1, switchLsn: parseLsn('0/4001000'), reason: '' },
    { timeline: 2, switchLsn: parseLsn('0/4002000'), reason: '' },
  ],
};
const ofStandby: Made = { start: 2, end: 4, begun: 1, completed: 2, more: standby };

async function doubtAcross(backup: Made, stored: readonly string[], readable = histories): Promise<WalDoubt | undefined> {
  const catalog = new Catalog(new MemoryStore(), new SiteKeys('site'));
  for (const name of stored) await putObject(catalog, catalog.walKey(name), { 'original-file-size': String(segmentBytes) });
  const entry = entryOf(backup);
  return walDoubtOf(entry, [entry], catalog, { readHistory: async (timeline) => readable[timeline] });
}

test('the segment in which its timeline was left may be stored under the name of the one that goes on, which recovery reads first', async () => {
  const ended = { ...ofStandby, endLsn: '0/4001000' };
  const wal = [segment(2), segment(3)];
  assert.equal(await doubtAcross(ended, [...wal, segment(4, 3), '00000003.history']), undefined);
  assert.equal(await doubtAcross(ended, [...wal, segment(4, 2), '00000002.history']), undefined);
  assert.equal(await doubtAcross({ ...ended, start: 4 }, [segment(4, 3), '00000003.history']), undefined);
  assert.deepEqual(await doubtAcross(ended, [segment(2), segment(4, 3), '00000003.history']), missing(3));
});

test('not where the base backup ended behind that, nor where nobody knows', async () => {
  const wal = [segment(2), segment(3), segment(4, 3), '00000003.history'];
  const [behind, unknownEnd] = [{ ...ofStandby, endLsn: '0/4001001' }, ofStandby];
  for (const backup of [behind, unknownEnd]) assert.deepEqual(await doubtAcross(backup, wal), missing(4));
  const ended = { ...ofStandby, endLsn: '0/4001000' };
  assert.deepEqual(await doubtAcross(ended, wal, {}), missing(4), 'the history cannot be read');
  assert.deepEqual(await doubtAcross(ended, [segment(2), segment(3), segment(4, 3)]), missing(4), 'the history is not stored');
  assert.deepEqual(await doubtAcross(ended, [segment(2), segment(3), segment(5, 3), '00000003.history']), missing(4));
});

test('one that ends on a later timeline than it began on needs each segment under the name it has on the way', async () => {
  const across: Made = { ...ofStandby, end: 6, endTimeline: 3 };
  const wal = [segment(2), segment(3), segment(4, 3), segment(5, 3), segment(6, 3)];
  assert.equal(await doubtAcross(across, wal), undefined);
  assert.equal(await doubtAcross({ ...across, start: 4 }, wal.slice(2)), undefined);
  const without = (name: string) => wal.filter((each) => each !== name);
  for (const name of wal.slice(1)) assert.deepEqual(await doubtAcross(across, without(name)), { kind: 'missing', segment: name });
  assert.equal(await doubtAcross(across, without(segment(5, 3)), {}), undefined, 'nobody knows the way: only the ends are looked at');
});
