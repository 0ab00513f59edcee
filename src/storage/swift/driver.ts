import { type Clock, systemClock } from '../../lib/clock.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { forEachLimited } from '../../lib/limiter.ts';
import { type Random, systemRandom } from '../../lib/random.ts';
import type {
  ByteRange,
  ListOptions,
  LockedObject,
  ObjectBody,
  ObjectEntry,
  ObjectInfo,
  ObjectSource,
  ObjectStore,
  PutOptions,
  RequestOptions,
  UnfinishedOptions,
} from '../object-store.ts';
import { readCertificates } from '../read-certificates.ts';
import { Container } from './container.ts';
import { HttpClient } from './http-client.ts';
import { type ListedObject, pagesOf } from './listing.ts';
import { loginOf } from './login.ts';
import { checkNotHidden, isHidden, objectOfSegment, segmentsPrefix, splitKey } from './names.ts';
import type { SwiftStorageOptions } from './options.ts';
import { getObject, headObject } from './read.ts';
import { Remover } from './remove.ts';
import { Session } from './session.ts';
import { removeUnfinished } from './unfinished.ts';
import { putObject, type WriteDeps } from './write.ts';

export interface SwiftStoreDeps {
  readonly clock?: Clock;
  readonly random?: Random;
  /** A connection on which nothing moves for so long is given up. */
  readonly idleMsMax?: number;
  /** Whoever is creating an object and is not heard of for so long has died. */
  readonly claimDeadAfterMs?: number;
  /** Entries per request of a listing. */
  readonly pageEntries?: number;
}

const segmentBytesDefault = 3 * 1024 ** 3;
const idleMsDefault = 60_000;
const claimDeadAfterMsDefault = 60_000;
const pageEntriesDefault = 2_000;

/** Looks at objects without bytes of a page at once: any of them may have segments. */
const looksAtOnce = 8;

export async function openSwiftStore(options: SwiftStorageOptions, deps: SwiftStoreDeps = {}): Promise<SwiftStore> {
  const ca = options.cert_path === null ? undefined : await readCertificates(options.cert_path);
  return new SwiftStore(options, await HttpClient.open({ ca, idleMsMax: deps.idleMsMax ?? idleMsDefault }), deps);
}

export function swiftStoreName({ container_name: container }: Pick<SwiftStorageOptions, 'container_name'>): string {
  return `swift container ${container}`;
}

/** A container of OpenStack Swift, or of what speaks like it. */
export class SwiftStore implements ObjectStore {
  readonly name: string;
  readonly #container: Container;
  readonly #remover: Remover;
  readonly #http: HttpClient;
  readonly #writeDeps: WriteDeps;
  readonly #pageEntries: number;

  constructor(options: SwiftStorageOptions, http: HttpClient, deps: SwiftStoreDeps) {
    const { clock = systemClock, random = systemRandom, pageEntries = pageEntriesDefault } = deps;
    const { claimDeadAfterMs = claimDeadAfterMsDefault } = deps;
    this.name = swiftStoreName(options);
    this.#http = http;
    const session = new Session(loginOf(options, this.#http, this.name), clock);
    this.#container = new Container({ storeName: this.name, container: options.container_name, http: this.#http, session });
    this.#remover = new Remover(this.#container);
    const segmentBytes = options.segment_size ?? segmentBytesDefault;
    this.#writeDeps = { container: this.#container, remover: this.#remover, clock, random, claimDeadAfterMs, segmentBytes };
    this.#pageEntries = pageEntries;
  }

  async put(key: string, source: ObjectSource, options: PutOptions): Promise<ObjectEntry> {
    checkNotHidden(key);
    return putObject(this.#writeDeps, key, source, options);
  }

  async get(key: string, { range, signal }: RequestOptions & { readonly range?: ByteRange } = {}): Promise<ObjectBody> {
    return getObject(this.#container, key, range, signal);
  }

  async head(key: string, { signal }: RequestOptions = {}): Promise<ObjectEntry> {
    return (await headObject(this.#container, key, signal)).entry;
  }

  async *list(prefix: string, { after, signal }: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    for await (const page of pagesOf(this.#container, prefix, { after, pageEntries: this.#pageEntries, signal })) {
      const objects = page.filter(({ name }) => !isHidden(name));
      const sizes = await this.#sizesOf(objects, signal);
      for (const { name, lastModified } of objects) {
        const size = sizes.get(name);
        if (size !== undefined) yield { key: name, size, lastModified };
      }
    }
  }

  async delete(key: string, options: RequestOptions = {}): Promise<void> {
    await this.#deleteWithSegments([key], segmentsPrefix(key), options.signal);
  }

  async deleteMany(keys: readonly string[], { signal }: RequestOptions = {}): Promise<readonly LockedObject[]> {
    const byDirectory = Map.groupBy(keys, (key) => splitKey(key).directory);
    for (const [directory, some] of byDirectory) await this.#deleteWithSegments(some, `${directory}_segments/`, signal);
    return [];
  }

  async removeUnfinished(prefix: string, options: UnfinishedOptions): Promise<number> {
    return removeUnfinished(this.#container, this.#remover, prefix, options);
  }

  async create({ signal }: RequestOptions = {}): Promise<void> {
    (await this.#container.request({ method: 'PUT', signal, what: 'make the container' })).discard();
  }

  async close(): Promise<void> {
    this.#http.close();
  }

  /** First what makes them objects. Where this breaks off, what is left is swept as unfinished. */
  async #deleteWithSegments(keys: readonly string[], segments: string, signal: AbortSignal | undefined): Promise<void> {
    await this.#remover.remove(keys, signal);
    const gone = new Set(keys);
    for await (const page of pagesOf(this.#container, segments, { pageEntries: this.#pageEntries, signal })) {
      const names = page.map(({ name }) => name).filter((name) => gone.has(objectOfSegment(name) ?? ''));
      await this.#remover.remove(names, signal);
    }
  }

  /** By name; without those that have gone since they were listed. A manifest has no bytes itself: the store adds up its segments where it is looked at. */
  async #sizesOf(objects: readonly ListedObject[], signal: AbortSignal | undefined): Promise<Map<string, number>> {
    const sizes = new Map(objects.map(({ name, bytes }) => [name, bytes]));
    const empty = objects.filter(({ bytes }) => bytes === 0);
    await forEachLimited(empty, looksAtOnce, async ({ name }) => {
      try {
        sizes.set(name, (await headObject(this.#container, name, signal)).entry.size);
      } catch (error) {
        if (!isOperatorError(error, 'object-missing')) throw error;
        sizes.delete(name);
      }
    });
    return sizes;
  }
}
