import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, segmentBytes, viewOf } from '../../test/support/health-view.ts';
import { fingerprintOf } from '../catalog/evidence/fingerprint.ts';
import type { VerifyEvidence } from '../catalog/evidence/verify-evidence.ts';
import { healthAsDocument } from '../daemon/health/health-document.ts';
import { noKnowledge } from '../daemon/health/health-view.ts';
import { siteHealth } from '../daemon/health/site-health.ts';
import { formatWalName } from '../postgres/wal-name.ts';
import { verificationTexts } from './verification-text.ts';

const backups = [
  { start: 2, end: 3, from: '08:00:00', to: '08:10:00' },
  { start: 4, end: 5, from: '09:00:00', to: '09:10:00' },
];
const made = { backups, stored: ['1:2-5', '1:8-9'], samples: ['12:00:09 1@10'] };
const nameOf = (number: number) => formatWalName({ timeline: 1, number: BigInt(number) }, segmentBytes);
const run = (from: number, to: number, time: string, result: 'sound' | 'corrupt' = 'sound') => {
  const findings = result === 'sound' ? [] : [{ code: 'wal-invalid', because: 'it is torn', object: null }];
  return { from: nameOf(from), to: nameOf(to), verified_at: at(time).toISOString(), bytes: 1, fingerprint: '', result, findings };
};

function healthWith(verify: readonly VerifyEvidence[]) {
  return siteHealth(viewOf(made, { knowledge: { ...noKnowledge, evidence: { verify, drills: [] } } }));
}

function ofBackup(index: number, time: string, changes: Partial<VerifyEvidence & { kind: 'basebackup' }> = {}): VerifyEvidence {
  const entry = viewOf(made).backups.listing?.entries[index];
  assert.ok(entry);
  const about = { format: 1, kind: 'basebackup', name: entry.name, fingerprint: fingerprintOf(entry) } as const;
  return { ...about, verified_at: at(time).toISOString(), bytes: 1, result: 'sound', findings: [], ...changes };
}

const ofWal = (...runs: ReturnType<typeof run>[]): VerifyEvidence => {
  return { format: 1, kind: 'wal', timeline: 1, segment_bytes: segmentBytes, history: null, runs };
};

test('nothing was ever read', () => {
  const { verification } = healthAsDocument(healthWith([]));
  assert.ok(verification);
  assert.deepEqual(
    [verification.newest_at, verification.basebackups?.sound, verification.segments],
    [null, 0, { stored: 6, sound: 0, damaged: 0 }],
  );
  assert.deepEqual(verificationTexts(verification, at('12:00:10').toISOString(), 0), ['never: pghoard verify reads again what is stored']);
});

test('what was read is counted as far as it is still stored, and what was found stands beside it, the worst first', () => {
  const pages = { code: 'page-checksum', because: 'pages with wrong checksums: base/5/1234, block 7', object: 'main/basebackup/x' };
  const { verification } = healthAsDocument(
    healthWith([
      ofBackup(0, '11:00:00', { findings: [pages] }),
      // Of another object of that name, which is not stored any more.
      ofBackup(1, '11:30:00', { fingerprint: 'another', result: 'corrupt' }),
      ofWal(run(1, 3, '10:00:00'), run(5, 5, '11:10:00', 'corrupt'), run(6, 8, '10:30:00'), run(20, 30, '11:59:00')),
    ]),
  );
  assert.ok(verification);
  assert.deepEqual(verification.segments, { stored: 6, sound: 3, damaged: 1 });
  const { stored, sound, damaged } = verification.basebackups ?? {};
  assert.deepEqual([stored, sound, damaged], [2, 1, 0]);
  assert.deepEqual([verification.newest_at, verification.oldest_at], [at('11:10:00').toISOString(), at('10:00:00').toISOString()]);
  assert.deepEqual(
    verification.findings.map(({ severity, code, object }) => [severity, code, object]),
    [
      ['damaged', 'wal-invalid', nameOf(5)],
      ['warning', 'page-checksum', 'main/basebackup/x'],
    ],
  );
  const [line, ...found] = verificationTexts(verification, at('12:00:10').toISOString(), 0);
  assert.match(line ?? '', /^last 50 min ago, what was read longest ago 2 h ago; sound: 1 of 2 base backups \(.*\), 3 of 6 WAL segments$/);
  assert.deepEqual(found, [
    `DAMAGED: ${nameOf(5)}: it is torn (wal-invalid)`,
    'warning: main/basebackup/x: pages with wrong checksums: base/5/1234, block 7 (page-checksum)',
  ]);
});
