import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

const bufferedCharactersMax = 64 * 1024;

/** Items of a JSON list, gathered in a file because there may be one for every file of a cluster. */
export class SpooledList implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  #buffered: string[] = [];
  #characters = 0;
  #count = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  static async create(path: string): Promise<SpooledList> {
    return new SpooledList(path, await open(path, 'wx', 0o600));
  }

  get count(): number {
    return this.#count;
  }

  /** `json`: one item. Wait for the promise: it holds back who adds faster than the disk takes. */
  async add(json: string): Promise<void> {
    this.#buffered.push(this.#count++ === 0 ? json : `,${json}`);
    this.#characters += json.length + 1;
    if (this.#characters >= bufferedCharactersMax) await this.#flush();
  }

  /** Everything added so far, with commas between and without brackets. */
  async *text(): AsyncGenerator<string | Buffer> {
    await this.#flush();
    for await (const piece of createReadStream(this.#path)) yield piece as Buffer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {});
    await this.#file.close();
  }

  /** One after the other, whoever calls. */
  #flush(): Promise<void> {
    const text = this.#buffered.join('');
    this.#buffered = [];
    this.#characters = 0;
    const next = this.#last.then(() => this.#file.appendFile(text));
    this.#last = next.catch(() => {});
    return next;
  }
}
