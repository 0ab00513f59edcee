import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import { messageOf, systemErrorCode } from '../lib/errors.ts';
import { formatJson } from '../lib/json.ts';
import type { Log } from '../lib/log.ts';
import { isBasebackupName } from './plan.ts';

export interface UsedNamesDeps {
  readonly site: string;
  /** A list in JSON, in the order in which they became known. */
  readonly file: string;
  readonly log: Log;
}

/** Those of half a year of one an hour. */
const namesMax = 5_000;

/**
 * The names that base backups of a site have had, as far as this daemon took or saw them. A name stays that of one base backup after that has been deleted: caches,
 * requests to preserve it and whoever restores it may still mean that one. The store cannot tell: it has forgotten.
 */
export class UsedNames {
  readonly #deps: UsedNamesDeps;
  readonly #names: Set<string>;
  #writing: Promise<void> = Promise.resolve();
  #isWritten = true;
  #isTold = false;

  static async open(deps: UsedNamesDeps): Promise<UsedNames> {
    return new UsedNames(deps, await read(deps));
  }

  private constructor(deps: UsedNamesDeps, names: readonly string[]) {
    this.#deps = deps;
    this.#names = new Set(names);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Once this resolves they are known to later processes. Rejects where the file cannot be written; then this one knows them all the same. */
  async add(names: Iterable<string>): Promise<void> {
    const before = this.#names.size;
    for (const name of names) if (isBasebackupName(name)) this.#names.add(name);
    if (this.#names.size === before && this.#isWritten) return;
    this.#isWritten = false;
    for (const oldest of this.#names) {
      if (this.#names.size <= namesMax) break;
      this.#names.delete(oldest);
    }
    const written = this.#writing.then(() => writeFileAtomic(this.#deps.file, formatJson([...this.#names])));
    this.#writing = written.catch(() => {});
    await written;
    this.#isWritten = true;
  }

  /** The same for what was only seen. Never rejects; that they cannot be written is told once. */
  async note(names: Iterable<string>): Promise<void> {
    const { site, file, log } = this.#deps;
    try {
      await this.add(names);
      this.#isTold = false;
    } catch (error) {
      if (!this.#isTold) log.warn({ site, file }, `the names of base backups cannot be kept: ${messageOf(error)}`);
      this.#isTold = true;
    }
  }
}

/** What cannot be understood is not missed before one of the names comes again. */
async function read({ site, file, log }: UsedNamesDeps): Promise<string[]> {
  try {
    const content: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (Array.isArray(content)) return content.filter((name) => typeof name === 'string' && isBasebackupName(name));
    throw new Error('it is not a list');
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT')
      log.warn({ site, file }, `the names of earlier base backups cannot be read: ${messageOf(error)}`);
    return [];
  }
}
