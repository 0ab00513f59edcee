import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readSiteIdentity } from '../catalog/site-identity.ts';
import { isOperatorError, OperatorError } from '../lib/errors.ts';
import { parseControlFile } from '../postgres/control-file.ts';
import { differenceOf } from '../postgres/seen-cluster.ts';
import { controlFile } from './layout.ts';
import type { RestoreSource } from './plan.ts';
import type { TargetDirectory } from './target-directory.ts';

/**
 * To reuse a directory is meant for the cluster that was restored there. Another one, met by a slip of the pen, is not taken apart: rejects with `cluster-mismatch`
 * where both are known and differ.
 */
export async function checkReused(
  [data]: readonly TargetDirectory[],
  { site, catalog }: RestoreSource,
  signal: AbortSignal,
): Promise<void> {
  if (data?.state !== 'to-be-reused') return;
  const control = await readFile(join(data.path, controlFile)).catch(() => undefined);
  if (control === undefined) return;
  try {
    const identity = await readSiteIdentity(catalog, signal);
    const { systemIdentifier } = parseControlFile(control);
    const difference = identity && differenceOf(identity, { systemIdentifier });
    if (difference !== undefined) throw ofOtherCluster(data.path, site, difference);
  } catch (error) {
    // Of a version that is not known here, or damaged, which may be why it is restored.
    if (!isOperatorError(error, 'identity-unreadable', 'control-file-unsupported', 'control-file-corrupt')) throw error;
  }
}

function ofOtherCluster(path: string, site: string, difference: string): OperatorError {
  return new OperatorError('cluster-mismatch', `${path} holds another cluster than site ${site} is for: ${difference}`, {
    hint: 'Check --target-dir. If nothing of that cluster is needed, use --overwrite.',
  });
}
