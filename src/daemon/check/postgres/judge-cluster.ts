import type { SiteIdentity } from '../../../catalog/site-identity.ts';
import { differenceOf, type SeenCluster, siteOfItsOwn } from '../../../postgres/seen-cluster.ts';
import { about, type Finding, failure, note, ok } from '../finding.ts';
import type { Needs } from './needs.ts';

/** What `pg_control` of `pg_data_directory` says, or why it cannot be read. */
export type LocalCluster =
  | { readonly directory: string; readonly cluster: SeenCluster }
  | { readonly directory: string; readonly why: string };

/** Whether the directory on this host is that of the server. */
export function judgeDataDirectory(
  local: LocalCluster | undefined,
  server: SeenCluster,
  shown: string | undefined,
  needs: Pick<Needs, 'dataDirectory'>,
): Finding[] {
  if (local === undefined && !needs.dataDirectory)
    return [ok('data-directory', 'pg_data_directory is not needed: all comes over the network')];
  if (local === undefined)
    return [
      failure(
        'data-directory',
        'pg_data_directory is not set',
        `"pg_data_directory": ${JSON.stringify(shown ?? '/var/lib/postgresql/15/main')}`,
      ),
    ];
  const { directory } = local;
  const known = shown === undefined || shown === directory ? '' : `; the server says ${shown}`;
  if ('why' in local) {
    const remedy =
      shown === undefined || shown === directory
        ? 'run pghoard as the user that owns it, on the host of the server'
        : `"pg_data_directory": ${JSON.stringify(shown)}`;
    return [failure('data-directory', `${local.why}${known}`, remedy)];
  }
  const difference = differenceOf(server, local.cluster);
  if (difference === undefined) return [ok('data-directory', `${directory} can be read, and is of the same cluster`)];
  const remedy = shown === undefined ? 'SHOW data_directory; tells the right one' : `"pg_data_directory": ${JSON.stringify(shown)}`;
  return [failure('data-directory', `${directory} is of another cluster than the server: ${difference}`, remedy)];
}

/** Whether the cluster is the one that the site is for. `stored`: undefined where the site has none yet. */
export function judgeIdentity(
  stored: Pick<SiteIdentity, 'systemIdentifier' | 'segmentBytes'> | undefined,
  seen: readonly { readonly what: string; readonly cluster: SeenCluster }[],
): Finding[] {
  if (stored === undefined) return [note('identity', 'the site is for no cluster yet: the first one that comes takes it')];
  const differing = seen.flatMap(({ what, cluster }) => {
    const difference = differenceOf(stored, cluster);
    return difference === undefined
      ? []
      : [about(what, failure('identity', `${what} is of another cluster than the site: ${difference}`, siteOfItsOwn))];
  });
  return differing.length > 0
    ? differing
    : [ok('identity', `the site is for the cluster ${stored.systemIdentifier}${seen.length > 0 ? ', and so is what was found' : ''}`)];
}
