import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { chunkMetadata } from '../catalog/basebackup-entry.ts';
import { findDeltaFile } from '../catalog/delta-files.ts';
import { chunkFilename } from '../catalog/keys.ts';
import type { SealResult } from '../codec/codec-options.ts';
import { isOperatorError } from '../lib/errors.ts';
import type { Limiter } from '../lib/limiter.ts';
import { sourceOfFile } from '../storage/object-source.ts';
import type { ObjectEntry } from '../storage/object-store.ts';
import type { ClusterSource } from './cluster-source.ts';
import type { DeltaManifest } from './delta-manifest.ts';
import type { DeltaTally } from './delta-tally.ts';
import { bundleMember, type DeltaUnit, pathOfBundleMember } from './delta-units.ts';
import { sealKeys } from './facts.ts';
import type { RunningBackup } from './job.ts';
import type { ProgressCount } from './progress.ts';
import { type FileAttributes, type FileToRead, type ReadFile, readDeltaFiles } from './read-delta-files.job.ts';
import { sealChunk } from './seal-chunk.job.ts';
import { sealDeltaFile } from './seal-delta-file.job.ts';
import { sealOptionsOf } from './seal-options.ts';
import { isShareable } from './shared-file.ts';
import type { ShortfallNotes } from './shortfall-notes.ts';
import type { FoundEntry } from './walk.ts';

export interface DeltaStorerTools {
  readonly manifest: DeltaManifest;
  readonly tally: DeltaTally;
  readonly progress: ProgressCount;
  readonly shortfall: ShortfallNotes;
  readonly pages: ClusterSource['pages'];
  /** Lets as many objects be made at once as there are threads for it; further ones may be on their way to the store. */
  readonly making: Limiter;
}

type Hashed = Extract<ReadFile, { hexdigest: string }>;

/** Stores the units of a delta backup and notes them in its manifest. Several at once; at most one object per unit is in the spool. */
export class DeltaStorer {
  readonly #backup: RunningBackup;
  readonly #tools: DeltaStorerTools;
  #bundles = 0;
  #objects = 0;
  #stored = 0;
  #shared = 0;

  constructor(backup: RunningBackup, tools: DeltaStorerTools) {
    this.#backup = backup;
    this.#tools = tools;
  }

  async store(unit: DeltaUnit, signal: AbortSignal): Promise<void> {
    switch (unit.kind) {
      case 'bundle':
        return this.#storeBundle(unit.members, signal);
      case 'embedded':
        return this.#embed(unit.entries, signal);
      case 'file':
        return this.#storeFile(unit.entry, signal);
    }
  }

  summarize(): void {
    const { log } = this.#backup.deps;
    log.info(
      { filesStored: this.#stored, filesShared: this.#shared, bundles: this.#bundles },
      'files of the delta backup are in the store',
    );
  }

  async #embed(entries: readonly FoundEntry[], signal: AbortSignal): Promise<void> {
    const read = await this.#read(
      entries.map(({ source }) => ({ source, embed: true })),
      signal,
    );
    for (const [i, entry] of entries.entries()) await this.#noteRead(entry, read[i] as ReadFile);
  }

  async #storeFile(entry: FoundEntry, signal: AbortSignal): Promise<void> {
    const [read] = (await this.#read([{ source: entry.source, embed: false, path: entry.path }], signal)) as [ReadFile];
    if (!('hexdigest' in read)) return this.#noteRead(entry, read);
    for (const page of read.damaged ?? []) this.#backup.deps.onDamagedPage?.(page);
    const known = await findDeltaFile(this.#backup.deps.catalog, read.hexdigest, signal);
    if (known) return this.#share(entry, read, known, signal);
    const target = join(this.#backup.directory, `file.${++this.#objects}`);
    const sealed = await this.#seal(entry, target, signal);
    if ('gone' in sealed) return this.#tools.shortfall.skipped({ path: entry.source, why: sealed.gone });
    await this.#upload(entry, { ...read, size: sealed.plainBytes, hexdigest: sealed.plainHash as string }, sealed, target, signal);
    await rm(target);
  }

  /** Content that the store has already. */
  async #share(entry: FoundEntry, read: Hashed, known: ObjectEntry, signal: AbortSignal): Promise<void> {
    const { job, deps } = this.#backup;
    if (isShareable(known, read.size, job.seal)) {
      this.#shared++;
      this.#tools.tally.shared(read.size);
      return this.#noteStored(entry, read, read.hexdigest, known.size);
    }
    deps.log.debug({ key: known.key, path: entry.path }, 'has the same content but cannot be shared; the file goes into a bundle');
    await this.#storeBundle([{ ...entry, path: bundleMember(entry.path) }], signal);
  }

  async #upload(entry: FoundEntry, read: Hashed, sealed: SealResult, target: string, signal: AbortSignal): Promise<void> {
    const { job, deps, newDeltaFiles } = this.#backup;
    const { plainBytes, sealedBytes: storedBytes } = sealed;
    const source = { ...sealKeys(job), host: job.origin.host, plainBytes, storedBytes };
    try {
      await deps.uploads.upload({
        site: job.site,
        store: deps.catalog.store,
        key: deps.catalog.keys.deltaFile(read.hexdigest),
        source: sourceOfFile(target, storedBytes),
        metadata: chunkMetadata({ ...source, format: 'pghoard-delta-v2' }),
        createOnly: true,
        fileType: 'basebackup_delta',
        signal,
      });
    } catch (error) {
      if (!isOperatorError(error, 'object-exists')) throw error;
      // Two files with the same content, the file as it was once before, or another host.
      const known = await deps.catalog.store.head(deps.catalog.keys.deltaFile(read.hexdigest), { signal });
      return this.#share(entry, read, known, signal);
    }
    newDeltaFiles.add(read.hexdigest);
    this.#stored++;
    this.#tools.tally.stored(read.size);
    await this.#noteStored(entry, read, read.hexdigest, storedBytes);
  }

  async #storeBundle(members: readonly FoundEntry[], signal: AbortSignal): Promise<void> {
    const { job, deps, name, directory } = this.#backup;
    const { making, manifest, tally, shortfall, progress, pages } = this.#tools;
    const filename = chunkFilename(name, ++this.#bundles);
    const target = join(directory, basename(filename));
    const input = { members, target, seal: sealOptionsOf(job.seal), pack: { list: true, pages } };
    const made = await making.run(() => deps.pool.run(sealChunk, input, { signal, onReport: progress.add, party: job.site }), signal);
    shortfall.take(made);
    for (const page of made.damaged) deps.onDamagedPage?.(page);
    const { plainBytes, sealedBytes: storedBytes } = made;
    await deps.uploads.upload({
      site: job.site,
      store: deps.catalog.store,
      key: deps.catalog.keys.deltaChunkFile(filename),
      source: sourceOfFile(target, storedBytes),
      metadata: chunkMetadata({ ...sealKeys(job), host: job.origin.host, plainBytes, storedBytes }),
      fileType: 'basebackup_delta_chunk',
      signal,
    });
    const files = made.files.map(({ path }) => path);
    await manifest.addBundle({ chunkFilename: filename, inputBytes: plainBytes, storedBytes, storedSha256: made.sealedSha256, files });
    for (const { path: member, size, mtimeNs } of made.files) {
      tally.stored(size);
      const path = pathOfBundleMember(member);
      if (path !== undefined) await manifest.addFile({ path, size, mtimeNs, content: { in: 'bundle' } });
    }
    await rm(target);
  }

  async #read(files: readonly FileToRead[], signal: AbortSignal): Promise<ReadFile[]> {
    const { job, deps } = this.#backup;
    const { making, progress, pages } = this.#tools;
    return making.run(() => deps.pool.run(readDeltaFiles, { files, pages }, { signal, onReport: progress.add, party: job.site }), signal);
  }

  async #seal(entry: FoundEntry, target: string, signal: AbortSignal): Promise<SealResult | { readonly gone: string }> {
    const { job, deps } = this.#backup;
    const input = { source: entry.source, target, seal: sealOptionsOf(job.seal) };
    return this.#tools.making.run(() => deps.pool.run(sealDeltaFile, input, { signal, party: job.site }), signal);
  }

  async #noteRead({ path, source }: FoundEntry, read: Exclude<ReadFile, Hashed> | ReadFile): Promise<void> {
    if ('gone' in read) this.#tools.shortfall.skipped({ path: source, why: read.gone });
    else if ('base64' in read) {
      const { size, mtimeNs, base64 } = read;
      this.#tools.tally.stored(size);
      await this.#tools.manifest.addFile({ path, size, mtimeNs, content: { in: 'manifest', base64 } });
    }
  }

  async #noteStored({ path }: FoundEntry, { size, mtimeNs }: FileAttributes, hexdigest: string, storedBytes: number): Promise<void> {
    await this.#tools.manifest.addFile({ path, size, mtimeNs, content: { in: 'store', hexdigest, storedBytes } });
  }
}
