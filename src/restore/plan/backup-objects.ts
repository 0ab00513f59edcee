import { listReferences } from '../../catalog/list-references.job.ts';
import { neededDeltaFiles } from '../../catalog/needed-delta-files.ts';
import type { JobRunner } from '../../codec/pool.ts';
import { headIfThere } from '../../storage/head-if-there.ts';
import type { RestorePlan } from '../plan.ts';
import type { MissingRuns } from './missing-runs.ts';

/** Whether all objects of a base backup are there, in their right sizes, by listings. Resolves to how many were looked for. */
export async function checkBackupObjects(
  { source, entry, parts, delta, layout }: RestorePlan,
  missing: MissingRuns,
  { pool, signal }: { readonly pool: JobRunner; readonly signal: AbortSignal },
): Promise<number> {
  const { catalog } = source;
  let looked = 1;
  if ((await headIfThere(catalog.store, entry.key, signal)) === undefined) missing.add('basebackup', entry.key);
  const expected = new Map(parts.filter(({ key }) => key !== entry.key).map(({ key, storedBytes }) => [key, storedBytes]));
  looked += expected.size;
  if (expected.size > 0) {
    const prefix = layout.format === 'pghoard-delta' ? catalog.keys.deltaChunkPrefix(entry.name) : catalog.keys.chunkPrefix(entry.name);
    const lacking = new Map(expected);
    for await (const { key, size } of catalog.store.list(prefix, { signal })) {
      const bytes = lacking.get(key);
      if (bytes === undefined || bytes === size) lacking.delete(key);
    }
    for (const key of lacking.keys()) missing.add('basebackup', key);
  }
  if (delta === undefined) return looked;
  const list = (what: { readonly after: string; readonly max: number }) =>
    pool.run(listReferences, { main: delta.main, ...what }, { signal });
  for await (const { hash, isStored } of neededDeltaFiles(catalog, { list, signal })) {
    looked++;
    if (!isStored) missing.add('basebackup', catalog.keys.deltaFile(hash));
  }
  return looked;
}
