import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { at, endless, type MadeBackup, type MadeSite, viewOf } from '../../../test/support/health-view.ts';
import type { SiteHealthView } from './health-view.ts';
import { type SiteHealth, siteHealth } from './site-health.ts';

const morning: MadeBackup = { start: 2, end: 3, from: '08:00:00', to: '08:10:00' };
const noon: MadeBackup = { start: 8, end: 8, from: '11:00:00', to: '11:10:00' };

interface Case {
  readonly what: string;
  readonly site: MadeSite;
  readonly view?: Partial<SiteHealthView>;
  readonly state: SiteHealth['restorable']['state'];
  readonly from?: string;
  readonly until?: string;
  readonly untilUnknown?: boolean;
  readonly because: RegExp;
  /** `bytes, seconds`; as it is known. */
  readonly lag?: readonly [bytes: number | undefined, seconds: number | undefined];
  readonly verdict: SiteHealth['verdict']['is'];
}

const cases: readonly Case[] = [
  {
    what: 'a new site has nothing to restore',
    site: { samples: ['12:00:09 1@2'] },
    state: 'no',
    because: /no complete base backup/,
    lag: [undefined, undefined],
    verdict: 'failure',
  },
  {
    what: 'WAL without a base backup is nothing to restore',
    site: { stored: ['1:2-5'], samples: ['12:00:09 1@6.500'] },
    state: 'no',
    because: /no complete base backup/,
    lag: [500, undefined],
    verdict: 'failure',
  },
  {
    what: 'a base backup whose last segment is not stored is none yet',
    site: { backups: [morning], stored: ['1:2'], samples: ['12:00:09 1@4'] },
    state: 'no',
    because: /WAL that base backup .* needs is not stored/,
    verdict: 'failure',
  },
  {
    what: 'the end of a base backup is certain as soon as its WAL is stored',
    site: { backups: [morning], stored: ['1:2-3'] },
    view: {
      servers: {
        samples: [],
        clockSetBack: undefined,
        sampledMsAgo: undefined,
        obstacle: 'db1:5432: connection refused',
        onlyStandbys: false,
      },
    },
    state: 'yes',
    from: '08:10:00',
    until: '08:10:00',
    because: /nobody knows how far the server is: db1:5432: connection refused/,
    lag: [undefined, undefined],
    verdict: 'attention',
  },
  ...[{ 'backup-from': 'standby' }, { 'basebackup-mode': 'pipe' }, { 'basebackup-mode': 'stream' }].map(
    (more): Case => ({
      what: `the end of a base backup proves no second where more may have been committed by then (${Object.values(more).join()})`,
      site: { backups: [{ ...morning, more }], stored: ['1:2-3'], samples: ['12:00:09 1@4.1'] },
      state: 'yes',
      untilUnknown: true,
      because: /not stored yet/,
      verdict: 'ok',
    }),
  ),
  {
    what: 'an idle server stays fresh (fault row 40)',
    site: { backups: [morning], stored: ['1:2-5'], samples: ['09:00:00 1@5.70', '12:00:09 1@6'] },
    state: 'yes',
    from: '08:10:00',
    until: '12:00:06',
    because: /^all WAL is stored/,
    lag: [0, 0],
    verdict: 'ok',
  },
  {
    what: 'what an idle server writes without a commit is not waited for (fault row 40)',
    site: { backups: [morning], stored: ['1:2-5'], samples: ['09:00:00 1@5.70', '12:00:09 1@5.70 1@6.500'] },
    state: 'yes',
    until: '12:00:06',
    because: /all that was committed is stored; what the server has written since ends no transaction/,
    lag: [500, 0],
    verdict: 'ok',
  },
  {
    what: 'a base backup is not whole only because nothing was committed while it was taken',
    site: { backups: [endless], stored: ['1:2'], samples: ['12:00:09 1@2.70 1@4'] },
    state: 'unknown',
    because: /cannot be told yet/,
    verdict: 'unknown',
  },
  {
    what: 'the end of a base backup proves no second that came twice, because the clock was set back after it',
    site: { backups: [morning], stored: ['1:2-3'] },
    view: {
      servers: {
        samples: [{ time: at('09:00:00'), timeline: 1, lsn: (4n << 20n) + 1n, flushed: (4n << 20n) + 1n }],
        clockSetBack: { to: at('08:05:00'), timeline: 1, lsn: (4n << 20n) + 1n },
        sampledMsAgo: 0,
        obstacle: undefined,
        onlyStandbys: false,
      },
    },
    state: 'yes',
    from: '08:10:00',
    because: /has written WAL that is not stored yet/,
    untilUnknown: true,
    verdict: 'ok',
  },
  {
    what: 'what was committed before a base backup is in it',
    site: { backups: [endless], stored: ['1:2-3'], samples: ['12:00:09 1@1.70 1@4'] },
    state: 'yes',
    until: '12:00:06',
    because: /^all WAL is stored/,
    lag: [0, 0],
    verdict: 'ok',
  },
  {
    what: 'what the server has written and nobody has stored is not claimed',
    site: { backups: [morning], stored: ['1:2-5'], samples: ['11:00:00 1@5.70', '11:59:09 1@6.1', '12:00:09 1@6.300'] },
    state: 'yes',
    from: '08:10:00',
    until: '10:59:57',
    because: /has written WAL that is not stored yet/,
    lag: [300, 3610],
    verdict: 'ok',
  },
  {
    what: 'the beginning of the segment that is being written counts where it is stored',
    site: { backups: [morning], stored: ['1:2-5'], samples: ['11:59:09 1@6.1', '12:00:09 1@6.300'], beginning: '1@6.200' },
    state: 'yes',
    until: '11:59:06',
    because: /has written WAL that is not stored yet/,
    lag: [100, 61],
    verdict: 'ok',
  },
  {
    what: 'the beginning of another segment proves nothing',
    site: { backups: [morning], stored: ['1:2-5'], samples: ['11:00:00 1@5', '12:00:09 1@7.1'], beginning: '1@7.200' },
    state: 'yes',
    until: '10:59:57',
    because: /has written WAL that is not stored yet/,
    verdict: 'ok',
  },
  {
    what: 'nothing behind a hole can be restored',
    site: { backups: [morning], stored: ['1:2-4', '1:6-9'], samples: ['10:00:00 1@4.5', '11:00:00 1@5.1', '12:00:09 1@10'] },
    view: { alerts: [{ name: 'wal_gap', because: 'WAL segment 000000010000000000000005 is missing' }] },
    state: 'yes',
    from: '08:10:00',
    until: '09:59:57',
    because: /WAL segment 000000010000000000000005 is missing: what was written behind it cannot be restored/,
    lag: [5 * 1024 * 1024, 7210],
    verdict: 'attention',
  },
  {
    what: 'a base backup from behind the hole begins a new window',
    site: { backups: [morning, noon], stored: ['1:2-4', '1:6-9'], samples: ['10:00:00 1@4.5', '12:00:09 1@10'] },
    state: 'yes',
    from: '11:10:00',
    until: '12:00:06',
    because: /^all WAL is stored/,
    lag: [0, 0],
    verdict: 'ok',
  },
  {
    what: 'a base backup in a hole leaves the older window the newest',
    site: { backups: [morning, noon], stored: ['1:2-4', '1:9'], samples: ['10:00:00 1@4.5', '12:00:09 1@10'] },
    state: 'yes',
    from: '08:10:00',
    until: '09:59:57',
    because: /is missing/,
    verdict: 'ok',
  },
  {
    what: 'where nothing tells the end of its WAL, nobody can tell whether a base backup is whole',
    site: { backups: [endless], stored: ['1:2-3'], samples: ['08:11:30 1@4'] },
    state: 'unknown',
    because: /cannot be told yet whether all the WAL is stored that base backup/,
    verdict: 'unknown',
  },
  {
    what: 'until something certainly later is stored',
    site: { backups: [endless], stored: ['1:2-3'], samples: ['12:00:09 1@4'] },
    state: 'yes',
    from: '08:10:00',
    until: '12:00:06',
    because: /^all WAL is stored/,
    verdict: 'ok',
  },
  {
    what: 'such as the beginning of a later base backup, be that whole or not',
    site: { backups: [endless, { ...noon, end: 9 }], stored: ['1:2-8'], samples: ['12:00:09 1@9.1'] },
    state: 'yes',
    from: '08:10:00',
    because: /has written WAL that is not stored yet/,
    lag: [1, undefined],
    verdict: 'ok',
  },
  {
    what: 'but not that of one from a standby, which may have been behind',
    site: { backups: [endless, { ...noon, end: 9, more: { 'backup-from': 'standby' } }], stored: ['1:2-8'], samples: ['12:00:09 1@9.1'] },
    state: 'unknown',
    because: /cannot be told yet/,
    verdict: 'unknown',
  },
  {
    what: 'after a failover the WAL of both timelines counts, that of the old one up to the switch',
    site: {
      backups: [morning],
      stored: ['1:2-6', '2:5-7'],
      histories: { 2: ['1@5.500'] },
      samples: ['10:00:00 1@5.400', '10:30:00 1@6.900', '12:00:09 2@8'],
    },
    state: 'yes',
    until: '12:00:06',
    because: /^all WAL is stored/,
    lag: [0, 0],
    verdict: 'ok',
  },
  {
    what: 'what an old primary wrote behind the switch is not counted, however much of it is stored',
    site: {
      backups: [morning],
      stored: ['1:2-6'],
      histories: { 2: ['1@5.500'] },
      samples: ['10:00:00 1@4.400', '10:30:00 1@6.900', '12:00:09 2@5.700'],
    },
    state: 'yes',
    until: '09:59:57',
    because: /has written WAL that is not stored yet/,
    // The old name of the segment in which it was left is as good up to there.
    lag: [200, 7210],
    verdict: 'ok',
  },
  {
    what: 'a timeline whose history is missing is not reached',
    site: {
      backups: [morning],
      stored: ['1:2-4', '2:5-6', '3:7-8'],
      histories: { 3: ['1@5.500', '2@7.500'] },
      samples: ['10:00:00 1@4.900', '11:00:00 2@6', '12:00:09 3@9'],
    },
    state: 'yes',
    until: '09:59:57',
    because: /00000002.history is missing/,
    verdict: 'ok',
  },
  {
    what: 'a timeline to which no base backup leads is not claimed',
    site: { backups: [morning], stored: ['1:2-6', '2:3-7'], histories: { 2: ['1@2.100'] }, samples: ['10:00:00 1@7', '12:00:09 2@8'] },
    state: 'yes',
    until: '09:59:57',
    because: /no base backup leads to timeline 2/,
    lag: [undefined, undefined],
    verdict: 'attention',
  },
  {
    what: 'base backups that carry their WAL are restored to their ends',
    site: {
      backups: [
        { ...morning, mode: 'standalone_hot_backup' },
        { ...noon, mode: 'standalone_hot_backup' },
      ],
    },
    view: { wal: undefined, walMode: 'standalone_hot_backup' },
    state: 'yes',
    from: '11:10:00',
    until: '11:10:00',
    because: /carries its own WAL/,
    lag: [undefined, undefined],
    verdict: 'ok',
  },
  {
    what: 'where nobody archives WAL that a base backup needs, nobody knows',
    site: { backups: [morning] },
    view: { wal: undefined, walMode: 'basic' },
    state: 'unknown',
    because: /this daemon archives none \(active_backup_mode: basic\)/,
    verdict: 'unknown',
  },
  {
    what: 'samples of an earlier life do not tell how far the server is now',
    site: { backups: [morning], stored: ['1:2-5'], samples: ['11:00:00 1@6'] },
    view: {
      servers: {
        samples: [{ time: at('11:00:00'), timeline: 1, lsn: 6n << 20n, flushed: 6n << 20n }],
        clockSetBack: undefined,
        sampledMsAgo: undefined,
        obstacle: 'no answer',
        onlyStandbys: false,
      },
    },
    state: 'yes',
    until: '10:59:57',
    because: /all WAL is stored that the server had written when it was asked last: no answer/,
    lag: [undefined, undefined],
    verdict: 'attention',
  },
  {
    what: 'where only standbys are asked nobody knows how far the primary is, which is as it was set up',
    site: { backups: [morning], stored: ['1:2-5'] },
    view: {
      servers: { samples: [], clockSetBack: undefined, sampledMsAgo: undefined, obstacle: 'db2:5432 is a standby', onlyStandbys: true },
    },
    state: 'yes',
    until: '08:10:00',
    because: /nobody knows how far the server is: db2:5432 is a standby/,
    lag: [undefined, undefined],
    verdict: 'ok',
  },
  {
    what: 'an inactive site is nobody’s concern',
    site: { backups: [morning] },
    view: { wal: undefined, active: false },
    state: 'unknown',
    because: /archives none/,
    verdict: 'inactive',
  },
];

describe('to which second a site can be restored', () => {
  for (const { what, site, view, state, from, until, untilUnknown, because, lag, verdict } of cases) {
    test(what, () => {
      const health = siteHealth(viewOf(site, view));
      const { restorable, walLag } = health;
      assert.equal(restorable.state, state, restorable.because);
      assert.equal(restorable.is, state === 'yes');
      if (from !== undefined) assert.deepEqual(restorable.from, at(from));
      if (until !== undefined) assert.deepEqual(restorable.until, at(until));
      if (untilUnknown) assert.equal(restorable.until, undefined);
      if (state !== 'yes') assert.equal(restorable.until ?? restorable.from, undefined, 'nothing is claimed');
      assert.match(restorable.because, because);
      if (lag) assert.deepEqual([walLag.bytes, walLag.seconds], [...lag], walLag.because);
      assert.equal(health.verdict.is, verdict, health.verdict.because.join());
    });
  }
});
