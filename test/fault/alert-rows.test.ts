import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AlertName, alertKinds, alertNames } from '../../src/daemon/alerts/alert-catalogue.ts';
import { packageRoot } from '../support/package-root.ts';

/** A file, and words of the name of a test there. */
type Tried = readonly (readonly [file: string, words: string])[];

const alerts = 'test/integration/alerts.test.ts';
const outage = 'test/fault/store-outage.test.ts';
const watch = 'src/daemon/servers/server-watch.test.ts';

/** What may go wrong with noticing that something goes wrong, by number, and where it is tried. */
const rows: Readonly<Record<number, { readonly fault: string; readonly tried: Tried }>> = {
  4: { fault: 'a store that throttles for long', tried: [[alerts, 'a store that is throttled to a standstill']] },
  10: {
    fault: 'a store that is down until the disk is full',
    tried: [
      ['src/daemon/alerts/judge-disk.test.ts', 'it fills within hours'],
      [outage, 'WAL is kept, nothing hammers, and all is stored'],
    ],
  },
  26: { fault: 'a key that is revoked', tried: [[outage, 'an alert within a cycle']] },
  63: { fault: 'pages with wrong checksums', tried: [['test/integration/page-checksums.test.ts', 'a page with a wrong checksum']] },
  97: {
    fault: 'a thread that dies',
    tried: [['test/fault/daemon-crashes.test.ts', 'a worker dies, and what it did is done by another']],
  },
  116: {
    fault: 'who produces something stops in silence',
    tried: [
      [alerts, 'a base backup that is due, and a maintenance file that somebody forgot'],
      [alerts, 'a store that is throttled to a standstill'],
      ['src/daemon/alerts/judge-site.test.ts', 'a segment, for five minutes'],
    ],
  },
  117: {
    fault: 'an alert whose cause is gone',
    tried: [
      [alerts, 'what an earlier life left goes'],
      ['src/daemon/alerts/alerts.test.ts', 'a file that was left goes when somebody finds its cause gone'],
      ['src/daemon/alerts/alerts.test.ts', 'what a site has goes with the site'],
    ],
  },
  118: {
    fault: 'who proves that all is well is broken',
    tried: [
      ['src/daemon/alerts/heartbeat-decision.test.ts', 'nobody knows'],
      ['src/daemon/health/site-health.test.ts', 'what is not known yet is unknown, and says why'],
    ],
  },
  119: {
    fault: 'two that tell different things of a site',
    tried: [['src/daemon/alerts/judge-site.test.ts', 'a site that is well has no alert at all']],
  },
  120: {
    fault: 'nobody hears of it',
    tried: [
      ['src/daemon/alerts/channels.test.ts', 'the command is not held up by it'],
      ['src/daemon/alerts/alerts.test.ts', 'what cannot be delivered waits over a restart, in its order'],
      [alerts, 'a webhook that does not answer meanwhile'],
    ],
  },
};

/** Where each alert is raised, and cleared, by what it is for. */
const causes: Readonly<Record<AlertName, Tried>> = {
  authentication_error: [[alerts, 'a password that was changed']],
  basebackup_failing: [[alerts, 'base backups that fail']],
  basebackup_overdue: [[alerts, 'a base backup that is due']],
  cluster_mismatch: [
    ['test/integration/pg-receivewal.test.ts', 'cluster_mismatch'],
    ['test/integration/identity.test.ts', 'a cluster that was made anew is refused'],
  ],
  configuration_error: [[alerts, 'a server that is down']],
  configuration_not_reloaded: [['test/fault/daemon-signals.test.ts', 'SIGHUP with garbage keeps the configuration that is in force']],
  disk_nearly_full: [[alerts, 'a disk that is nearly full']],
  job_stalled: [['src/daemon/lifecycle/job-watch.test.ts', 'a job without progress is told of']],
  lease_lost: [['test/integration/second-daemon.test.ts', 'one that sleeps too long finds the other one at work when it wakes']],
  page_checksum_errors: [['test/integration/page-checksums.test.ts', 'a page with a wrong checksum']],
  restorable_window_stalled: [[alerts, 'a store that is throttled to a standstill']],
  restore_drill_failed: [['test/integration/restore-drill.test.ts', 'a damaged base backup fails']],
  restore_drill_overdue: [['test/integration/restore-drill.test.ts', 'one that cannot be held proves nothing']],
  retention_confirmation: [['src/daemon/site-retention.test.ts', 'retention_confirmation']],
  spool_unusable: [['test/integration/unusable-spool.test.ts', 'it is mended by who makes room for it']],
  store_denied: [
    [outage, 'does not take the key any more'],
    ['test/integration/unusable-store.test.ts', 'each is mended by its file'],
  ],
  store_empty: [['test/integration/identity.test.ts', 'a store that is not mounted gets nothing, and is told']],
  store_missing: [[outage, 'has lost the bucket']],
  store_throttled: [[alerts, 'a store that is throttled to a standstill']],
  two_primaries: [['src/daemon/servers/troubles.test.ts', 'two_primaries']],
  upload_retries_warning: [[alerts, 'a store that is throttled to a standstill']],
  verify_failed: [['test/integration/verify.test.ts', 'the daemon tells of an object that is damaged, and of its being mended']],
  version_mismatch_error: [[alerts, 'a program of an older PostgreSQL']],
  version_unsupported_error: [[watch, 'alerts come and go with their causes']],
  wal_gap: [['test/integration/wal-gaps.test.ts', 'wal_gap']],
  wal_not_archived: [[alerts, 'a store that is throttled to a standstill']],
  worker_crashed: [['test/fault/daemon-crashes.test.ts', 'a worker dies, and what it did is done by another']],
  wrong_server: [[watch, 'alerts come and go with their causes']],
};

async function assertTried(what: string, tried: Tried): Promise<void> {
  for (const [file, words] of tried) {
    const text = await readFile(join(packageRoot, file), 'utf8');
    assert.ok(text.includes(words), `${file} has no test with "${words}", which is to try ${what}`);
  }
}

test('each of the faults 116 to 120, and of those that an alert is for, is tried somewhere', async () => {
  for (const row of [4, 10, 26, 63, 97, 116, 117, 118, 119, 120]) assert.ok(rows[row], `nobody tries fault ${row}`);
  for (const [row, { tried }] of Object.entries(rows)) await assertTried(`fault ${row}`, tried);
});

test('each alert is raised and cleared by its cause somewhere', async () => {
  assert.deepEqual(Object.keys(causes).toSorted(), [...alertNames].toSorted());
  for (const [name, tried] of Object.entries(causes)) await assertTried(`the alert ${name}`, tried);
});

test('docs/alerts.md tells of each alert, with its severity, cause and what to do', async () => {
  const page = await readFile(join(packageRoot, 'docs/alerts.md'), 'utf8');
  const rowsOfPage = page.matchAll(/^\| `([a-z_]+)` \| (critical|warning) \| \S[^|]+ \| \S[^|]+ \|$/gm);
  const described = [...rowsOfPage].map(([, name, severity]) => `${name}: ${severity}`);
  const expected = alertNames.map((name) => `${name}: ${alertKinds[name].severity}`);
  assert.deepEqual(new Set(described), new Set(expected));
  assert.equal(described.length, expected.length);
});
