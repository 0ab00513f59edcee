import type { SiteConfig } from '../../config/load.ts';
import type { ConfigProblem } from '../../config/problem.ts';
import { checkConfiguration } from './configuration.ts';
import type { CheckDeps } from './deps.ts';
import { type Finding, failed, type Section } from './finding.ts';
import type { NodeOutcome } from './postgres/check-node.ts';
import { checkServers } from './postgres/check-postgres.ts';
import { lookAtDataDirectory } from './postgres/local-cluster.ts';

export interface CheckRequest {
  /** Those to be looked at. */
  readonly sites: readonly SiteConfig[];
  /** What the daemon would refuse in a configuration that tools can use. */
  readonly problems: readonly ConfigProblem[];
}

/** Looks at everything, one thing after the other, and changes nothing but under a prefix of its own in the stores. Rejects only if it is interrupted. */
export async function* checkEverything({ sites, problems }: CheckRequest, deps: CheckDeps): AsyncGenerator<Section> {
  yield { subject: 'configuration', findings: await attempt('settings', () => checkConfiguration(deps.config, problems), deps.signal) };
  for (const site of sites) yield* checkSite(site, deps);
}

async function* checkSite(site: SiteConfig, deps: CheckDeps): AsyncGenerator<Section> {
  const local = await lookAtDataDirectory(site, deps.signal);
  const nodes: NodeOutcome[] = [];
  for await (const { outcome, ...section } of checkServers(site, local, deps)) {
    if (outcome !== undefined) nodes.push(outcome);
    yield section;
  }
}

/** A check that fails in a way nobody thought of is a failure like others, and the rest goes on. */
async function attempt(id: string, check: () => Promise<Finding[]>, signal: AbortSignal): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    signal.throwIfAborted();
    return [failed(id, error)];
  }
}
