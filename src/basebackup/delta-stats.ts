import { DigestSet } from '../lib/digest-set.ts';
import type { Metrics } from '../lib/metrics.ts';
import { DeltaTally } from './delta-tally.ts';
import { recallDigests, rememberDigests } from './remembered-digests.ts';
import { SpooledList } from './spooled-list.ts';
import type { PackedFile } from './tar-packer.ts';

const names = { prefix: 'pghoard.planned_delta_backup', remained: 'remained_data_size_raw' };

export interface DeltaStatsPlaces {
  /** Where the list of this backup is gathered. */
  readonly list: string;
  /** Where the hashes of the last such backup are remembered, to compare with. */
  readonly remembered: string;
}

/** The hashes that a `delta` backup of the same files would have stored objects under: what `local-tar-delta-stats` notes beside its chunks. */
export class DeltaStats implements AsyncDisposable {
  /** Holds every distinct hash, some 50 bytes each. */
  readonly #known = new DigestSet();
  readonly #list: SpooledList;
  readonly #remembered: string;
  readonly #earlier: DigestSet | undefined;
  readonly #tally = new DeltaTally();

  private constructor(list: SpooledList, remembered: string, earlier: DigestSet | undefined) {
    this.#list = list;
    this.#remembered = remembered;
    this.#earlier = earlier;
  }

  static async create({ list, remembered }: DeltaStatsPlaces): Promise<DeltaStats> {
    const earlier = await recallDigests(remembered);
    return new DeltaStats(await SpooledList.create(list), remembered, earlier);
  }

  async add(files: readonly PackedFile[]): Promise<void> {
    for (const { hexdigest, size } of files) {
      if (hexdigest === undefined) continue;
      const isNew = this.#known.add(hexdigest);
      if (isNew && !this.#earlier?.has(hexdigest)) this.#tally.stored(size);
      else this.#tally.shared(size);
      if (isNew) await this.#list.add(`"${hexdigest}":${size}`);
    }
  }

  /** The key of the manifest. */
  async *text(): AsyncGenerator<string | Buffer> {
    yield ',"delta_stats":{"hashes":{';
    yield* this.#list.text();
    yield '}}';
  }

  /** All files have been added. */
  async tell(metrics: Metrics, site: string): Promise<void> {
    this.#tally.tell(metrics, names, { site }, this.#earlier === undefined);
    await rememberDigests(this.#remembered, this.#known);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#list[Symbol.asyncDispose]();
  }
}
