import { parseWalMetadata } from '../catalog/wal-entry.ts';
import { isOperatorError } from '../lib/errors.ts';
import type { ObjectInfo } from '../storage/object-store.ts';
import type { Finding } from './finding.ts';
import { openedKeys } from './opened-keys.job.ts';
import { runCheck } from './run-check.ts';
import type { SiteSurvey } from './survey-site.ts';
import type { VerifyDeps } from './verify-deps.ts';

/** So many objects of each kind are tried. */
const triedMax = 6;

/**
 * Tells a wrong private key from an object of which the header is damaged: both look the same in the object alone, as the header has no checksum of its own. A key
 * that opens another object of the site which names the same key is not wrong.
 */
export class KeyProof {
  readonly #survey: Pick<SiteSurvey, 'backups' | 'books'>;
  readonly #deps: VerifyDeps;
  #opened: Promise<ReadonlySet<string>> | undefined;

  constructor(survey: Pick<SiteSurvey, 'backups' | 'books'>, deps: VerifyDeps) {
    this.#survey = survey;
    this.#deps = deps;
  }

  /** Another finding where it is known that the key is not wrong. Rejects as the store does. */
  async judge(finding: Finding): Promise<Finding> {
    if (finding.code !== 'key-wrong') return finding;
    this.#opened ??= this.#findOpened();
    const opened = await this.#opened;
    const id = opened.size === 0 ? undefined : await this.#keyOf(finding.object);
    if (id === undefined || !opened.has(id)) return finding;
    const what =
      `the private key '${id}', which opens other objects, does not open it: the header of its encryption is damaged, ` +
      'or it was encrypted with another key of that name';
    return { severity: 'damaged', code: 'object-corrupt', object: finding.object, what };
  }

  async #findOpened(): Promise<ReadonlySet<string>> {
    const { storage, privateKeys } = this.#deps;
    const objects = await this.#candidates();
    return new Set(await runCheck(openedKeys, { objects, storage, privateKeys }, this.#deps));
  }

  /** Some objects of each kind, the newest where that costs nothing. */
  async #candidates(): Promise<readonly string[]> {
    const { catalog, signal } = this.#deps;
    const { keys, store } = catalog;
    const mains = this.#survey.backups.slice(-triedMax).map(({ entry }) => entry.key);
    const wal = this.#survey.books.xlog.survey.blocks.slice(-triedMax).map(({ last }) => keys.wal(last));
    const parts: string[] = [];
    for (const prefix of [keys.chunksPrefix, keys.deltaChunksPrefix, keys.deltaFilesPrefix]) {
      parts.push(...(await firstOf(store.list(prefix, { signal }))));
    }
    return [...mains, ...wal, ...parts];
  }

  async #keyOf(object: string): Promise<string | undefined> {
    try {
      return parseWalMetadata((await this.#deps.catalog.store.head(object, { signal: this.#deps.signal })).metadata).encryptionKeyId;
    } catch (error) {
      if (isOperatorError(error, 'object-missing', 'object-unreadable')) return undefined;
      throw error;
    }
  }
}

async function firstOf(listing: AsyncIterable<ObjectInfo>): Promise<readonly string[]> {
  const first: string[] = [];
  for await (const { key } of listing) {
    first.push(key);
    if (first.length === triedMax) break;
  }
  return first;
}
