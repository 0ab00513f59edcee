import type { PostgresNode } from '../../postgres/node.ts';
import type { NodeOrder } from '../../wal/receive/node-order.ts';
import type { ServerWatch } from './server-watch.ts';

/** From which servers WAL is to be received: from the primary, else from standbys, most advanced first, then whoever else may come back. */
export function receivingOrder(
  nodes: readonly PostgresNode[],
  { leader, usable, nodes: views }: Pick<ServerWatch, 'leader' | 'usable' | 'nodes'>,
): NodeOrder {
  const advanced = usable.toSorted(
    ({ sample: a }, { sample: b }) => roleRank(b) - roleRank(a) || b.timeline - a.timeline || Number(b.lsn - a.lsn),
  );
  const silent = views.filter(({ obstacle }) => obstacle !== undefined);
  const indices = [...(leader ? [leader] : []), ...advanced, ...silent].map(({ index }) => index);
  const ordered = [...new Set(indices)].flatMap((index) => nodes[index] ?? []);
  // Where all are of another cluster, whoever connects is told so.
  return { nodes: ordered.length > 0 ? ordered : nodes, leader: leader && nodes[leader.index] };
}

function roleRank({ role }: { readonly role: 'primary' | 'standby' }): number {
  return role === 'primary' ? 1 : 0;
}
