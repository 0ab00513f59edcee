import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseForBasebackup, type ServersForBasebackup } from './choose-for-basebackup.ts';
import type { NodeView, ServerSample } from './server-sample.ts';
import type { UsableNode } from './troubles.ts';

const names = ['a', 'b', 'c'];

function server(index: number, role: ServerSample['role'], more: Partial<ServerSample> = {}): UsableNode {
  const sample = {
    role,
    pgVersion: 150_018,
    systemIdentifier: 7n,
    segmentBytes: 1 << 24,
    timeline: 1,
    lsn: 1n,
    sampledAt: new Date(0),
    ...more,
  };
  return { index, label: names[index] ?? '', sample, obstacle: undefined };
}

const silent = (index: number, obstacle?: string): NodeView => ({
  index,
  label: names[index] ?? '',
  sample: undefined,
  obstacle,
});
const primary = server(0, 'primary');
const standby = server(1, 'standby');
const other = server(2, 'standby');
const paused = server(1, 'standby', { replay: { receivedLsn: 9n, isPaused: true, lastCommitSeconds: 7200 } });
const behind = (seconds: number) => new Map([[1, seconds]]);

const cases: readonly [string, Partial<ServersForBasebackup>, string, RegExp][] = [
  ['one primary', { usable: [primary] }, 'a', /from the primary a$/],
  ['one standby', { usable: [standby], leader: undefined }, 'b', /from the standby b$/],
  ['a standby is preferred', { usable: [primary, standby] }, 'ba', /from the standby b$/],
  ['unless it is not to be', { usable: [primary, standby], from: 'prefer_primary' }, 'ab', /primary/],
  ['one that is a little behind still is', { usable: [primary, standby], lagSeconds: behind(299) }, 'ba', /standby/],
  [
    'one far behind is not',
    { usable: [primary, standby], lagSeconds: behind(301) },
    'ab',
    /primary a, because the standby b is 5 min behind$/,
  ],
  [
    'nor one whose replay is paused',
    { usable: [primary, paused], lagSeconds: behind(7200) },
    'ab',
    /b is 2 h behind \(its replay is paused\)/,
  ],
  ['another standby is better', { usable: [primary, standby, other], lagSeconds: behind(301) }, 'cab', /from the standby c$/],
  ['one far behind is better than none', { usable: [standby], leader: undefined, lagSeconds: behind(9000) }, 'b', /standby b/],
  [
    'unless there is a limit',
    { usable: [standby], lagSeconds: behind(61), lagSecondsMax: 60 },
    '',
    /b is 61 s behind, more than .*_max \(60\) allows/,
  ],
  ['a paused one that is up to date is as good as any', { usable: [primary, paused] }, 'ba', /standby b/],
  ['only standbys', { usable: [primary], from: 'standby' }, '', /the server a is the primary, and basebackup_from is "standby"/],
  ['only the primary', { usable: [standby], from: 'primary' }, '', /the server b is a standby, and basebackup_from is "primary"/],
  ['only the primary, beside standbys', { usable: [primary, standby], from: 'primary' }, 'a', /primary/],
  [
    'nobody answers',
    { nodes: [silent(0, 'away'), silent(1, 'away')], usable: [] },
    '',
    /no server of the site can be used: a: away; b: away/,
  ],
  ['all are of another cluster', { nodes: [silent(0)], usable: [] }, '', /a: it is of another cluster/],
  ['what runs on this host, whatever the rest', { usable: [primary, standby], local: primary }, 'a', /primary a/],
  [
    'what runs on this host, with a limit',
    { usable: [primary, standby], local: primary, from: 'standby' },
    '',
    /a, which runs on pg_data_directory, is the primary/,
  ],
  [
    'an old primary is none to take',
    { usable: [primary, server(2, 'primary', { timeline: 2 })], leader: server(2, 'primary', { timeline: 2 }) },
    'c',
    /c/,
  ],
  [
    'nor is a standby that does not follow',
    { usable: [standby, server(2, 'primary', { timeline: 2 })], leader: server(2, 'primary', { timeline: 2 }), local: standby },
    '',
    /b, which runs on pg_data_directory, is on timeline 1, which the primary c has left for 2/,
  ],
  ['nobody knows which primary is right', { usable: [primary, standby], isTorn: true }, '', /cannot be told which/],
  ['after a failure the next one is tried', { usable: [primary, standby], failures: 1 }, 'ab', /primary a$/],
  ['and then the first one again', { usable: [primary, standby], failures: 2 }, 'ba', /standby b$/],
];

for (const [what, more, expected, words] of cases) {
  test(`where a base backup comes from: ${what}`, () => {
    const servers: ServersForBasebackup = {
      nodes: [],
      usable: [],
      leader: primary,
      from: 'prefer_standby',
      local: undefined,
      lagSeconds: new Map(),
      lagSecondsMax: null,
      isTorn: false,
      failures: 0,
      ...more,
    };
    const choice = chooseForBasebackup(servers);
    const order = 'order' in choice ? choice.order.map((index) => names[index]).join('') : '';
    assert.equal(order, expected);
    assert.match('order' in choice ? choice.because : choice.obstacle, words);
  });
}
