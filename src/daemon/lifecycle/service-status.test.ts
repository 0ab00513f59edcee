import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AlertInBrief, type SiteInBrief, serviceStatus } from './service-status.ts';

const site = (name: string, newest?: Date | null, more: Partial<SiteInBrief> = {}): SiteInBrief => ({
  name,
  newest,
  isActive: true,
  isTakingBackup: false,
  ...more,
});
const monday = new Date('2026-11-30T14:50:12Z');
const sunday = new Date('2026-11-29T03:00:00Z');

const cases: [sites: SiteInBrief[], alerts: AlertInBrief[], line: string][] = [
  [[], [], 'no alerts; no sites'],
  [[site('main', monday)], [], 'no alerts; main backed up 2026-11-30T14:50Z'],
  [
    [site('main', null), site('other', undefined, { isTakingBackup: true })],
    [],
    'no alerts; main not listed yet, other has no base backup (another is being taken)',
  ],
  [
    [site('main', monday), site('old', sunday, { isActive: false })],
    [{ name: 'wal_gap', site: 'main' }],
    'ALERTS: wal_gap (main); old backed up 2026-11-29T03:00Z (not active), main backed up 2026-11-30T14:50Z',
  ],
  [
    ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => site(name, monday)),
    [],
    'no alerts; a backed up 2026-11-30T14:50Z, b backed up 2026-11-30T14:50Z, c backed up 2026-11-30T14:50Z, d backed up 2026-11-30T14:50Z and 2 more',
  ],
];

test('the line for systemd names what is wrong first, and the site that was backed up longest ago', () => {
  for (const [sites, alerts, line] of cases) assert.equal(serviceStatus(sites, alerts), line);
});
