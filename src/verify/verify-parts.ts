import type { BackupFormat } from '../catalog/backup-format.ts';
import type { Manifest } from '../catalog/manifest.ts';
import type { StoredObject } from '../catalog/stored-object.ts';
import { forEachLimited } from '../lib/limiter.ts';
import type { Lsn } from '../postgres/lsn.ts';
import type { BackupFindings } from './backup-findings.ts';
import type { BackupNotes } from './backup-notes.ts';
import type { BackupObjects } from './backup-parts.ts';
import { checkArchive } from './check-archive.job.ts';
import type { Names } from './name-sum.ts';
import { runCheck } from './run-check.ts';
import type { VerifyDeps } from './verify-deps.ts';

export interface PartsToVerify {
  /** Key of the main object. */
  readonly mainKey: string;
  readonly format: BackupFormat;
  readonly manifest: Manifest;
  readonly objects: BackupObjects;
  /** From where on the WAL repairs pages; undefined: pages have no checksums. */
  readonly startLsn: Lsn | undefined;
  readonly findings: BackupFindings;
  readonly notes: BackupNotes;
}

interface ExpectedPart {
  /** From 0, in the order of the manifest. */
  readonly number: number;
  readonly key: string;
  readonly object: StoredObject;
  /** Of its members; undefined where the manifest does not tell. */
  readonly names: Names | undefined;
}

/** Reads those parts of a base backup in several objects that need to be read, several at once, as far as the budget goes. */
export async function verifyParts(parts: PartsToVerify, deps: VerifyDeps): Promise<'finished' | 'used up' | 'too large'> {
  const expected = expectedParts(parts, deps);
  compareParts(expected, parts);
  let outcome: 'finished' | 'used up' | 'too large' = 'finished';
  const todo = expected.filter(({ number, key }) => !parts.notes.read.has(number) && parts.objects.parts.has(key));
  await forEachLimited(todo, deps.pool.threads, async (part) => {
    if (outcome === 'used up') return;
    await deps.whenQuiet();
    const allowed = deps.budget.allows(part.object.storedBytes ?? 0);
    if (allowed === 'yes') await verifyPart(part, parts, deps);
    else if (outcome === 'finished' || allowed === 'used up') outcome = allowed;
  });
  return outcome;
}

function expectedParts({ manifest, format }: PartsToVerify, { catalog, storage, privateKeys }: VerifyDeps): ExpectedPart[] {
  return manifest.chunks.map((chunk, number) => {
    const filename = chunk.chunk_filename;
    const key = format === 'pghoard-delta' ? catalog.keys.deltaChunkFile(filename) : catalog.keys.chunkFile(filename);
    const sizes = { storedBytes: chunk.result_size, storedSha256: chunk.result_sha256, plainBytes: chunk.input_size };
    return {
      number,
      key,
      object: { storage, privateKeys, key, ...sizes },
      names: typeof chunk.files === 'number' ? undefined : chunk.files,
    };
  });
}

/** Nothing missing, nothing too many. */
function compareParts(expected: readonly ExpectedPart[], { mainKey, objects, findings }: PartsToVerify): void {
  const { parts } = objects;
  const keys = new Set(expected.map(({ key }) => key));
  for (const { key } of expected)
    if (!parts.has(key)) findings.damage('object-missing', key, 'a part of the base backup is not in the store');
  if (keys.size < expected.length) findings.damage('manifest-invalid', mainKey, 'its manifest names a part twice');
  for (const { key } of parts.values()) {
    if (!keys.has(key))
      findings.tell({ severity: 'warning', code: 'part-unknown', object: key, what: 'the manifest of its base backup does not name it' });
  }
}

async function verifyPart(
  { number, key, object, names }: ExpectedPart,
  { format, manifest, startLsn, findings, notes }: PartsToVerify,
  deps: VerifyDeps,
): Promise<void> {
  const input = { object, format, tablespaces: Object.keys(manifest.tablespaces), startLsn };
  const checked = await findings.attempt(key, () => runCheck(checkArchive, input, deps));
  if (checked === undefined) return;
  // Bundles of delta backups list their files only, chunks all that is in them.
  const isSame = names === undefined || areSame(names, checked.names) || areSame(names, checked.fileNames);
  if (!isSame) {
    const counts = `it holds ${checked.names.count} members, the manifest lists ${names.count}`;
    findings.damage('files-differ', key, names.count === checked.names.count ? `${counts}, of other names` : counts);
  }
  findings.damagedPages(key, checked.damagedPages);
  // What is to be told of it again is read again, as long as the base backup has not been read to its end.
  if (!isSame || checked.damagedPages.length > 0) return;
  notes.read.add(number);
  await notes.noteIfDue();
}

function areSame(one: Names, other: Names): boolean {
  return one.count === other.count && one.sum === other.sum;
}
