import type { SiteConfig } from '../../../config/load.ts';
import { inWords } from '../../../lib/errors.ts';
import { readControlFile } from '../../../postgres/control-file.ts';
import { checkMsMax } from '../deps.ts';
import { within } from '../within.ts';
import type { LocalCluster } from './judge-cluster.ts';

/** Looks at `pg_control`. Undefined where no directory is configured. */
export async function lookAtDataDirectory(
  { pg_data_directory: directory }: SiteConfig,
  signal: AbortSignal,
): Promise<LocalCluster | undefined> {
  if (directory === null) return undefined;
  try {
    return { directory, cluster: await within(checkMsMax, signal, () => readControlFile(directory)) };
  } catch (error) {
    signal.throwIfAborted();
    return { directory, why: inWords(error) };
  }
}
