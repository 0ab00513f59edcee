import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { readSiteIdentity } from '../catalog/site-identity.ts';
import { isOperatorError, OperatorError } from '../lib/errors.ts';
import { differenceOf, type SeenCluster } from '../postgres/seen-cluster.ts';
import type { RestoreSource } from './plan.ts';

/**
 * Compares what was restored with the cluster that its site is for. A base backup from before anybody looked may be of a predecessor, and wanted: that is
 * told. A later one cannot have come from pghoard: rejects with `cluster-mismatch`.
 */
export async function checkCluster(
  restored: SeenCluster,
  { source, entry }: { readonly source: RestoreSource; readonly entry: BasebackupEntry },
  { warn, signal }: { readonly warn: (message: string) => void; readonly signal: AbortSignal },
): Promise<void> {
  const identity = await readSiteIdentity(source.catalog, signal).catch((error: unknown) => {
    // Written by a newer version, which keeps nobody from restoring.
    if (isOperatorError(error, 'identity-unreadable')) return undefined;
    throw error;
  });
  const difference = identity && differenceOf(identity, restored);
  if (identity === undefined || difference === undefined) return;
  const text = `the base backup ${entry.key} is of another cluster than site ${source.site} now is for: ${difference}`;
  if (entry.lastModified <= identity.since) {
    warn(
      `${text}. It was stored before ${identity.since.toISOString()}, when that began to be checked. Its recovery ends where its own WAL ends.`,
    );
    return;
  }
  throw new OperatorError('cluster-mismatch', text, {
    hint: 'Another program has stored it under this site. Restore another base backup.',
  });
}
