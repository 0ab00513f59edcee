import { listReferences } from '../catalog/list-references.job.ts';
import { neededDeltaFiles } from '../catalog/needed-delta-files.ts';
import type { StoredObject } from '../catalog/stored-object.ts';
import type { Finding } from './finding.ts';
import { runCheck } from './run-check.ts';
import type { VerifyDeps } from './verify-deps.ts';

const toldMax = 100;

/** Which of the files that delta backups share a backup needs, and the store does not have, or has damaged. */
export async function findMissingFiles(main: StoredObject, damaged: ReadonlySet<string>, deps: VerifyDeps): Promise<readonly Finding[]> {
  const { catalog, signal } = deps;
  const findings: Finding[] = [];
  const tell = (code: string, object: string, what: string) => {
    if (findings.length < toldMax) findings.push({ severity: 'damaged', code, object, what });
  };
  const needed = neededDeltaFiles(catalog, {
    list: (what) => runCheck(listReferences, { main, ...what }, deps),
    onNowhere: (paths) => {
      for (const path of paths) tell('manifest-invalid', main.key, `it does not say where the content of ${path} is`);
    },
    signal,
  });
  for await (const { hash, isStored } of needed) {
    const key = catalog.keys.deltaFile(hash);
    if (!isStored) tell('object-missing', key, 'a file of the base backup is not in the store');
    else if (damaged.has(hash)) tell('object-corrupt', key, 'a file of the base backup is damaged');
  }
  return findings;
}
