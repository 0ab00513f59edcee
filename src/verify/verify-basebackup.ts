import { type BackupFormat, formatOf, hasManifest } from '../catalog/backup-format.ts';
import { tablespacesOfMetadata } from '../catalog/backup-tablespaces.ts';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { fingerprintOf } from '../catalog/evidence/fingerprint.ts';
import { storeVerifyEvidence } from '../catalog/evidence/store-evidence.ts';
import type { Manifest } from '../catalog/manifest.ts';
import type { StoredObject } from '../catalog/stored-object.ts';
import { forEachLimited } from '../lib/limiter.ts';
import type { Lsn } from '../postgres/lsn.ts';
import { type BackupObjects, listBackupObjects } from './backup-parts.ts';
import { checkArchive } from './check-archive.job.ts';
import { type CheckedMain, checkMain } from './check-main.job.ts';
import { compareMetadata, type ExpectedCluster } from './compare-metadata.ts';
import { findMissingFiles } from './find-missing-files.ts';
import { type Finding, findingOf } from './finding.ts';
import type { Names } from './name-sum.ts';
import { NumberRanges } from './number-ranges.ts';
import { forgetBackupProgress, readBackupProgress, type UnfinishedBackup, writeBackupProgress } from './progress.ts';
import { runCheck } from './run-check.ts';
import type { VerifyDeps } from './verify-deps.ts';

export interface BasebackupRequest {
  readonly entry: BasebackupEntry;
  readonly cluster: ExpectedCluster | undefined;
  /** Of the files that delta backups share, by their hashes. */
  readonly damagedFiles: ReadonlySet<string>;
}

export type BasebackupOutcome = 'finished' | 'used up' | 'too large';

/** How often it is noted how far it has come. */
const noteMs = 60_000;
const noteMsMax = 30_000;
const notedMax = 100;

/**
 * Reads a base backup to the end of each of its objects, and compares what they hold with what they are to hold. What is found is told and noted; one that was not finished
 * goes on where it was left, unless something of it has changed.
 */
export async function verifyBasebackup(request: BasebackupRequest, deps: VerifyDeps): Promise<BasebackupOutcome> {
  const { entry } = request;
  const { catalog, signal } = deps;
  const format = readable(entry, deps);
  if (format === undefined) return 'finished';
  const objects = await listBackupObjects(catalog, entry, format, signal);
  const before = hasManifest(format) ? await readBackupProgress(catalog, entry.name, signal) : undefined;
  const work = new BackupWork(request, format, objects, before, deps);
  let outcome: BasebackupOutcome | 'failed' = 'failed';
  try {
    outcome = await work.run();
    return outcome;
  } finally {
    await work.note(outcome);
  }
}

function readable(entry: BasebackupEntry, { onFinding }: VerifyDeps): BackupFormat | undefined {
  try {
    return formatOf(entry);
  } catch (error) {
    onFinding(findingOf(error, entry.key));
    return undefined;
  }
}

class BackupWork {
  readonly #request: BasebackupRequest;
  readonly #format: BackupFormat;
  readonly #objects: BackupObjects;
  readonly #deps: VerifyDeps;
  readonly #read: NumberRanges;
  readonly #damaged: Finding[] = [];
  readonly #begun: Date;
  #wasBegun: boolean;
  #isUnread = false;
  #notedMs: number;

  constructor(
    request: BasebackupRequest,
    format: BackupFormat,
    objects: BackupObjects,
    before: UnfinishedBackup | undefined,
    deps: VerifyDeps,
  ) {
    this.#request = request;
    this.#format = format;
    this.#objects = objects;
    this.#deps = deps;
    const goesOn = before?.sum === objects.sum;
    this.#wasBegun = before !== undefined;
    this.#read = new NumberRanges(goesOn ? before.read : []);
    this.#begun = goesOn ? new Date(before.begun_at) : deps.clock.now();
    this.#notedMs = deps.clock.monotonicMs();
  }

  async run(): Promise<BasebackupOutcome> {
    const { entry, cluster } = this.#request;
    const { budget, whenQuiet } = this.#deps;
    await whenQuiet();
    const allowed = budget.allows(entry.size);
    if (allowed !== 'yes') return allowed;
    const main = await this.#attempt(entry.key, () => runCheck(checkMain, this.#mainInput(), this.#deps));
    if (main === undefined) return 'finished';
    for (const finding of compareMetadata(entry, main, cluster)) this.#tell(finding);
    if (main.control?.dataChecksums !== false) this.#tellPages(entry.key, main.damagedPages);
    if (main.differences.length > 0) this.#damage('files-differ', entry.key, `backup_manifest: ${main.differences.join('; ')}`);
    return main.manifest === undefined ? 'finished' : this.#parts(main, main.manifest);
  }

  /** For whoever comes next. Nobody knows anything of what could not be read. */
  async note(outcome: BasebackupOutcome | 'failed' | undefined): Promise<void> {
    const { catalog, clock } = this.#deps;
    const { entry } = this.#request;
    const { sum, bytes } = this.#objects;
    this.#notedMs = clock.monotonicMs();
    // Also of one that was interrupted.
    const signal = AbortSignal.timeout(noteMsMax);
    const isRead = outcome === 'finished' && !this.#isUnread;
    if (isRead || this.#damaged.length > 0) {
      const findings = this.#damaged.slice(0, notedMax).map(({ code, what, object }) => ({ code, because: what, object }));
      const result = findings.length > 0 ? 'corrupt' : 'sound';
      const verified_at = clock.now().toISOString();
      const about = { format: 1, kind: 'basebackup', name: entry.name, fingerprint: fingerprintOf(entry), sum } as const;
      await storeVerifyEvidence(catalog, { ...about, verified_at, bytes, result, findings }, signal);
    }
    if (isRead) {
      if (this.#wasBegun) await forgetBackupProgress(catalog, entry.name, signal);
    } else if (this.#read.ranges.length > 0) {
      this.#wasBegun = true;
      await writeBackupProgress(
        catalog,
        entry.name,
        { format: 1, begun_at: this.#begun.toISOString(), sum, bytes, read: this.#read.ranges },
        signal,
      );
    }
  }

  #mainInput() {
    const { entry } = this.#request;
    return {
      object: this.#mainObject(),
      format: this.#format,
      tablespaces: tablespacesOfMetadata(entry.metadata).map(({ name }) => name),
      // Where all is in one object, its label may come last.
      startLsn: hasManifest(this.#format) ? undefined : leastLsnOf(entry.startWalSegment),
    };
  }

  #mainObject(): StoredObject {
    const { entry } = this.#request;
    const { storage, privateKeys } = this.#deps;
    const plainBytes = hasManifest(this.#format) ? undefined : entry.plainSize;
    return { storage, privateKeys, key: entry.key, storedBytes: entry.size, plainBytes };
  }

  async #parts(main: CheckedMain, manifest: Manifest): Promise<BasebackupOutcome> {
    const expected = this.#expectedParts(manifest);
    this.#compareParts(expected);
    const startLsn = main.control?.dataChecksums ? main.label?.startWalLocation : undefined;
    const tablespaces = Object.keys(manifest.tablespaces);
    let outcome: BasebackupOutcome = 'finished';
    const todo = expected.filter(({ number, key }) => !this.#read.has(number) && this.#objects.parts.has(key));
    await forEachLimited(todo, this.#deps.pool.threads, async (part) => {
      if (outcome === 'used up') return;
      await this.#deps.whenQuiet();
      const allowed = this.#deps.budget.allows(part.object.storedBytes ?? 0);
      if (allowed === 'yes') await this.#part(part, { tablespaces, startLsn });
      else if (outcome === 'finished' || allowed === 'used up') outcome = allowed;
    });
    if (outcome !== 'finished' || this.#format !== 'pghoard-delta') return outcome;
    if (manifest.manifest === undefined)
      this.#damage('manifest-invalid', this.#request.entry.key, 'it does not list the files of a delta backup');
    else await this.#sharedFiles();
    return 'finished';
  }

  #expectedParts(manifest: Manifest): ExpectedPart[] {
    const { catalog, storage, privateKeys } = this.#deps;
    return manifest.chunks.map((chunk, number) => {
      const filename = chunk.chunk_filename;
      const key = this.#format === 'pghoard-delta' ? catalog.keys.deltaChunkFile(filename) : catalog.keys.chunkFile(filename);
      const object = {
        storage,
        privateKeys,
        key,
        storedBytes: chunk.result_size,
        storedSha256: chunk.result_sha256,
        plainBytes: chunk.input_size,
      };
      return { number, key, object, names: typeof chunk.files === 'number' ? undefined : chunk.files };
    });
  }

  /** Nothing missing, nothing too many. */
  #compareParts(expected: readonly ExpectedPart[]): void {
    const { parts } = this.#objects;
    const keys = new Set(expected.map(({ key }) => key));
    for (const { key } of expected)
      if (!parts.has(key)) this.#damage('object-missing', key, 'a part of the base backup is not in the store');
    if (keys.size < expected.length) this.#damage('manifest-invalid', this.#request.entry.key, 'its manifest names a part twice');
    for (const { key } of parts.values()) {
      if (!keys.has(key))
        this.#tell({ severity: 'warning', code: 'part-unknown', object: key, what: 'the manifest of its base backup does not name it' });
    }
  }

  async #part(part: ExpectedPart, options: { readonly tablespaces: readonly string[]; readonly startLsn: Lsn | undefined }): Promise<void> {
    const { number, key, object, names } = part;
    const input = { object, format: this.#format, ...options };
    const checked = await this.#attempt(key, () => runCheck(checkArchive, input, this.#deps));
    if (checked === undefined) return;
    // Bundles of delta backups list their files only, chunks all that is in them.
    const isSame = names === undefined || areSame(names, checked.names) || areSame(names, checked.fileNames);
    if (!isSame) {
      const counts = `it holds ${checked.names.count} members, the manifest lists ${names.count}`;
      this.#damage('files-differ', key, names.count === checked.names.count ? `${counts}, of other names` : counts);
    }
    this.#tellPages(key, checked.damagedPages);
    if (!isSame || checked.damagedPages.length > 0) return;
    this.#read.add(number);
    const { clock } = this.#deps;
    if (clock.monotonicMs() - this.#notedMs >= noteMs) await this.note(undefined);
  }

  async #sharedFiles(): Promise<void> {
    const { entry, damagedFiles } = this.#request;
    const main = this.#mainObject();
    const found = await this.#attempt(entry.key, () => findMissingFiles(main, damagedFiles, this.#deps));
    for (const { code, object, what } of found ?? []) this.#damage(code, object, what);
  }

  #tellPages(key: string, pages: readonly string[]): void {
    if (pages.length === 0) return;
    const some = pages.slice(0, 3).join('; ');
    this.#damage(
      'page-checksum',
      key,
      `pages with wrong checksums, which were so when the base backup was taken: ${some}${pages.length > 3 ? '; …' : ''}`,
    );
  }

  #damage(code: string, object: string, what: string): void {
    this.#tell({ severity: 'damaged', code, object, what });
  }

  #tell(finding: Finding): void {
    this.#deps.onFinding(finding);
    if (finding.severity === 'unread') this.#isUnread = true;
    if (finding.severity === 'damaged') this.#damaged.push(finding);
  }

  async #attempt<T>(key: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#deps.signal.throwIfAborted();
      this.#tell(findingOf(error, key));
      return undefined;
    }
  }
}

function areSame(one: Names, other: Names): boolean {
  return one.count === other.count && one.sum === other.sum;
}

interface ExpectedPart {
  /** From 0, in the order of the manifest. */
  readonly number: number;
  readonly key: string;
  readonly object: StoredObject;
  /** Of its members; undefined where the manifest does not tell. */
  readonly names: Names | undefined;
}

const segmentBytesMin = 1n << 20n;

/** Where a segment begins at the earliest, whatever the size of segments. */
function leastLsnOf(segment: string): Lsn {
  return (BigInt(`0x${segment.slice(8, 16)}`) << 32n) + BigInt(`0x${segment.slice(16)}`) * segmentBytesMin;
}
