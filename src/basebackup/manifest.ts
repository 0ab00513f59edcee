import { type FileHandle, open } from 'node:fs/promises';
import type { Tablespace } from './walk.ts';

export const manifestMember = '.pghoard_tar_metadata.json';

/** What the manifest says of the whole backup. */
export interface ManifestHead {
  readonly pgdata: string;
  readonly pghoardVersion: string;
  readonly tablespaces: readonly Tablespace[];
}

export interface ManifestSpan {
  readonly host: string;
  readonly startTime: Date;
  readonly startWalSegment: string;
  readonly endTime: Date;
  readonly endWalSegment: string;
}

export interface ManifestChunk {
  /** `<name>/<name>.00000001.pghoard` */
  readonly chunkFilename: string;
  /** Bytes of tar. */
  readonly inputBytes: number;
  /** Bytes stored. Readers trust this number: encrypted chunks cannot be read with a wrong one. */
  readonly storedBytes: number;
  /** Of the bytes stored, hex: ties the chunk to this backup, so that none of another can take its place. */
  readonly storedSha256: string;
  readonly files: readonly string[];
}

/** The manifest of a `pghoard-bb-v1` backup, known before the first file is read. */
export function manifestOfSingleObject(head: ManifestHead): string {
  return JSON.stringify(headFields(head));
}

/** The manifest of a `pghoard-bb-v2` backup, written piece by piece: its list of files can be far larger than memory should be. */
export class ManifestWriter {
  readonly path: string;
  readonly #file: FileHandle;
  #chunks = 0;
  #inputBytes = 0;
  #storedBytes = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  static async create(path: string): Promise<ManifestWriter> {
    const file = await open(path, 'wx', 0o600);
    await file.appendFile('{"chunks":[');
    return new ManifestWriter(path, file);
  }

  /** Sums over all chunks so far. */
  get totals(): { readonly inputBytes: number; readonly storedBytes: number; readonly chunks: number } {
    return { inputBytes: this.#inputBytes, storedBytes: this.#storedBytes, chunks: this.#chunks };
  }

  /** Chunks come in the order they get ready; their numbers are in their names. */
  async addChunk(chunk: ManifestChunk): Promise<void> {
    const separator = this.#chunks++ === 0 ? '' : ',';
    this.#inputBytes += chunk.inputBytes;
    this.#storedBytes += chunk.storedBytes;
    const { chunkFilename: chunk_filename, inputBytes: input_size, storedBytes: result_size, storedSha256: result_sha256, files } = chunk;
    await this.#append(`${separator}${JSON.stringify({ chunk_filename, input_size, result_size, result_sha256, files })}`);
  }

  /** `more`: further keys with their values, each with a comma before it. */
  async finish(head: ManifestHead, span: ManifestSpan, more: AsyncIterable<string | Buffer> | Iterable<string> = []): Promise<void> {
    const fields = {
      backup_end_time: span.endTime,
      backup_end_wal_segment: span.endWalSegment,
      backup_start_time: span.startTime,
      backup_start_wal_segment: span.startWalSegment,
      ...headFields(head),
      host: span.host,
    };
    await this.#append(`],${JSON.stringify(fields).slice(1, -1)}`);
    for await (const text of more) await this.#append(text);
    await this.#append('}');
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {});
    await this.#file.close();
  }

  /** One after the other, whoever calls. */
  #append(text: string | Buffer): Promise<void> {
    const next = this.#last.then(() => this.#file.appendFile(text));
    this.#last = next.catch(() => {});
    return next;
  }
}

function headFields({ pgdata, pghoardVersion, tablespaces }: ManifestHead) {
  return {
    pgdata,
    pghoard_object: 'basebackup',
    pghoard_version: pghoardVersion,
    tablespaces: Object.fromEntries(tablespaces.map(({ name, path, oid }) => [name, { path, oid }])),
  };
}
