import type { z } from 'zod';
import { isOperatorError } from '../../lib/errors.ts';
import { forEachLimited } from '../../lib/limiter.ts';
import type { Catalog } from '../catalog.ts';
import { type DrillEvidence, drillEvidence } from './drill-evidence.ts';
import { fingerprintOf } from './fingerprint.ts';
import { type VerifyEvidence, verifyEvidence } from './verify-evidence.ts';

/** What is proven of a site. */
export interface Evidence {
  readonly verify: readonly VerifyEvidence[];
  /** In the order in which they were begun. */
  readonly drills: readonly DrillEvidence[];
}

export const noEvidence: Evidence = { verify: [], drills: [] };

interface KnownObject {
  readonly version: string;
  readonly document: unknown;
}

type KnownObjects = ReadonlyMap<string, KnownObject>;

const requestsMax = 4;
/** One that is larger is none of ours. */
const bytesMax = 4 * 1024 * 1024;
export const drillsMax = 400;

/** Reads evidence, and what has not changed since the last time from memory. */
export class EvidenceReader {
  readonly #catalog: Catalog;
  #known: KnownObjects = new Map();
  #evidence = noEvidence;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** The same object as before where nothing has changed. What cannot be read proves nothing and is left out. Rejects with the store's errors. */
  async read(signal: AbortSignal): Promise<Evidence> {
    const { verifyEvidencePrefix, drillEvidencePrefix } = this.#catalog.keys;
    const before = this.#known;
    const listed = [
      ...(await this.#list(verifyEvidencePrefix, signal)),
      ...(await this.#list(drillEvidencePrefix, signal)).slice(-drillsMax),
    ];
    const isSame = listed.length === before.size && listed.every(({ key, version }) => before.get(key)?.version === version);
    if (isSame) return this.#evidence;
    const read = new Map<string, KnownObject>();
    await forEachLimited(listed, requestsMax, async ({ key, version }) => {
      const same = before.get(key);
      read.set(key, same?.version === version ? same : { version, document: await this.#get(key, signal) });
    });
    // In the order of the listing, whichever came first.
    const known = new Map(listed.flatMap(({ key }) => [[key, read.get(key)] as const]).filter(isThere));
    this.#known = known;
    this.#evidence = {
      verify: parsedOf(known, verifyEvidencePrefix, verifyEvidence),
      drills: parsedOf(known, drillEvidencePrefix, drillEvidence).toSorted((a, b) => (a.begun_at < b.begun_at ? -1 : 1)),
    };
    return this.#evidence;
  }

  async #list(prefix: string, signal: AbortSignal): Promise<{ readonly key: string; readonly version: string }[]> {
    const found: { key: string; version: string }[] = [];
    for await (const { key, size, lastModified } of this.#catalog.store.list(prefix, { signal })) {
      if (size <= bytesMax) found.push({ key, version: fingerprintOf({ size, lastModified }) });
    }
    return found;
  }

  async #get(key: string, signal: AbortSignal): Promise<unknown> {
    try {
      const { bytes } = await this.#catalog.store.get(key, { signal });
      const pieces: Uint8Array[] = [];
      for await (const piece of bytes) pieces.push(piece);
      return JSON.parse(Buffer.concat(pieces).toString('utf8'));
    } catch (error) {
      const isNone = error instanceof SyntaxError || isOperatorError(error, 'object-missing', 'object-incomplete', 'object-unreadable');
      if (!isNone) throw error;
      return undefined;
    }
  }
}

function isThere(found: readonly [string, KnownObject | undefined]): found is readonly [string, KnownObject] {
  return found[1] !== undefined;
}

function parsedOf<T>(known: KnownObjects, prefix: string, schema: z.ZodType<T>): T[] {
  return [...known].flatMap(([key, { document }]) => {
    const parsed = key.startsWith(prefix) ? schema.safeParse(document) : undefined;
    return parsed?.success ? [parsed.data] : [];
  });
}
