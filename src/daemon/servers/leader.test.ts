import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type PostgresNode, parseNode } from '../../postgres/node.ts';
import { isTorn, leaderOf } from './leader.ts';
import { receivingOrder } from './receiving-order.ts';
import type { NodeView, ServerSample } from './server-sample.ts';
import type { UsableNode } from './troubles.ts';

const names = ['a', 'b', 'c'];
const nodes: readonly PostgresNode[] = names.map((host) => parseNode(`host=${host}`));

function usable(index: number, role: ServerSample['role'], timeline = 1, lsn = 1n): UsableNode {
  const postmaster = { port: 5432, startedSeconds: 1000 + index };
  const sample = {
    role,
    pgVersion: 150_018,
    systemIdentifier: 7n,
    segmentBytes: 1 << 24,
    timeline,
    lsn,
    postmaster,
    sampledAt: new Date(0),
  };
  return { index, label: names[index] ?? '', sample, obstacle: undefined };
}

const silent = (index: number): NodeView => ({ index, label: names[index] ?? '', sample: undefined, obstacle: 'away' });

const cases: readonly [string, readonly NodeView[], number | undefined, string | undefined, string][] = [
  ['nobody answers', [silent(0), silent(1)], undefined, undefined, 'ab'],
  ['the primary leads, wherever it stands', [usable(0, 'standby'), usable(1, 'primary')], undefined, 'b', 'ba'],
  ['only a standby answers', [silent(0), usable(1, 'standby')], 0, undefined, 'ba'],
  [
    'the more advanced standby comes first',
    [usable(0, 'standby', 1, 5n), usable(1, 'standby', 1, 9n), silent(2)],
    undefined,
    undefined,
    'bac',
  ],
  ['of two primaries the one that was promoted last', [usable(0, 'primary', 1), usable(1, 'primary', 2)], 0, 'b', 'ba'],
  ['of two on one timeline the one that was followed', [usable(0, 'primary'), usable(1, 'primary')], 1, 'b', 'ba'],
  ['of two on one timeline the first one, where none was followed', [usable(0, 'primary'), usable(1, 'primary')], undefined, 'a', 'ab'],
];

describe('whom a site follows', () => {
  for (const [what, views, previous, expected, order] of cases) {
    test(what, () => {
      const those = views.filter((node): node is UsableNode => node.obstacle === undefined);
      const leader = leaderOf(those, previous);
      assert.equal(leader?.label, expected);
      const receiving = receivingOrder(nodes, { leader, usable: those, nodes: views });
      assert.equal(receiving.nodes.map(({ conninfo }) => conninfo.host).join(''), order);
      assert.equal(receiving.leader?.conninfo.host, expected);
    });
  }

  test('servers of another cluster are not tried, unless there are no others', () => {
    const foreign = { ...usable(1, 'primary'), obstacle: undefined };
    const own = usable(0, 'standby');
    assert.deepEqual(receivingOrder(nodes, { leader: undefined, usable: [own], nodes: [own, foreign] }).nodes, [nodes[0]]);
    assert.deepEqual(receivingOrder(nodes, { leader: undefined, usable: [], nodes: [foreign] }).nodes, nodes);
  });

  test('two primaries on one timeline cannot be told apart; one server under two names can', () => {
    const first = usable(0, 'primary');
    assert.equal(isTorn([first, usable(1, 'primary')], first), true);
    assert.equal(isTorn([first, { ...first, index: 1 }], first), false);
    assert.equal(isTorn([first, usable(1, 'standby')], first), false);
  });
});
