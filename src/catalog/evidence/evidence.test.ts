import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore } from '../../storage/memory/driver.ts';
import { sourceOfBytes } from '../../storage/object-source.ts';
import { Catalog } from '../catalog.ts';
import { SiteKeys } from '../keys.ts';
import type { DrillEvidence } from './drill-evidence.ts';
import { drillsMax, EvidenceReader } from './read-evidence.ts';
import { storeDrillEvidence, storeVerifyEvidence } from './store-evidence.ts';
import type { BasebackupEvidence, WalEvidence } from './verify-evidence.ts';

const basebackup: BasebackupEvidence = {
  format: 1,
  kind: 'basebackup',
  name: '2026-11-30_08-00_0',
  fingerprint: '1 2026-11-30T08:00:00.000Z',
  verified_at: '2026-11-30T09:00:00.000Z',
  bytes: 1000,
  result: 'sound',
  findings: [],
};
const wal: WalEvidence = { format: 1, kind: 'wal', timeline: 26, segment_bytes: 16_777_216, history: null, runs: [] };
const drill: DrillEvidence = {
  format: 1,
  basebackup: basebackup.name,
  timeline: 1,
  target: { kind: 'latest', value: null },
  replayed_to: { timeline: 1, lsn: '0/5000000', time: null },
  begun_at: '2026-11-30T10:00:00.000Z',
  duration_seconds: 12,
  result: 'passed',
  because: null,
  checks: [],
  restored_bytes: null,
  replayed_segments: null,
};
const signal = new AbortController().signal;

test('evidence comes back as it was stored, what is damaged or of another version proves nothing', async () => {
  const store = new MemoryStore();
  const catalog = new Catalog(store, new SiteKeys('main'));
  const reader = new EvidenceReader(catalog);
  assert.deepEqual(await reader.read(signal), { verify: [], drills: [] });
  await storeVerifyEvidence(catalog, basebackup);
  await storeVerifyEvidence(catalog, wal);
  const later = { ...drill, begun_at: '2026-11-30T11:00:00.000Z' };
  await storeDrillEvidence(catalog, later);
  await storeDrillEvidence(catalog, drill);
  for (const [name, text] of [
    ['x', '{"format": 2}'],
    ['y', 'no JSON'],
  ] as const) {
    await store.put(`main/evidence/verify/${name}`, sourceOfBytes(Buffer.from(text)), { metadata: {} });
  }
  const found = await reader.read(signal);
  assert.deepEqual(found, { verify: [basebackup, wal], drills: [drill, later] });
  assert.equal(await reader.read(signal), found, 'nothing has changed');
  await storeVerifyEvidence(catalog, { ...basebackup, result: 'corrupt' });
  await store.delete(catalog.keys.drillEvidence(new Date(later.begun_at)));
  const [changed] = (await reader.read(signal)).verify;
  assert.equal(changed?.kind === 'basebackup' && changed.result, 'corrupt');
  assert.deepEqual((await reader.read(signal)).drills, [drill]);
});

test('keys tell what evidence is of', () => {
  const keys = new SiteKeys('main');
  assert.equal(keys.verifyEvidenceOfTimeline(26), 'main/evidence/verify/wal/0000001A');
  assert.equal(keys.verifyEvidenceOfBasebackup('x'), 'main/evidence/verify/basebackup/x');
  assert.equal(keys.drillEvidence(new Date('2026-11-30T10:00:05.123Z')), 'main/evidence/drill/20261130T100005Z');
});

test('of very many drills the newest stay', async () => {
  const catalog = new Catalog(new MemoryStore(), new SiteKeys('main'));
  const begunAt = (hour: number) => new Date(Date.UTC(2026, 0, 1, hour)).toISOString();
  for (let hour = 0; hour < drillsMax + 2; hour++) await storeDrillEvidence(catalog, { ...drill, begun_at: begunAt(hour) });
  const { drills } = await new EvidenceReader(catalog).read(signal);
  assert.deepEqual([drills.length, drills[0]?.begun_at], [drillsMax, begunAt(2)]);
  const keys: string[] = [];
  for await (const { key } of catalog.store.list(catalog.keys.drillEvidencePrefix)) keys.push(key);
  assert.equal(keys.length, drillsMax);
});
