import { explain, isOperatorError, type OperatorError } from '../../lib/errors.ts';
import { differenceOf, type SeenCluster, siteOfItsOwn } from '../../postgres/seen-cluster.ts';
import { unsupportedBecause } from '../../postgres/versions.ts';
import type { AlertName } from '../alerts/alert-catalogue.ts';
import type { NodeFailure } from './node-watch.ts';
import type { NodeView, ServerSample } from './server-sample.ts';

/** A server, and what its last question came to. */
export interface JudgedNode extends NodeView {
  readonly failure: NodeFailure | undefined;
}

/** A server that answers, and belongs to the cluster of the site. */
export type UsableNode = NodeView & { readonly sample: ServerSample };

export interface Trouble {
  readonly name: AlertName;
  readonly because: string;
}

/** The alerts that servers can give reason for. */
export const serverAlerts = [
  'authentication_error',
  'configuration_error',
  'version_unsupported_error',
  'wrong_server',
  'two_primaries',
] as const satisfies AlertName[];

/** A server that is started anew is away for some seconds. */
const awayMsMax = 15_000;

/** What an operator has to be told about the servers of a site. */
export function troublesOf(nodes: readonly JudgedNode[], expected: SeenCluster, nowMs: number): readonly Trouble[] {
  const usable = usableNodes(nodes, expected);
  return [
    ...failuresWorthTelling(nodes, nowMs),
    ...nodes.flatMap(({ label, sample, failure }): Trouble[] => {
      const difference = sample && failure === undefined ? differenceOf(expected, sample) : undefined;
      if (difference === undefined) return [];
      return [
        { name: 'wrong_server', because: `the server ${label} is of another cluster and is not used: ${difference}. ${siteOfItsOwn}` },
      ];
    }),
    ...usable.flatMap(({ label, sample }): Trouble[] => {
      const because = unsupportedBecause(sample.pgVersion);
      return because === undefined ? [] : [{ name: 'version_unsupported_error', because: `the server ${label}: ${because}` }];
    }),
    ...splitBrain(usable),
  ];
}

/** Whether it is too early to tell: none answers, but the last of them may just be started anew. */
export function isTooEarly(nodes: readonly Pick<JudgedNode, 'failure'>[], nowMs: number): boolean {
  return nodes.length > 0 && nodes.every(({ failure }) => failure?.error.retryable === true) && !areAway(nodes, nowMs);
}

/** Those that answer and are of the cluster, as far as anything tells. */
export function usableNodes(nodes: readonly NodeView[], expected: SeenCluster): readonly UsableNode[] {
  return nodes.filter(
    (node): node is UsableNode =>
      node.obstacle === undefined && node.sample !== undefined && differenceOf(expected, node.sample) === undefined,
  );
}

/** One server may stand in `nodes` twice, under two names. */
export function isSameServer(a: ServerSample, b: ServerSample): boolean {
  if (a.postmaster === undefined || b.postmaster === undefined) return a.timeline === b.timeline;
  return a.postmaster.port === b.postmaster.port && a.postmaster.startedSeconds === b.postmaster.startedSeconds;
}

/** One server that is away is nothing to wake anybody for while another answers; one that will never let us in is. */
function failuresWorthTelling(nodes: readonly JudgedNode[], nowMs: number): readonly Trouble[] {
  const failures = nodes.flatMap(({ label, failure }) => (failure ? [{ label, ...failure }] : []));
  const areAllAway = areAway(nodes, nowMs);
  return failures
    .filter(({ error }) => !error.retryable || areAllAway)
    .map(({ label, error }) => ({
      name: alertOfFailure(error),
      because: `the server ${label} cannot be asked: ${explain(error)}`,
    }));
}

function areAway(nodes: readonly Pick<JudgedNode, 'failure'>[], nowMs: number): boolean {
  return nodes.every(({ failure }) => failure !== undefined && nowMs - failure.sinceMs >= awayMsMax);
}

/** Raised at once where the error is not retryable. */
export function alertOfFailure(error: OperatorError): AlertName {
  return isOperatorError(error, 'postgres-authentication') ? 'authentication_error' : 'configuration_error';
}

function splitBrain(usable: readonly UsableNode[]): readonly Trouble[] {
  const primaries: UsableNode[] = [];
  for (const node of usable) {
    if (node.sample.role === 'primary' && !primaries.some(({ sample }) => isSameServer(sample, node.sample))) primaries.push(node);
  }
  if (primaries.length < 2) return [];
  const names = primaries.map(({ label, sample }) => `${label} (timeline ${sample.timeline})`).join(' and ');
  const because =
    `${names} are both primaries of this cluster. What is written on one of them will be lost: stop the one that should not be. ` +
    'Its WAL is refused where it contradicts what is stored.';
  return [{ name: 'two_primaries', because }];
}
