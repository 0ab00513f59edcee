import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AlertName } from './alert-catalogue.ts';
import { type JudgedSite, judgeSite } from './judge-site.ts';
import { alertOptions } from './options.ts';

const at = new Date('2026-11-30T12:00:00Z');
const ago = (seconds: number) => new Date(at.getTime() - seconds * 1000);
const segmentBytes = 16 * 1024 * 1024;
const limits = alertOptions.parse({});
const minute = 60_000;

type Health = JudgedSite['health'];

interface Given extends Partial<Omit<JudgedSite, 'health'>> {
  readonly backups?: Partial<Health['backups']>;
  readonly newestAgo?: number;
  readonly running?: boolean;
  readonly restorable?: Health['restorable'];
  readonly walLag?: Health['walLag'];
}

/** A site that is well, but for what is given. */
function site({ backups, newestAgo = 3600, running = false, restorable, walLag, ...rest }: Given = {}): JudgedSite {
  const job = { kind: 'basebackup', phase: 'copying', startedAt: at, elapsedSeconds: 1, bytesDone: 0 } as const;
  const newest = { name: 'b', from: ago(newestAgo), bytes: 1, secondsAgo: newestAgo };
  return {
    health: {
      at,
      backups: { count: 1, newest, failures: 0, ...backups },
      jobs: running ? [job] : [],
      restorable: restorable ?? {
        is: true,
        state: 'yes',
        from: ago(newestAgo),
        until: ago(5),
        untilSecondsAgo: 5,
        because: 'all is stored',
      },
      walLag: walLag ?? { bytes: 0, seconds: 0, because: 'all is stored' },
    },
    intervalHours: 24,
    dueAt: ago(newestAgo - 86_400),
    leftAlone: undefined,
    lastFailure: undefined,
    segmentBytes,
    hasOnlyBasebackups: false,
    uncertainMs: 0,
    standstillMs: 0,
    isFetched: false,
    damaged: null,
    watchedMs: 3600_000,
    throttledMs: 0,
    lostTo: undefined,
    ...rest,
  };
}

/** One that has no base backup, or of which nobody knows whether it has (`count` is absent). */
function withoutBackups(backups: Health['backups'], watchedMs: number): JudgedSite {
  const judged = site({ watchedMs });
  return { ...judged, health: { ...judged.health, backups } };
}

const yesUntil = (seconds: number): Health['restorable'] => ({
  is: true,
  state: 'yes',
  from: ago(86_400),
  until: ago(seconds),
  untilSecondsAgo: seconds,
  because: 'the server has written WAL that is not stored yet',
});

/** Undefined: nothing is said. */
const cases: readonly (readonly [what: string, judged: JudgedSite, alert: AlertName, said: RegExp | null | undefined])[] = [
  ['two failures', site({ backups: { failures: 2 } }), 'basebackup_failing', null],
  ['three failures', site({ backups: { failures: 3 }, lastFailure: 'no room' }), 'basebackup_failing', /failed 3 times in a row: no room/],
  ['due by now', site({ newestAgo: 86_400 + 599 }), 'basebackup_overdue', null],
  [
    'due for ten minutes',
    site({ newestAgo: 86_400 + 600 }),
    'basebackup_overdue',
    /due since 2026-11-30T11:50.* \(the last one began at 2026-11-29T11:50/,
  ],
  [
    'due by the hour, though the last one is not a day old',
    site({ newestAgo: 3600, dueAt: ago(600) }),
    'basebackup_overdue',
    /due since 2026-11-30T11:50/,
  ],
  ['due by the hour tomorrow, though the last one is old', site({ newestAgo: 90_000, dueAt: ago(-3600) }), 'basebackup_overdue', null],
  ['being begun', site({ newestAgo: 90_000, dueAt: undefined }), 'basebackup_overdue', null],
  ['overdue, but one is running', site({ newestAgo: 90_000, running: true }), 'basebackup_overdue', null],
  ['overdue, but failing says it', site({ newestAgo: 90_000, backups: { failures: 3 } }), 'basebackup_overdue', null],
  ['overdue, in maintenance', site({ newestAgo: 90_000, leftAlone: 'maintenance mode is on' }), 'basebackup_overdue', null],
  [
    'a forgotten maintenance file',
    site({ newestAgo: 2 * 86_400 + 600, leftAlone: 'maintenance mode is on' }),
    'basebackup_overdue',
    /maintenance mode is on/,
  ],
  ['only taken by hand', site({ newestAgo: 900_000, intervalHours: null }), 'basebackup_overdue', null],
  ['not listed yet', withoutBackups({ failures: 0 }, 60 * minute), 'basebackup_overdue', undefined],
  ['a new site', withoutBackups({ count: 0, failures: 0 }, 9 * minute), 'basebackup_overdue', null],
  ['a new site that takes none', withoutBackups({ count: 0, failures: 0 }, 10 * minute), 'basebackup_overdue', /there is no base backup/],
  ['a clock set back', site({ newestAgo: -900_000 }), 'basebackup_overdue', null],

  ['a server that cannot be asked', site({ walLag: { because: 'no answer' }, standstillMs: 900 * minute }), 'wal_not_archived', undefined],
  ['less than a segment', site({ walLag: { bytes: segmentBytes - 1, because: '' }, standstillMs: 0 }), 'wal_not_archived', null],
  ['a segment, for a moment', site({ walLag: { bytes: segmentBytes, because: '' }, standstillMs: 299_000 }), 'wal_not_archived', null],
  [
    'a segment, for five minutes',
    site({ walLag: { bytes: segmentBytes, because: '' }, standstillMs: 300_000 }),
    'wal_not_archived',
    /16777216 bytes of WAL .* none has been stored for 5 min/,
  ],
  [
    'nothing handed over, though what base backups need was fetched',
    site({ walLag: { bytes: 5, because: '' }, standstillMs: 300_000, isFetched: true }),
    'wal_not_archived',
    /handed over no WAL for 5 min: what base backups need of it pghoard has fetched itself, 5 bytes behind/,
  ],
  [
    'a new timeline, of which nothing is stored',
    site({
      walLag: { because: 'the server is on timeline 3, to which what is stored does not lead', isOnNewTimeline: true },
      standstillMs: 300_000,
    }),
    'wal_not_archived',
    /is on timeline 3, .* for 5 min now/,
  ],
  ['the same, a moment after', site({ walLag: { because: '', isOnNewTimeline: true }, standstillMs: 299_000 }), 'wal_not_archived', null],
  ['the same for a moment', site({ walLag: { bytes: 5, because: '' }, standstillMs: 0, isFetched: true }), 'wal_not_archived', null],
  ['far behind, but getting on', site({ walLag: { bytes: segmentBytes * 900, because: '' }, standstillMs: 0 }), 'wal_not_archived', null],

  ['a fresh window', site(), 'restorable_window_stalled', null],
  [
    'a window that is an hour old',
    site({ restorable: yesUntil(3600) }),
    'restorable_window_stalled',
    /and no further: the server has written/,
  ],
  ['an old one of base backups only', site({ restorable: yesUntil(3600), hasOnlyBasebackups: true }), 'restorable_window_stalled', null],
  [
    'base backups only, too old',
    site({ restorable: yesUntil(90_000), hasOnlyBasebackups: true }),
    'restorable_window_stalled',
    /no further/,
  ],
  [
    'base backups by hand only',
    site({ restorable: yesUntil(9e6), hasOnlyBasebackups: true, intervalHours: null }),
    'restorable_window_stalled',
    null,
  ],
  [
    'not restorable yet',
    site({ restorable: { is: false, state: 'no', because: 'there is no complete base backup' }, uncertainMs: 59 * minute }),
    'restorable_window_stalled',
    null,
  ],
  [
    'not restorable for an hour',
    site({ restorable: { is: false, state: 'no', because: 'there is no complete base backup' }, uncertainMs: 60 * minute }),
    'restorable_window_stalled',
    /cannot be restored, for 60 min now: there is no complete/,
  ],
  [
    'unknown for hours',
    site({ restorable: { is: false, state: 'unknown', because: 'the store does not answer' }, uncertainMs: 180 * minute }),
    'restorable_window_stalled',
    /it is not certain .* for 3 h now/,
  ],

  ['throttled for a while', site({ throttledMs: 899_000 }), 'store_throttled', null],
  ['throttled for long', site({ throttledMs: 900_000 }), 'store_throttled', /for 15 min/],
  ['the site is another daemon’s', site({ lostTo: 'db2 has it' }), 'lease_lost', /db2 has it/],
  ['the site is ours', site(), 'lease_lost', null],
];

for (const [what, judged, alert, said] of cases)
  test(`${alert}: ${what}`, () => {
    const verdict = judgeSite(judged, limits)[alert];
    if (said instanceof RegExp) assert.match(verdict ?? '', said);
    else assert.equal(verdict, said);
  });

test('a site that is well has no alert at all', () => {
  assert.deepEqual(
    Object.values(judgeSite(site(), limits)).filter((because) => because !== null),
    [],
  );
});
