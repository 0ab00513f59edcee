import type { Catalog } from '../catalog.ts';

/** Removes what is noted of base backups other than these. Resolves to how many notes that were. */
export async function forgetEvidence({ store, keys }: Catalog, remaining: ReadonlySet<string>, signal?: AbortSignal): Promise<number> {
  let forgotten = 0;
  for (const prefix of [keys.verifyEvidenceOfBasebackup(''), keys.verifyProgressOfBasebackup('')]) {
    for await (const { key } of store.list(prefix, { signal })) {
      if (remaining.has(key.slice(prefix.length))) continue;
      await store.delete(key, { signal });
      forgotten++;
    }
  }
  return forgotten;
}
