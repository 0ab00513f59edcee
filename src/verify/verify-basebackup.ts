import { type BackupFormat, formatOf, hasManifest } from '../catalog/backup-format.ts';
import { tablespacesOfMetadata } from '../catalog/backup-tablespaces.ts';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { StoredObject } from '../catalog/stored-object.ts';
import type { Lsn } from '../postgres/lsn.ts';
import { BackupFindings } from './backup-findings.ts';
import { BackupNotes } from './backup-notes.ts';
import { type BackupObjects, listBackupObjects } from './backup-parts.ts';
import { type CheckedMain, checkMain } from './check-main.job.ts';
import { compareMetadata, type ExpectedCluster } from './compare-metadata.ts';
import { findMissingFiles } from './find-missing-files.ts';
import { findingOf } from './finding.ts';
import { readBackupProgress } from './progress.ts';
import { runCheck } from './run-check.ts';
import type { WorkDeps } from './verify-deps.ts';
import { verifyParts } from './verify-parts.ts';

export interface BasebackupRequest {
  readonly entry: BasebackupEntry;
  readonly cluster: ExpectedCluster | undefined;
  /** Of the files that delta backups share, by their hashes. */
  readonly damagedFiles: ReadonlySet<string>;
}

export type BasebackupOutcome = 'finished' | 'used up' | 'too large';

/** One that is being read. */
interface BackupInWork extends BasebackupRequest {
  readonly format: BackupFormat;
  readonly objects: BackupObjects;
  readonly findings: BackupFindings;
  readonly notes: BackupNotes;
}

/**
 * Reads a base backup to the end of each of its objects, and compares what they hold with what they are to hold. What is found is told and noted; one that was not finished
 * goes on where it was left, unless something of it has changed.
 */
export async function verifyBasebackup(request: BasebackupRequest, deps: WorkDeps): Promise<BasebackupOutcome> {
  const { entry } = request;
  const { catalog, signal } = deps;
  const format = readable(entry, deps);
  if (format === undefined) return 'finished';
  const objects = await listBackupObjects(catalog, entry, format, signal);
  const before = hasManifest(format) ? await readBackupProgress(catalog, entry.name, signal) : undefined;
  const findings = new BackupFindings(deps);
  const notes = new BackupNotes(entry, objects, before, findings, deps);
  let outcome: BasebackupOutcome | undefined;
  try {
    outcome = await verifyObjects({ ...request, format, objects, findings, notes }, deps);
    return outcome;
  } finally {
    await notes.note(outcome === 'finished');
  }
}

function readable(entry: BasebackupEntry, { onFinding }: WorkDeps): BackupFormat | undefined {
  try {
    return formatOf(entry);
  } catch (error) {
    onFinding(findingOf(error, entry.key));
    return undefined;
  }
}

async function verifyObjects(backup: BackupInWork, deps: WorkDeps): Promise<BasebackupOutcome> {
  const { entry, cluster, format, findings } = backup;
  await deps.whenQuiet();
  const allowed = deps.budget.allows(entry.size);
  if (allowed !== 'yes') return allowed;
  const main = await findings.attempt(entry.key, () => runCheck(checkMain, mainInput(backup, deps), deps));
  if (main === undefined) return 'finished';
  for (const finding of compareMetadata(entry, main, cluster)) findings.tell(finding);
  if (main.control?.dataChecksums !== false) findings.damagedPages(entry.key, main.damagedPages);
  if (main.differences.length > 0) findings.damage('files-differ', entry.key, `backup_manifest: ${main.differences.join('; ')}`);
  const { manifest, control, label } = main;
  if (manifest === undefined) return 'finished';
  const startLsn = control?.dataChecksums ? label?.startWalLocation : undefined;
  const outcome = await verifyParts({ ...backup, mainKey: entry.key, manifest, startLsn }, deps);
  if (outcome === 'finished' && format === 'pghoard-delta') await verifySharedFiles(backup, main, deps);
  return outcome;
}

async function verifySharedFiles({ entry, format, damagedFiles, findings }: BackupInWork, { manifest }: CheckedMain, deps: WorkDeps) {
  if (manifest?.manifest === undefined) {
    findings.damage('manifest-invalid', entry.key, 'it does not list the files of a delta backup');
    return;
  }
  const found = await findings.attempt(entry.key, () => findMissingFiles(mainObject(entry, format, deps), damagedFiles, deps));
  for (const { code, object, what } of found ?? []) findings.damage(code, object, what);
}

function mainInput({ entry, format }: BackupInWork, deps: WorkDeps) {
  return {
    object: mainObject(entry, format, deps),
    format,
    tablespaces: tablespacesOfMetadata(entry.metadata).map(({ name }) => name),
    // Where all is in one object, its label may come last.
    startLsn: hasManifest(format) ? undefined : leastLsnOf(entry.startWalSegment),
  };
}

function mainObject(entry: BasebackupEntry, format: BackupFormat, { storage, privateKeys }: WorkDeps): StoredObject {
  const plainBytes = hasManifest(format) ? undefined : entry.plainSize;
  return { storage, privateKeys, key: entry.key, storedBytes: entry.size, plainBytes };
}

const segmentBytesMin = 1n << 20n;

/** Where a segment begins at the earliest, whatever the size of segments. */
function leastLsnOf(segment: string): Lsn {
  return (BigInt(`0x${segment.slice(8, 16)}`) << 32n) + BigInt(`0x${segment.slice(16)}`) * segmentBytesMin;
}
