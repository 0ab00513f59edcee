import { OperatorError } from '../../lib/errors.ts';
import { cutOut } from '../cut-out.ts';
import type { ByteRange, ObjectBody, ObjectEntry } from '../object-store.ts';
import { bodyCutShort, objectMissing } from '../store-errors.ts';
import type { Container } from './container.ts';
import { entryOf, lengthIn, manifestIn } from './headers.ts';
import type { HttpAnswer } from './http-client.ts';
import { pagesOf } from './listing.ts';

/** Of those that may have an older copy of an object, the newest is to answer. */
const newest = { 'x-newest': 'true' };

const pageEntries = 10_000;

export interface FoundObject {
  readonly entry: ObjectEntry;
  readonly isSegmented: boolean;
}

export async function headObject(container: Container, key: string, signal: AbortSignal | undefined): Promise<FoundObject> {
  const answer = await container.request({
    method: 'HEAD',
    key,
    headers: newest,
    signal,
    what: `look at ${key}`,
    understood: [404],
  });
  answer.discard();
  if (answer.status === 404) throw await missing(container, key, signal);
  const manifest = manifestIn(answer.headers);
  const size = lengthIn(answer.headers) ?? (await segmentsSize(container, manifest, signal));
  return { entry: entryOf(key, answer.headers, size), isSegmented: manifest !== undefined };
}

export async function getObject(
  container: Container,
  key: string,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): Promise<ObjectBody> {
  if (range && range.end <= range.start) return nothingOf(container, key, signal);
  const headers = { ...newest, ...(range && { range: `bytes=${range.start}-${range.end - 1}` }) };
  const answer = await container.request({ method: 'GET', key, headers, signal, what: `read ${key}`, understood: [404, 416] });
  if (answer.status === 200 || answer.status === 206) return bodyOf(container, key, answer, range, signal);
  answer.discard();
  if (answer.status === 404) throw await missing(container, key, signal);
  return nothingOf(container, key, signal);
}

/** The range lies behind the end. */
async function nothingOf(container: Container, key: string, signal: AbortSignal | undefined): Promise<ObjectBody> {
  const { entry } = await headObject(container, key, signal);
  return { entry, bytes: (async function* () {})() };
}

async function bodyOf(
  container: Container,
  key: string,
  answer: HttpAnswer,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): Promise<ObjectBody> {
  const size = wholeSizeIn(answer) ?? (await segmentsSize(container, manifestIn(answer.headers), signal));
  const entry = entryOf(key, answer.headers, size);
  checkSegments(entry, answer, container.storeName);
  const start = Math.min(range?.start ?? 0, size);
  const end = Math.min(range?.end ?? size, size);
  // Something in between may know no ranges.
  const bytes = range && answer.status === 200 ? cutOut(answer.bytes, range) : answer.bytes;
  return { entry, bytes: wholeBody(bytes, end - start, key, container.storeName) };
}

/** The size of the whole also where a part is answered. */
function wholeSizeIn({ status, headers }: HttpAnswer): number | undefined {
  if (status !== 206) return lengthIn(headers);
  const total = /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}

/** An object in segments is what a listing shows of them: one that is missing would be left out without a word. */
function checkSegments({ key, size, metadata }: ObjectEntry, { headers }: HttpAnswer, storeName: string): void {
  const stored = metadata['content-length'];
  if (manifestIn(headers) === undefined || stored === undefined || Number(stored) === size) return;
  throw new OperatorError(
    'object-corrupt',
    `${key} in ${storeName} has ${size} of the ${stored} bytes stored: segments are missing or added`,
    {
      hint: 'Restore from another base backup; keep the object for inspection.',
    },
  );
}

async function* wholeBody(bytes: AsyncIterable<Uint8Array>, size: number, key: string, storeName: string): AsyncGenerator<Uint8Array> {
  let received = 0;
  for await (const piece of bytes) {
    received += piece.length;
    if (received > size) break;
    yield piece;
  }
  if (received !== size) throw bodyCutShort(key, storeName, size, received);
}

/**
 * A store says no more than "not found": the object, or all of the container. It is asked for a listing, as Swift answers HEAD of a container with bytes that are no HTTP.
 */
export async function missing(container: Container, key: string, signal: AbortSignal | undefined): Promise<OperatorError> {
  for await (const _ of pagesOf(container, key, { pageEntries: 1, signal })) break;
  return objectMissing(key, container.storeName);
}

/** Where there are too many segments for the store to add up itself. */
async function segmentsSize(container: Container, manifest: string | undefined, signal: AbortSignal | undefined): Promise<number> {
  const prefix = manifest?.slice(manifest.indexOf('/') + 1);
  if (manifest === undefined || prefix === undefined || manifest !== `${container.name}/${prefix}`)
    throw new OperatorError('store-failed', `${container.storeName} does not tell the size of an object`, { retryable: true });
  let size = 0;
  for await (const page of pagesOf(container, prefix, { pageEntries, signal })) for (const { bytes } of page) size += bytes;
  return size;
}
