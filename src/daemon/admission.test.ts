import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Applicant } from '../catalog/identity-keeper.ts';
import type { SiteIdentity } from '../catalog/site-identity.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { silentLog } from '../lib/log.ts';
import type { ClusterFacts } from '../wal/wal-source.ts';
import { Admission } from './admission.ts';

const segmentBytes = 16 * 1024 * 1024;
const { signal } = new AbortController();

/** An admission before a keeper that answers as it is told. */
class Bench {
  readonly keeper: { identity: SiteIdentity | undefined };
  readonly cluster: { readonly facts: ClusterFacts };
  refuse: OperatorError | undefined;
  seconds = 0;
  looks = 0;
  readonly asked: (readonly Applicant[])[] = [];
  readonly majors: string[] = [];
  readonly alerts = new Set<string>();
  readonly admission: Admission;

  constructor() {
    const admit = async (applicants: readonly Applicant[]) => {
      this.asked.push(applicants);
      if (this.refuse) throw this.refuse;
    };
    const keeper = { identity: undefined, admit, noteMajor: async (major: string) => void this.majors.push(major) };
    const facts = { systemIdentifier: 1n, segmentBytes, pgVersion: 150018 };
    const cluster = { facts, readDataDirectory: async () => void this.looks++ };
    const raise = async (name: string) => void this.alerts.add(name);
    const clear = async (name: string) => void this.alerts.delete(name);
    const clock: Clock = { ...systemClock, monotonicMs: () => this.seconds * 1000 };
    this.keeper = keeper;
    this.cluster = cluster;
    this.admission = new Admission({ site: 'main', keeper, cluster, alerts: { raise, clear }, clock, log: silentLog });
  }
}

test('WAL is checked against the cluster of the site, before it is known against the one at hand', () => {
  const bench = new Bench();
  assert.deepEqual(bench.admission.facts, bench.cluster.facts);
  bench.keeper.identity = { systemIdentifier: 7n, segmentBytes: 2 ** 20, majors: [], since: new Date(0) };
  assert.deepEqual(bench.admission.facts, { systemIdentifier: 7n, segmentBytes: 2 ** 20, pgVersion: 150018 });
});

test('who asks is admitted only with the cluster that the settings lead to; what says nothing of itself is as that is now', async () => {
  const bench = new Bench();
  await bench.admission.admit({ what: 'segment', systemIdentifier: 1n }, signal);
  assert.equal(bench.looks, 0);
  await bench.admission.admit({ what: '00000002.history' }, signal);
  assert.equal(bench.looks, 1);
  const [[resident], names] = [bench.asked[0] ?? [], bench.asked.map((applicants) => applicants.map(({ what }) => what))];
  assert.deepEqual([resident?.systemIdentifier, resident?.major], [1n, '15']);
  assert.deepEqual(
    names.map((all) => all.at(-1)),
    ['segment', '00000002.history'],
  );
});

const refusals: [code: string, alert: string][] = [
  ['cluster-mismatch', 'cluster_mismatch'],
  ['identity-unreadable', 'cluster_mismatch'],
  ['store-empty', 'store_empty'],
  ['store-missing', 'store_missing'],
  ['store-denied', 'store_denied'],
];
for (const [code, alert] of refusals) {
  test(`${code} is an obstacle and an alert, until it is over`, async () => {
    const bench = new Bench();
    bench.refuse = new OperatorError(code, 'no', { retryable: code === 'store-empty' });
    await bench.admission.check(signal);
    assert.match(bench.admission.obstacle ?? '', /^nothing is stored or deleted: no$/);
    assert.deepEqual([...bench.alerts], [alert]);
    bench.refuse = undefined;
    bench.seconds += 10;
    await bench.admission.check(signal);
    assert.equal(bench.admission.obstacle, undefined);
    bench.seconds += 150;
    await bench.admission.check(signal);
    assert.deepEqual([...bench.alerts], []);
    assert.deepEqual(bench.majors, ['15', '15']);
  });
}

test('WAL that is refused is an alert while PostgreSQL keeps trying, and no obstacle for the cluster that belongs here', async () => {
  const bench = new Bench();
  for (let minute = 0; minute < 3; minute++) {
    bench.refuse = new OperatorError('cluster-mismatch', 'no');
    await assert.rejects(bench.admission.admit({ what: 'segment', systemIdentifier: 2n }, signal), bench.refuse);
    bench.refuse = undefined;
    bench.seconds += 60;
    await bench.admission.check(signal);
    assert.deepEqual([bench.admission.obstacle, bench.alerts.size], [undefined, 1]);
  }
});

test('a store that does not answer is no verdict', async () => {
  const bench = new Bench();
  bench.refuse = new OperatorError('store-unreachable', 'no', { retryable: true });
  await assert.rejects(bench.admission.check(signal), bench.refuse);
  assert.deepEqual([bench.admission.obstacle, bench.alerts.size], [undefined, 0]);
  bench.refuse = new OperatorError('store-failed', 'no');
  await bench.admission.check(signal);
  assert.match(bench.admission.obstacle ?? '', /no$/);
});

test('WAL is received while the store does not answer, is not there or refuses, unless it is known to be of another cluster', async () => {
  const bench = new Bench();
  bench.keeper.identity = { systemIdentifier: 1n, segmentBytes, majors: [], since: new Date(0) };
  for (const code of ['store-unreachable', 'store-empty', 'store-missing', 'store-denied']) {
    bench.refuse = new OperatorError(code, 'no', { retryable: /unreachable|empty/.test(code) });
    await bench.admission.receive({ what: 'server', systemIdentifier: 1n, segmentBytes }, signal);
    await assert.rejects(bench.admission.receive({ what: 'server', systemIdentifier: 2n }, signal), { code: 'cluster-mismatch' });
  }
  for (const code of ['cluster-mismatch', 'identity-unreadable']) {
    bench.refuse = new OperatorError(code, 'no');
    await assert.rejects(bench.admission.receive({ what: 'server', systemIdentifier: 1n }, signal), bench.refuse);
  }
});
