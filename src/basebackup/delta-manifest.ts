import { join } from 'node:path';
import { formatTimestamp } from '../catalog/timestamp.ts';
import { DigestSet } from '../lib/digest-set.ts';
import { type CommonAttributes, type DeltaFile, describeDeltaFile } from './delta-file.ts';
import { type ManifestChunk, type ManifestHead, type ManifestSpan, ManifestWriter } from './manifest.ts';
import { SpooledList } from './spooled-list.ts';

/** What is like in most files and directories of the cluster; what differs is in a bundle, whose tar headers tell. */
export interface ClusterAttributes {
  readonly file: CommonAttributes;
  readonly directory: CommonAttributes;
}

/**
 * The manifest of a delta backup. Its lists grow in files of the spool; held in memory are the distinct hashes, some 50 bytes each.
 * Files stand in it in the order they get ready.
 */
export class DeltaManifest implements AsyncDisposable {
  /** Of the content that is stored as objects of its own. */
  readonly digests = new DigestSet();
  readonly #chunks: ManifestWriter;
  readonly #files: SpooledList;
  readonly #directories: SpooledList;
  readonly #hashes: SpooledList;
  readonly #started: Date;
  #fileBytes = 0;
  #plainBytes = 0;
  #storedBytes = 0;

  private constructor(chunks: ManifestWriter, lists: readonly [SpooledList, SpooledList, SpooledList], started: Date) {
    this.#chunks = chunks;
    [this.#files, this.#directories, this.#hashes] = lists;
    this.#started = started;
  }

  /** `directory`: of the spool. */
  static async create(directory: string, started: Date): Promise<DeltaManifest> {
    const list = (name: string) => SpooledList.create(join(directory, name));
    const chunks = await ManifestWriter.create(join(directory, 'manifest.json'));
    return new DeltaManifest(chunks, [await list('files'), await list('directories'), await list('hashes')], started);
  }

  get path(): string {
    return this.#chunks.path;
  }

  /** Sums over bundles, objects and embedded files. */
  get totals(): { readonly inputBytes: number; readonly storedBytes: number } {
    const { inputBytes, storedBytes } = this.#chunks.totals;
    return { inputBytes: inputBytes + this.#plainBytes, storedBytes: storedBytes + this.#storedBytes };
  }

  async addDirectory(path: string): Promise<void> {
    await this.#directories.add(JSON.stringify(path));
  }

  async addFile(file: DeltaFile): Promise<void> {
    const { size, content } = file;
    this.#fileBytes += size;
    if (content.in !== 'bundle') this.#plainBytes += size;
    if (content.in === 'store') {
      this.#storedBytes += content.storedBytes;
      if (this.digests.add(content.hexdigest)) await this.#hashes.add(JSON.stringify({ hexdigest: content.hexdigest, size }));
    }
    await this.#files.add(describeDeltaFile(file));
  }

  async addBundle(chunk: ManifestChunk): Promise<void> {
    await this.#chunks.addChunk(chunk);
  }

  async finish(head: ManifestHead, span: ManifestSpan, attributes: ClusterAttributes, copied: Date): Promise<void> {
    await this.#chunks.finish(head, span, this.#sections(attributes, copied));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const list of [this.#files, this.#directories, this.#hashes, this.#chunks]) await list[Symbol.asyncDispose]();
  }

  /** The key `attributes` is ours; the original passes over it. */
  async *#sections({ file, directory }: ClusterAttributes, copied: Date): AsyncGenerator<string | Buffer> {
    const during = `"start":"${formatTimestamp(this.#started)}","end":"${formatTimestamp(copied)}"`;
    yield `,"attributes":${JSON.stringify({ file, directory })}`;
    yield `,"manifest":{${during},"snapshot_result":{${during},"state":{"root_globs":["**/*"],"files":[`;
    yield* this.#files.text();
    yield '],"empty_dirs":[';
    yield* this.#directories.text();
    yield `]},"files":${this.#files.count},"total_size":${this.#fileBytes},"hashes":[`;
    yield* this.#hashes.text();
    const { inputBytes: total_size, storedBytes: total_stored_size } = this.totals;
    yield `]},"upload_result":${JSON.stringify({ total_size, total_stored_size })}}`;
  }
}
