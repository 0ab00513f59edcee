import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catalog } from '../catalog/catalog.ts';
import { parseWalMetadata } from '../catalog/wal-entry.ts';
import type { CodecPool } from '../codec/pool.ts';
import { cannotWrite } from '../codec/sink-file.ts';
import { isOperatorError, OperatorError } from '../lib/errors.ts';
import { nodeHashName } from '../lib/hash-algorithms.ts';
import { systemRandom } from '../lib/random.ts';
import type { Urgency } from '../lib/urgency.ts';
import { differenceOf, type SeenCluster } from '../postgres/seen-cluster.ts';
import type { ObjectBody } from '../storage/object-store.ts';
import { type PlainWal, temporaryPlainOf, type UnsealWalInput, unsealWal } from './unseal-wal.job.ts';

/** Of which cluster the WAL of a source is. */
export interface SourceCluster extends SeenCluster {
  /** From when on nothing else was let in; undefined where nobody took care of that. */
  readonly since?: Date | undefined;
}

/** A site's part of a store that WAL can be fetched from. */
export interface WalSource {
  readonly site: string;
  readonly catalog: Catalog;
  /** PEM of a key id's private key, where the configuration has it. */
  readonly privateKeyOf: (keyId: string) => string | undefined;
  /** Undefined where nothing tells. */
  readonly cluster?: (signal: AbortSignal | undefined) => Promise<SourceCluster | undefined>;
}

/** An object whose bytes are about to come. */
export interface OpenedWal {
  readonly name: string;
  readonly source: WalSource;
  readonly body: ObjectBody;
}

/** A plain WAL file on local disk, checked. */
export interface ReceivedWal {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly hash: string;
  /** As node:crypto names it. */
  readonly hashAlgorithm: string;
  readonly segmentBytes?: number;
}

export interface ReceiveDeps {
  readonly pool: CodecPool;
  /** Where the files go, durable ones and temporary ones. */
  readonly directory: string;
  /** Digest to compute where the store has none, as node:crypto names it. */
  readonly hashAlgorithm: string;
  readonly signal: AbortSignal;
  readonly urgency?: Urgency;
}

/** The first of the sources, and those that are of the same cluster: files of another one have the same names and are of no use to it. */
export async function* sourcesOfOneCluster(sources: readonly WalSource[], signal: AbortSignal | undefined): AsyncGenerator<WalSource> {
  const [own, ...others] = sources;
  if (own !== undefined) yield own;
  for (const other of others) {
    const [ours, theirs] = [await own?.cluster?.(signal), await other.cluster?.(signal)];
    if (ours === undefined || theirs === undefined || differenceOf(ours, theirs) === undefined) yield other;
  }
}

/** Asks the sources in their order. `undefined` only if every one of them says that it has no such object, or is of another cluster than the first. */
export async function openStoredWal(name: string, sources: readonly WalSource[], signal: AbortSignal): Promise<OpenedWal | undefined> {
  for await (const source of sourcesOfOneCluster(sources, signal)) {
    const { catalog } = source;
    try {
      return { name, source, body: await catalog.store.get(catalog.walKey(name), { signal }) };
    } catch (error) {
      if (!isOperatorError(error, 'object-missing')) throw error;
    }
  }
  return undefined;
}

/**
 * What the sources have of a segment that none of them has whole: the beginning that was stored while it was received, or what was left of it when its
 * timeline ended; filled up with zeros, at which PostgreSQL ends. `undefined` only if every one of them says that it has nothing.
 */
export async function openUnfinishedWal(
  segment: string,
  sources: readonly WalSource[],
  signal: AbortSignal,
): Promise<OpenedWal | undefined> {
  for (const source of sources) {
    const { store } = source.catalog;
    const found = await source.catalog.findUnfinishedWal(segment, signal);
    if (found) return { name: segment, source, body: await store.get(found.key, { signal }) };
  }
  return undefined;
}

/** Object → local disk → decrypted, decompressed, checked; not fsynced, as it can be fetched again. What it needs on disk is gone again if it fails. */
export async function receiveWal(opened: OpenedWal, deps: ReceiveDeps): Promise<ReceivedWal> {
  const { name, source } = opened;
  const path = join(deps.directory, `${name}.${systemRandom.hex(6)}`);
  const sealedPath = `${path}.sealed.tmp`;
  try {
    const metadata = parseWalMetadata(opened.body.entry.metadata);
    const privateKey = metadata.encryptionKeyId === undefined ? undefined : privateKeyFor(opened, metadata.encryptionKeyId);
    const storedHash = metadata.hashAlgorithm === undefined ? undefined : nodeHashName(metadata.hashAlgorithm);
    const hashAlgorithm = storedHash ?? deps.hashAlgorithm;
    const cluster = await clusterExpected(opened, deps.signal);
    const input = {
      name,
      origin: source.catalog.store.name,
      plainPath: path,
      unseal: {
        plainHash: hashAlgorithm,
        isHashCompared: storedHash !== undefined && metadata.hash !== undefined,
        ...(metadata.compression !== undefined && { compression: metadata.compression }),
        ...(privateKey !== undefined && { privateKey }),
      },
      ...(storedHash !== undefined && metadata.hash !== undefined && { expectedHash: metadata.hash }),
      ...(cluster && { cluster }),
    };
    const plain = (await unsealInPlace(opened, input, deps)) ?? (await downloadAndUnseal(opened, sealedPath, input, deps));
    return { name, path, hashAlgorithm, ...plain };
  } catch (error) {
    await discard(opened.body);
    for (const left of [sealedPath, temporaryPlainOf(path)]) await rm(left, { force: true });
    throw error;
  }
}

/** What is older than the care for the identity of a site may be of a cluster that was there before, and is still wanted by whoever restores that one. */
async function clusterExpected({ source, body }: OpenedWal, signal: AbortSignal): Promise<SeenCluster | undefined> {
  const cluster = await source.cluster?.(signal);
  return cluster?.since !== undefined && body.entry.lastModified > cluster.since ? cluster : undefined;
}

type Unsealing = Omit<UnsealWalInput, 'sealedPath' | 'isSealedKept'>;

/** `undefined` where the store is none of local files, or its file cannot be read: then the store itself has the words for it. */
async function unsealInPlace({ body }: OpenedWal, input: Unsealing, deps: ReceiveDeps): Promise<PlainWal | undefined> {
  if (body.file === undefined) return undefined;
  try {
    const { signal, urgency } = deps;
    const plain = await deps.pool.run(unsealWal, { ...input, sealedPath: body.file, isSealedKept: true }, { signal, urgency });
    await discard(body);
    return plain;
  } catch (error) {
    if (isOperatorError(error, 'file-unreadable')) return undefined;
    throw error;
  }
}

async function downloadAndUnseal(opened: OpenedWal, sealedPath: string, input: Unsealing, deps: ReceiveDeps): Promise<PlainWal> {
  await download(opened, sealedPath, deps);
  const { signal, urgency } = deps;
  return deps.pool.run(unsealWal, { ...input, sealedPath, isSealedKept: false }, { signal, urgency });
}

/** Lets go of the connection behind bytes that nobody will read. */
async function discard(body: ObjectBody): Promise<void> {
  await body.bytes[Symbol.asyncIterator]().return?.();
}

async function download({ name, source, body }: OpenedWal, path: string, deps: ReceiveDeps): Promise<void> {
  const received = await write(body, path, deps.signal);
  if (received === body.entry.size) return;
  throw new OperatorError('store-unreachable', `WAL ${name} came only in part: ${received} of ${body.entry.size} bytes`, {
    hint: `Check the connection to ${source.catalog.store.name}.`,
    retryable: true,
  });
}

async function write(body: ObjectBody, path: string, signal: AbortSignal): Promise<number> {
  let written = 0;
  await using file = await open(path, 'wx', 0o600).catch((error: unknown) => Promise.reject(cannotWrite(path, error)));
  for await (const chunk of body.bytes) {
    signal.throwIfAborted();
    await file.writeFile(chunk).catch((error: unknown) => Promise.reject(cannotWrite(path, error)));
    written += chunk.length;
  }
  return written;
}

function privateKeyFor({ name, source }: OpenedWal, keyId: string): string {
  const key = source.privateKeyOf(keyId);
  if (key !== undefined) return key;
  throw new OperatorError(
    'key-missing',
    `WAL ${name} of site ${source.site} is encrypted with key "${keyId}", whose private key is not known here`,
    {
      hint: `Add encryption_keys.${keyId}.private to the site in the configuration.`,
    },
  );
}
