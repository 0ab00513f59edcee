import { DigestSet } from '../lib/digest-set.ts';
import { SpooledList } from './spooled-list.ts';
import type { PackedFile } from './tar-packer.ts';

/** The hashes that a `delta` backup of the same files would have stored objects under: what `local-tar-delta-stats` notes beside its chunks. */
export class DeltaStats implements AsyncDisposable {
  /** Holds every distinct hash, some 50 bytes each. */
  readonly #known = new DigestSet();
  readonly #list: SpooledList;

  private constructor(list: SpooledList) {
    this.#list = list;
  }

  static async create(path: string): Promise<DeltaStats> {
    return new DeltaStats(await SpooledList.create(path));
  }

  async add(files: readonly PackedFile[]): Promise<void> {
    for (const { hexdigest, size } of files) {
      if (hexdigest !== undefined && this.#known.add(hexdigest)) await this.#list.add(`"${hexdigest}":${size}`);
    }
  }

  /** The key of the manifest. */
  async *text(): AsyncGenerator<string | Buffer> {
    yield ',"delta_stats":{"hashes":{';
    yield* this.#list.text();
    yield '}}';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#list[Symbol.asyncDispose]();
  }
}
