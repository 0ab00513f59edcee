import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { at, type MadeSite, viewOf } from '../../test/support/health-view.ts';
import { healthAsDocument, healthDocument } from '../daemon/health/health-document.ts';
import type { SiteHealthView } from '../daemon/health/health-view.ts';
import { type SiteHealth, siteHealth } from '../daemon/health/site-health.ts';
import { type SiteState, siteSamples } from '../daemon/metrics/site-samples.ts';
import { formatJson } from '../lib/json.ts';
import { statusAsData } from './status-data.ts';
import { pluginResult } from './status-monitoring.ts';
import { type StatusReport, statusExitCode } from './status-report.ts';
import { statusText } from './status-text.ts';

const backup = { start: 2, end: 3, from: '08:00:00', to: '08:10:00' };
const whole: MadeSite = { backups: [backup], stored: ['1:2-5'], samples: ['12:00:09 1@6'] };
const alert = { name: 'upload_retries_warning', because: 'a | pipe\nand two lines' };

interface Case {
  readonly what: string;
  readonly site: MadeSite;
  readonly view?: Partial<SiteHealthView>;
  readonly verdict: SiteHealth['verdict']['is'];
  readonly head: string;
  readonly exitCode: number;
  readonly plugin: readonly [exitCode: number, word: string];
}

const cases: readonly Case[] = [
  { what: 'well', site: whole, verdict: 'ok', head: 'main: ok', exitCode: 0, plugin: [0, 'OK'] },
  {
    what: 'an alert',
    site: whole,
    view: { alerts: [alert] },
    verdict: 'attention',
    head: 'main: NEEDS ATTENTION',
    exitCode: 3,
    plugin: [1, 'WARNING'],
  },
  { what: 'nothing to restore', site: {}, verdict: 'failure', head: 'main: NOT RESTORABLE', exitCode: 3, plugin: [2, 'CRITICAL'] },
  {
    what: 'nothing known',
    site: { backups: [{ start: 2, from: '08:00:00', to: '08:10:00' }], stored: ['1:2'] },
    verdict: 'unknown',
    head: 'main: UNKNOWN',
    exitCode: 3,
    plugin: [3, 'UNKNOWN'],
  },
  { what: 'not active', site: {}, view: { active: false }, verdict: 'inactive', head: 'main: not active', exitCode: 0, plugin: [0, 'OK'] },
];

describe('text, JSON, exit codes, plugins and metrics agree (fault row 119)', () => {
  for (const { what, site, view, verdict, head, exitCode, plugin } of cases) {
    test(what, () => {
      const health = siteHealth(viewOf(site, view));
      const report = reportOf(health);
      const [told] = (JSON.parse(formatJson(statusAsData(report))) as { sites: [{ verdict: { is: string }; health: unknown }] }).sites;
      assert.deepEqual(healthDocument.parse(told.health), healthAsDocument(health), 'nothing is lost on the way');
      assert.deepEqual([health.verdict.is, told.verdict.is, statusExitCode(report)], [verdict, verdict, exitCode]);
      const [first, ...lines] = statusText(report, { columns: 80, colours: false });
      assert.equal(first, head);
      for (const reason of verdict === 'inactive' ? [] : health.verdict.because)
        assert.ok(lines.join(' ').replaceAll(/\s+/g, ' ').includes(reason.replaceAll(/\s+/g, ' ')), reason);
      const result = pluginResult(report);
      assert.deepEqual([result.exitCode, result.line.startsWith(`PGHOARD ${plugin[1]} - main: `)], [plugin[0], true], result.line);
      assert.match(result.line, /^[^|\n]*( \| [^|\n]*)?$/);
      assert.deepEqual(numbersIn(result.line), numbersIn(perfdataOf(metricsOf(health))));
    });
  }
});

test('several sites are as bad as the worst of them; a daemon that does not run is worse than any', () => {
  const [fine, bad] = [reportOf(siteHealth(viewOf(whole))), reportOf(siteHealth(viewOf({})))];
  const both = { ...fine, sites: [...fine.sites, ...bad.sites] };
  assert.deepEqual([statusExitCode(both), pluginResult(both).exitCode, statusAsData(both)['verdict']], [3, 2, 'failure']);
  const alone = { ...fine, daemon: { answers: false, because: 'connection refused' } };
  assert.deepEqual(
    [statusExitCode(alone), pluginResult(alone)],
    [1, { line: 'PGHOARD CRITICAL - no daemon answers: connection refused', exitCode: 2 }],
  );
});

function reportOf(health: SiteHealth): StatusReport {
  const document = healthAsDocument(health);
  const site = { site: 'main', verdict: document.verdict, health: document, source: 'daemon', store: undefined } as const;
  return { config: 'pghoard.json', version: '3.0.0', at: at('12:00:10'), daemon: { answers: true, because: '' }, sites: [site] };
}

function metricsOf(health: SiteHealth): ReadonlyMap<string, number> {
  const loop = { retentionPostponed: undefined, backupActivity: undefined } as SiteState['loop'];
  const state: SiteState = {
    name: 'main',
    health,
    loop,
    receiver: undefined,
    gaps: undefined,
    servers: { nodes: [] },
    verified: undefined,
  };
  return new Map(siteSamples(state, health.at).map(({ name, value }) => [name, value]));
}

/** What Prometheus is told, as a plugin would tell it. */
function perfdataOf(metrics: ReadonlyMap<string, number>): string {
  const names = [
    ['restorable_age', 'pghoard.newest_restorable_age_seconds', 's'],
    ['wal_lag', 'pghoard.wal_lag_seconds', 's'],
    ['wal_lag_bytes', 'pghoard.wal_lag_bytes', 'B'],
    ['basebackups', 'pghoard.basebackups', ''],
    ['basebackup_age', 'pghoard.newest_basebackup_age_seconds', 's'],
    ['spool', 'pghoard.spool_bytes', 'B'],
  ] as const;
  return names.flatMap(([name, metric, unit]) => (metrics.has(metric) ? [`'main_${name}'=${metrics.get(metric)}${unit}`] : [])).join(' ');
}

function numbersIn(line: string): string[] {
  return line.match(/'main_\w+'=\S+/g) ?? [];
}
