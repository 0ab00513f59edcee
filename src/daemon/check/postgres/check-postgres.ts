import type { SiteConfig } from '../../../config/load.ts';
import type { CheckDeps } from '../deps.ts';
import { failure, note, type Section } from '../finding.ts';
import { checkNode, clusterOf, type NodeOutcome } from './check-node.ts';
import type { LocalCluster } from './judge-cluster.ts';

/** What the servers of a site told that matters elsewhere. */
export interface SeenServers {
  readonly local: LocalCluster | undefined;
  readonly nodes: NodeOutcome[];
}

/** One section per node. */
export async function* checkServers(
  site: SiteConfig,
  local: LocalCluster | undefined,
  deps: CheckDeps,
): AsyncGenerator<Section & { readonly outcome?: NodeOutcome }> {
  const here = { subject: 'postgres', site: site.name } as const;
  if (!site.active) {
    yield { ...here, findings: [note('nodes', 'the site is not active: nothing is asked of its servers')] };
    return;
  }
  if (site.nodes.length === 0) {
    const entry = `"nodes": [{ "host": "127.0.0.1", "user": "pghoard", "dbname": "postgres" }] in backup_sites.${site.name}`;
    yield { ...here, findings: [failure('nodes', 'no server is named', entry)] };
  }
  for (const node of site.nodes) {
    const outcome = await checkNode(site, node, local, deps);
    yield { ...here, about: outcome.target, findings: outcome.findings, outcome };
  }
}

/** All that was seen of the cluster, for comparing. */
export function seenClusters({ local, nodes }: SeenServers) {
  return [
    ...(local === undefined || 'why' in local ? [] : [{ what: `the data directory ${local.directory}`, cluster: local.cluster }]),
    ...nodes.flatMap(({ target, facts }) => (facts === undefined ? [] : [{ what: `the server at ${target}`, cluster: clusterOf(facts) }])),
  ];
}
