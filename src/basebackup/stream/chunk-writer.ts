import { encodeTarHeader, type TarMember, tarEnd, tarPaddingOf } from '../../tar/header.ts';
import { ChunkFill, type ChunkLimits } from '../chunk-fill.ts';

/** Takes chunks one after the other, each a tar archive of its own. What it returns is waited for. */
export interface ChunkSink {
  /** `number`: from 1. */
  begin(number: number): void | Promise<void>;
  /** The bytes are only lent. */
  write(bytes: Uint8Array): void | Promise<void>;
  /** `paths`: of all its members. */
  end(number: number, paths: readonly string[]): void | Promise<void>;
}

const zeros = Buffer.alloc(512);

/** Makes chunks out of members that come one after the other: `begin`, the data, `end`. Files are never split. */
export class ChunkWriter {
  readonly #sink: ChunkSink;
  readonly #fill: ChunkFill<TarMember>;
  #number = 0;
  #paths: string[] = [];
  #bytes = 0;
  #padding = 0;

  constructor(sink: ChunkSink, limits: ChunkLimits) {
    this.#sink = sink;
    this.#fill = new ChunkFill(limits);
  }

  /** How many chunks were begun. */
  get chunks(): number {
    return this.#number;
  }

  async begin(member: TarMember): Promise<void> {
    const enclosing = this.#fill.add(member);
    if (enclosing) await this.#endChunk();
    if (enclosing || this.#number === 0) await this.#beginChunk(enclosing ?? []);
    await this.#header(member);
    this.#padding = tarPaddingOf(member.size);
  }

  /** Returns a promise only where the sink did. */
  data(bytes: Uint8Array): void | Promise<void> {
    return this.#write(bytes);
  }

  end(): void | Promise<void> {
    if (this.#padding > 0) return this.#write(zeros.subarray(0, this.#padding));
    return undefined;
  }

  /** Ends the last chunk. */
  async finish(): Promise<void> {
    if (this.#number > 0) await this.#endChunk();
  }

  async #beginChunk(enclosing: readonly TarMember[]): Promise<void> {
    this.#number++;
    this.#paths = [];
    this.#bytes = 0;
    await this.#sink.begin(this.#number);
    for (const directory of enclosing) await this.#header(directory);
  }

  async #endChunk(): Promise<void> {
    await this.#write(tarEnd(this.#bytes));
    await this.#sink.end(this.#number, this.#paths);
  }

  async #header(member: TarMember): Promise<void> {
    this.#paths.push(member.path);
    await this.#write(encodeTarHeader(member));
  }

  #write(bytes: Uint8Array): void | Promise<void> {
    this.#bytes += bytes.length;
    return this.#sink.write(bytes);
  }
}
