import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../lib/errors.ts';
import type { ServerSample } from './server-sample.ts';
import { type JudgedNode, troublesOf } from './troubles.ts';

const nowMs = 100_000;
const sample: ServerSample = {
  role: 'primary',
  pgVersion: 150_018,
  systemIdentifier: 7n,
  segmentBytes: 1 << 24,
  timeline: 1,
  lsn: 0x3000000n,
  postmaster: { port: 5432, startedSeconds: 1000.5 },
  sampledAt: new Date('2026-11-30T12:00:00Z'),
};
const standby: Partial<ServerSample> = { role: 'standby', postmaster: { port: 5432, startedSeconds: 2000 } };
const up = (label: string, more: Partial<ServerSample> = {}): JudgedNode => ({
  index: 0,
  label,
  sample: { ...sample, ...more },
  obstacle: undefined,
  failure: undefined,
});
const down = (label: string, code: string, options: { retryable?: boolean; sinceMs?: number } = {}): JudgedNode => {
  const error = new OperatorError(code, `${label} says no`, { retryable: options.retryable ?? true });
  return { index: 0, label, sample, obstacle: error.message, failure: { error, sinceMs: options.sinceMs ?? 0 } };
};

const cases: readonly [string, readonly JudgedNode[], readonly [string, RegExp][]][] = [
  ['no servers', [], []],
  ['a primary and its standby', [up('a'), up('b', standby)], []],
  ['one server away, the other answers', [up('a'), down('b', 'postgres-unreachable')], []],
  ['all away', [down('a', 'postgres-unreachable')], [['configuration_error', /a cannot be asked: a says no/]]],
  ['all away, but only just', [down('a', 'postgres-unreachable', { sinceMs: nowMs - 14_999 })], []],
  [
    'a wrong password',
    [down('a', 'postgres-authentication', { retryable: false, sinceMs: nowMs })],
    [['authentication_error', /a says no/]],
  ],
  [
    'a server that will never let us in, beside one that answers',
    [up('a'), down('b', 'postgres-tls', { retryable: false })],
    [['configuration_error', /server b cannot be asked/]],
  ],
  ['too old', [up('a', { pgVersion: 120_022 })], [['version_unsupported_error', /PostgreSQL 12 is older .*13 to 18/]]],
  ['too new', [up('a', { pgVersion: 190_000 })], [['version_unsupported_error', /PostgreSQL 19 is newer/]]],
  [
    'another cluster',
    [up('a'), up('b', { systemIdentifier: 8n, ...standby })],
    [['wrong_server', /server b is of another cluster and is not used: its system identifier is 8, not 7/]],
  ],
  ['another cluster that does not answer any more', [up('a'), { ...down('b', 'postgres-unreachable') }], []],
  [
    'two primaries',
    [up('a'), up('b', { postmaster: { port: 5432, startedSeconds: 2000 }, timeline: 2 })],
    [['two_primaries', /a \(timeline 1\) and b \(timeline 2\) are both primaries/]],
  ],
  ['a primary of another cluster is not a second one', [up('a'), up('b', { systemIdentifier: 8n })], [['wrong_server', /b/]]],
  ['one server under two names', [up('a'), up('127.0.0.1')], []],
];

for (const [what, nodes, expected] of cases) {
  test(`troubles: ${what}`, () => {
    const troubles = troublesOf(nodes, { systemIdentifier: 7n }, nowMs);
    assert.deepEqual(
      troubles.map(({ name }) => name),
      expected.map(([name]) => name),
    );
    for (const [at, [, because]] of expected.entries()) assert.match(troubles[at]?.because ?? '', because);
  });
}
