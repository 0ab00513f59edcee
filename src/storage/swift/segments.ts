import { createHash } from 'node:crypto';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { forEachLimited } from '../../lib/limiter.ts';
import { type RetryPolicy, retry } from '../../lib/retry.ts';
import type { ObjectSource } from '../object-store.ts';
import { partBytesFor } from '../parts.ts';
import { storeMissing, uploadDiffers } from '../store-errors.ts';
import type { Container } from './container.ts';
import { etagIn, lengthIn } from './headers.ts';
import { pagesOf } from './listing.ts';
import { segmentKey, segmentsPrefix } from './names.ts';
import { contentOf, md5Of } from './source-range.ts';

export interface SegmentedUpload {
  readonly key: string;
  readonly source: ObjectSource;
  readonly segmentBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** What the store should show once it has them all. */
export interface StoredSegments {
  readonly size: number;
  /** MD5 of the segments' MD5s, which is what Swift shows of an object made of them. */
  readonly etag: string;
}

/** The most that Swift takes as one object unless the cluster is set up otherwise. */
const segmentBytesMax = 5 * 1024 ** 3;

/** One page of a listing: Swift tells the size of an object with more segments to nobody. */
const segmentsMax = 10_000;

/** Each is read and hashed, and then read and sent; nothing of it is held in memory. */
const segmentsAtOnce = 3;

const segmentRetryPolicy: RetryPolicy = { attemptsMax: 4, delayMsFirst: 200, delayMsMax: 5_000 };

/** A listing may lag behind what was stored, for a while. */
const agreePolicy: RetryPolicy = { attemptsMax: 12, delayMsFirst: 50, delayMsMax: 5_000 };

/** Stores the pieces of an object, several at once. They are nothing yet: the manifest makes them an object. */
export async function uploadSegments(container: Container, upload: SegmentedUpload): Promise<StoredSegments> {
  const { key, source, segmentBytes } = upload;
  const limits = { partBytes: segmentBytes, partBytesMax: Math.max(segmentBytes, segmentBytesMax), partsMax: segmentsMax };
  const bytes = partBytesFor(source.size, limits, container.storeName);
  const numbers = Array.from({ length: Math.ceil(source.size / bytes) }, (_, i) => i + 1);
  const digests: string[] = [];
  const failed = new AbortController();
  const signal = upload.signal ? AbortSignal.any([upload.signal, failed.signal]) : failed.signal;
  await forEachLimited(numbers, segmentsAtOnce, async (number) => {
    const range = { key, start: (number - 1) * bytes, end: Math.min(number * bytes, source.size) };
    try {
      digests[number - 1] = await uploadSegment(container, segmentKey(key, number), contentOf(source, range, signal), {
        signal,
        given: upload.signal,
      });
    } catch (error) {
      failed.abort(error);
      throw upload.signal?.aborted ? upload.signal.reason : error;
    }
  });
  return { size: source.size, etag: createHash('md5').update(digests.join('')).digest('hex') };
}

interface SegmentSignals {
  /** Ends the sending of content, and attempts. */
  readonly signal: AbortSignal;
  /** Cuts the connection, too. Not because another segment failed: what the server has whole it may store, and then we must know, to remove it. */
  readonly given: AbortSignal | undefined;
}

/** Never replaces one: two who store the same object at once would mix their pieces. */
async function uploadSegment(
  container: Container,
  key: string,
  content: ReturnType<typeof contentOf>,
  { signal, given }: SegmentSignals,
): Promise<string> {
  const md5 = await md5Of(content);
  const headers = { etag: md5, 'if-none-match': '*', 'content-type': 'application/octet-stream' };
  const what = `store ${key}`;
  await retry(
    async () => {
      const answer = await container.request({ method: 'PUT', key, headers, content, signal: given, what, understood: [404, 412] });
      answer.discard();
      if (answer.status === 404) throw storeMissing(container.storeName);
      if (answer.status !== 201 && !(await isThere(container, key, md5, signal)))
        throw uploadDiffers(key, container.storeName, 'another upload stores it, too');
    },
    segmentRetryPolicy,
    { signal },
  );
  return md5;
}

/** The answer to an attempt before may have been lost. */
async function isThere(container: Container, key: string, md5: string, signal: AbortSignal): Promise<boolean> {
  const answer = await container.request({ method: 'HEAD', key, signal, what: `look at ${key}`, understood: [404] });
  answer.discard();
  return answer.status !== 404 && etagIn(answer.headers) === md5;
}

/** Waits until an object shows all its segments, as it is read by listing them. */
export async function untilWhole(
  container: Container,
  key: string,
  expected: StoredSegments,
  signal: AbortSignal | undefined,
  clock: Clock = systemClock,
): Promise<void> {
  await retry(
    async () => {
      const answer = await container.request({ method: 'HEAD', key, signal, what: `look at ${key}` });
      answer.discard();
      const size = lengthIn(answer.headers);
      if (size !== expected.size || etagIn(answer.headers) !== expected.etag)
        throw uploadDiffers(key, container.storeName, `its segments are ${size} bytes that differ from the ${expected.size} sent`);
    },
    agreePolicy,
    { signal, clock },
  );
}

/** Names of the segments that there are of an object. */
export async function* segmentNamesOf(
  container: Container,
  key: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly string[]> {
  const pages = pagesOf(container, segmentsPrefix(key), { pageEntries: segmentsMax, signal });
  for await (const page of pages) yield page.map(({ name }) => name);
}
