import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, type MadeSite, viewOf } from '../../test/support/health-view.ts';
import { healthAsDocument } from '../daemon/health/health-document.ts';
import type { SiteHealthView } from '../daemon/health/health-view.ts';
import { siteHealth } from '../daemon/health/site-health.ts';
import type { SiteStatus, StatusReport } from './status-report.ts';
import { statusText } from './status-text.ts';

const whole: MadeSite = {
  backups: [{ start: 2, end: 3, from: '08:00:00', to: '08:10:00' }],
  stored: ['1:2-5'],
  samples: ['12:00:09 1@6'],
};

function told(site: string, made: MadeSite, changes: Partial<SiteHealthView> = {}): SiteStatus {
  const health = healthAsDocument(siteHealth(viewOf(made, { site, ...changes })));
  return { site, verdict: health.verdict, health, source: 'daemon', store: undefined };
}

function reportOf(sites: readonly SiteStatus[], changes: Partial<StatusReport> = {}): StatusReport {
  const daemon = { answers: true, because: 'pghoard at 127.0.0.1:16000 answers' };
  return { config: 'pghoard.json', version: '3.0.0', at: at('12:00:10'), daemon, sites, ...changes };
}

const plain = { columns: 80, colours: false };

function assertText(report: StatusReport, expected: string, style = plain): void {
  const lines = statusText(report, style);
  assert.equal(lines.join('\n'), expected.replace(/^\n/, '').trimEnd());
  for (const line of lines) assert.ok(line.length <= style.columns, line);
}

test('a site that is well, on one screen of 80 columns', () => {
  assertText(
    reportOf([told('main', whole)]),
    `
main: ok
  restorable    from 2026-11-30 08:10:00Z to 2026-11-30 12:00:06Z (4 s ago)
                all WAL is stored that the server has written
  WAL lag       0 bytes, 0 s
  base backups  1, 4.8 MiB; newest 2026-11-30_08-00-00_0, 4 h ago, 4.8 MiB
  alerts        none
  next          base backup: the next base backup is due tomorrow
  verified      never: pghoard verify reads again what is stored
  spool         nothing waits
  store         the store answers
`,
  );
});

test('everything that can go wrong or on at once, wrapped', () => {
  const view = viewOf({ ...whole, samples: ['11:00:00 1@6', '12:00:09 1@6.2048'] });
  const progress = { phase: 'copying', bytesDone: 250 * 2 ** 30, bytesTotal: 1000 * 2 ** 30, filesDone: 3 } as const;
  const changes: Partial<SiteHealthView> = {
    alerts: [
      { name: 'upload_retries_warning', because: 'main/xlog/000000010000000000000006 could not be stored 7 times: connect ECONNREFUSED' },
    ],
    backups: {
      ...view.backups,
      failures: 2,
      running: { startedAt: at('11:00:10'), elapsedMs: 3_600_000, progress },
      dueAt: at('13:00:00'),
    },
    deletion: { what: 'deletion', because: '2 base backups stay until 2026-12-01T00:00:00Z: a lock of the store keeps them' },
    spool: { files: 12, bytes: 340 * 2 ** 20 },
    store: {
      lastSuccess: { at: at('11:00:00'), msAgo: 3_610_000 },
      lastFailure: { at: at('12:00:00'), msAgo: 10_000, because: 'the store cannot be reached (store-unreachable)' },
    },
  };
  assertText(
    reportOf([told('main', { ...whole, samples: ['11:00:00 1@6', '12:00:09 1@6.2048'] }, changes)]),
    `
main: NEEDS ATTENTION
  because       upload_retries_warning: main/xlog/000000010000000000000006 could
                not be stored 7 times: connect ECONNREFUSED
                no request to the store has succeeded since
                2026-11-30T11:00:00.000Z: the store cannot be reached
                (store-unreachable)
                base backups failed 2 times since the last success
  restorable    from 2026-11-30 08:10:00Z to 2026-11-30 10:59:57Z (60 min ago)
                the server has written WAL that is not stored yet
  WAL lag       2 KiB, 60 min
  base backups  1, 4.8 MiB; newest 2026-11-30_08-00-00_0, 4 h ago, 4.8 MiB; 2
                failed since the last success
  running       base backup, copying: 25 % of 1000 GiB, for 60 min, ends at
                about 2026-11-30 15:00:10Z
  alerts        upload_retries_warning
  next          base backup at 2026-11-30 13:00:00Z: the next base backup is due
                tomorrow
                deletion: 2 base backups stay until 2026-12-01T00:00:00Z: a lock
                of the store keeps them
  verified      never: pghoard verify reads again what is stored
  spool         12 files, 340 MiB, to be stored
  store         no request to the store has succeeded since
                2026-11-30T11:00:00.000Z: the store cannot be reached
                (store-unreachable)
`,
  );
});

test('a base backup that has been read is being stored, and does not end just now for all that time', () => {
  const progress = { phase: 'copying', bytesDone: 155 * 2 ** 20, bytesTotal: 155 * 2 ** 20, filesDone: 3 } as const;
  const { backups } = viewOf({});
  const running = { startedAt: at('11:00:10'), elapsedMs: 3_600_000, progress };
  const lines = statusText(reportOf([told('main', {}, { backups: { ...backups, running } })]), plain);
  const job = lines.findIndex((line) => line.startsWith('  running'));
  assert.deepEqual(lines.slice(job, job + 2), [
    '  running       base backup, copying: 155 MiB, all that was expected, and being',
    '                stored, for 60 min',
  ]);
});

test('several sites, of which nothing is known, or that are nobody’s concern', () => {
  const view = viewOf({});
  const unlisted = told('new', {}, { backups: { ...view.backups, listing: undefined } });
  const strange: SiteStatus = {
    site: 'gone',
    verdict: { is: 'unknown', because: ['the daemon does not know this site: it runs with another configuration'] },
    health: undefined,
    source: 'nothing',
    store: undefined,
  };
  assertText(
    reportOf([unlisted, strange]),
    `
new: UNKNOWN
  because       the base backups in the store have not been listed yet
                nobody knows how far the server is: it was not asked lately
  restorable    unknown: the base backups in the store have not been listed yet
  WAL lag       unknown: nobody knows how far the server is: it was not asked
                lately
  base backups  not listed yet
  alerts        none
  next          base backup: the next base backup is due tomorrow
  verified      never: pghoard verify reads again what is stored
  spool         nothing waits
  store         the store answers

gone: UNKNOWN
  because       the daemon does not know this site: it runs with another
                configuration
`,
  );
});

test('without a daemon it is told what was, and what lies in the store now', () => {
  const because = 'pghoard at 127.0.0.1:16000 cannot be reached';
  const newest = { name: '2026-11-30_08-00-00_0', at: at('08:10:00'), bytes: 5_000_000 };
  const site: SiteStatus = {
    ...told('main', whole),
    verdict: { is: 'unknown', because: [because] },
    source: 'state-file',
    store: { count: 1, newest },
  };
  assertText(
    reportOf([site], { at: at('14:00:10'), daemon: { answers: false, because } }),
    `
NO DAEMON ANSWERS: pghoard at 127.0.0.1:16000 cannot be reached

main: UNKNOWN
  state file    says how it was 2 h ago, at 2026-11-30 12:00:10Z:
  restorable    from 2026-11-30 08:10:00Z to 2026-11-30 12:00:06Z (2 h ago)
                all WAL is stored that the server has written
  WAL lag       0 bytes, 0 s
  base backups  1, 4.8 MiB; newest 2026-11-30_08-00-00_0, 6 h ago, 4.8 MiB
  alerts        none
  next          base backup: the next base backup is due tomorrow
  verified      never: pghoard verify reads again what is stored
  spool         nothing waits
  store         the store answers
  in the store  1 base backup now; newest 2026-11-30_08-00-00_0 of 2026-11-30
                08:10:00Z, 4.8 MiB
`,
  );
});

test('colours are asked for', () => {
  const [head] = statusText(reportOf([told('main', whole)]), { columns: 80, colours: true });
  assert.equal(head, '\x1b[1mmain\x1b[22m: \x1b[32mok\x1b[39m');
});
