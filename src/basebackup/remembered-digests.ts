import { open, rename, writeFile } from 'node:fs/promises';
import { deltaIndexText } from '../catalog/delta-files.ts';
import { DigestSet, isDigest } from '../lib/digest-set.ts';
import { systemErrorCode } from '../lib/errors.ts';

/** The digests of an earlier backup, to compare with; undefined where there is none, or what there is cannot be read as such. */
export async function recallDigests(path: string): Promise<DigestSet | undefined> {
  const digests = new DigestSet();
  try {
    await using file = await open(path, 'r');
    for await (const line of file.readLines()) {
      if (!isDigest(line)) return undefined;
      digests.add(line);
    }
    return digests;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Needs to survive no crash: without it one comparison is left out. */
export async function rememberDigests(path: string, digests: Iterable<string>): Promise<void> {
  const temporary = `${path}.tmp`;
  await writeFile(temporary, deltaIndexText(digests), { mode: 0o600 });
  await rename(temporary, path);
}
