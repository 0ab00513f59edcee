import { deltaFiles } from '../catalog/delta-files.ts';
import type { StoredObject } from '../catalog/stored-object.ts';
import type { Finding } from './finding.ts';
import { type ListedReferences, listReferences } from './list-references.job.ts';
import { runCheck } from './run-check.ts';
import type { VerifyDeps } from './verify-deps.ts';

/** Hashes in memory; a manifest with more of them is read several times. */
const hashesMax = 100_000;
const toldMax = 100;

/** Which of the files that delta backups share a backup needs, and the store does not have, or has damaged. */
export async function findMissingFiles(main: StoredObject, damaged: ReadonlySet<string>, deps: VerifyDeps): Promise<readonly Finding[]> {
  const { catalog, signal } = deps;
  const findings: Finding[] = [];
  const tell = (code: string, object: string, what: string) => {
    if (findings.length < toldMax) findings.push({ severity: 'damaged', code, object, what });
  };
  const listing = deltaFiles(catalog, signal);
  let stored = await listing.next();
  let listed: ListedReferences | undefined;
  try {
    do {
      const after = listed?.hashes.at(-1) ?? '';
      listed = await runCheck(listReferences, { main, after, max: hashesMax }, deps);
      if (after === '')
        for (const path of listed.nowhere) tell('manifest-invalid', main.key, `it does not say where the content of ${path} is`);
      for (const hash of listed.hashes) {
        while (stored.done !== true && stored.value.digest < hash) stored = await listing.next();
        const key = catalog.keys.deltaFile(hash);
        if (stored.done === true || stored.value.digest !== hash)
          tell('object-missing', key, 'a file of the base backup is not in the store');
        else if (damaged.has(hash)) tell('object-corrupt', key, 'a file of the base backup is damaged');
      }
    } while (!listed.isEnd);
  } finally {
    await listing.return(undefined);
  }
  return findings;
}
