import { isOperatorError, OperatorError } from '../../lib/errors.ts';
import { sourceOfBytes } from '../object-source.ts';
import type { ObjectEntry, ObjectSource, PutOptions } from '../object-store.ts';
import { objectExists, storeMissing, uploadDiffers } from '../store-errors.ts';
import { type ClaimDeps, workAlone } from './claims.ts';
import type { Container } from './container.ts';
import { entryOf, etagIn, metadataHeaders } from './headers.ts';
import { segmentsPrefix } from './names.ts';
import { headObject } from './read.ts';
import { type StoredSegments, segmentNamesOf, untilWhole, uploadSegments } from './segments.ts';
import { contentOf, md5Of } from './source-range.ts';

/** Removing what a failed upload left must end, too. */
const cleanUpMsMax = 30_000;

export interface WriteDeps extends ClaimDeps {
  /** An object with more bytes than this is stored in segments of this size. */
  readonly segmentBytes: number;
}

export function putObject(deps: WriteDeps, key: string, source: ObjectSource, options: PutOptions): Promise<ObjectEntry> {
  const put = source.size > deps.segmentBytes ? putInSegments : putWhole;
  if (!options.createOnly) return put(deps, key, source, options);
  return workAlone(deps, key, options.signal, async (signal) => {
    if (await headIfThere(deps.container, key, signal)) throw objectExists(key, deps.container.storeName);
    return put(deps, key, source, { ...options, signal });
  });
}

async function putWhole(deps: WriteDeps, key: string, source: ObjectSource, options: PutOptions): Promise<ObjectEntry> {
  const entry = await putBytes(deps.container, key, source, options);
  if (!options.createOnly) await removeSegments(deps, key, options.signal);
  return entry;
}

/** One request. The store compares what it got with the MD5 before the object is one. */
async function putBytes(
  container: Container,
  key: string,
  source: ObjectSource,
  { metadata, createOnly, signal }: PutOptions,
  more: Readonly<Record<string, string>> = {},
): Promise<ObjectEntry> {
  const content = contentOf(source, { key, start: 0, end: source.size }, signal);
  const md5 = await md5Of(content);
  const headers = {
    ...metadataHeaders(metadata, key),
    ...more,
    etag: md5,
    'content-type': 'application/octet-stream',
    ...(createOnly && { 'if-none-match': '*' }),
  };
  const answer = await container.request({ method: 'PUT', key, headers, content, signal, what: `store ${key}`, understood: [404, 412] });
  answer.discard();
  if (answer.status === 404) throw storeMissing(container.storeName);
  if (answer.status === 412) throw objectExists(key, container.storeName);
  // Somebody has stored a newer one meanwhile: ours is as good as replaced.
  const isReplaced = answer.status === 202;
  if (isReplaced && createOnly) throw objectExists(key, container.storeName);
  const stored = etagIn(answer.headers);
  if (!isReplaced && (answer.status !== 201 || stored !== md5))
    throw uploadDiffers(key, container.storeName, `status ${answer.status}, MD5 ${stored} instead of ${md5}`);
  return { ...entryOf(key, answer.headers, source.size), metadata: { ...metadata }, digest: md5 };
}

/**
 * The segments of an object have fixed names. So those of an older object go before the new ones come, with the object itself: rather none than one of mixed pieces.
 * One without segments stays until the new manifest takes its place.
 */
async function putInSegments(deps: WriteDeps, key: string, source: ObjectSource, options: PutOptions): Promise<ObjectEntry> {
  const { container, remover, segmentBytes } = deps;
  const { signal } = options;
  if (key.startsWith('/')) throw segmentsRefused(key, container.storeName);
  const old = await headIfThere(container, key, signal);
  if (old?.isSegmented) await remover.remove([key], signal);
  await removeSegments(deps, key, signal);
  try {
    const segments = await uploadSegments(container, { key, source, segmentBytes, signal });
    return await putManifest(deps, key, segments, options);
  } catch (error) {
    await cleanUp(deps, key);
    throw error;
  }
}

async function putManifest(deps: WriteDeps, key: string, segments: StoredSegments, options: PutOptions): Promise<ObjectEntry> {
  const { container, remover } = deps;
  const manifest = { 'x-object-manifest': encodeURIComponent(`${container.name}/${segmentsPrefix(key)}`).replaceAll('%2F', '/') };
  const entry = await putBytes(container, key, sourceOfBytes(Buffer.alloc(0)), options, manifest);
  try {
    await untilWhole(container, key, segments, options.signal);
  } catch (error) {
    await remover.remove([key], AbortSignal.timeout(cleanUpMsMax)).catch(() => {});
    throw error;
  }
  const { key: name, lastModified, metadata } = entry;
  return { key: name, size: segments.size, lastModified, metadata };
}

/** Segments without a manifest would take room until they are swept. */
async function cleanUp(deps: WriteDeps, key: string): Promise<void> {
  const signal = AbortSignal.timeout(cleanUpMsMax);
  try {
    const found = await headIfThere(deps.container, key, signal);
    if (!found?.isSegmented) await removeSegments(deps, key, signal);
  } catch {
    // The cause matters more, and the sweeper comes later.
  }
}

async function headIfThere(container: Container, key: string, signal: AbortSignal | undefined) {
  try {
    return await headObject(container, key, signal);
  } catch (error) {
    if (isOperatorError(error, 'object-missing')) return undefined;
    throw error;
  }
}

async function removeSegments({ container, remover }: WriteDeps, key: string, signal: AbortSignal | undefined): Promise<void> {
  for await (const names of segmentNamesOf(container, key, signal)) await remover.remove(names, signal);
}

/** A manifest cannot name them: Swift takes no prefix that begins with a slash. */
function segmentsRefused(key: string, storeName: string): OperatorError {
  return new OperatorError('object-too-large', `${storeName} cannot keep ${key} in segments, as it begins with a slash`, {
    hint: 'Take the slash from the prefix of the site (its objects must be renamed then), or take base backups in chunks: set basebackup_mode to local-tar.',
  });
}
