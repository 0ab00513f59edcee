import type { ByteRange, ObjectBody, ObjectEntry, ObjectStore, RequestOptions } from './object-store.ts';
import { passOn } from './pass-on.ts';
import { isSameObject } from './same-object.ts';
import { bodyCutShort, objectChanged } from './store-errors.ts';

export interface ParallelRanges {
  readonly rangeBytes: number;
  /** Ranges that are fetched at once; that many and one more, which is being read, are held in memory. */
  readonly parallel: number;
  /** What is smaller is read as it comes, with one request. */
  readonly fromBytes: number;
}

const mebibyte = 1024 * 1024;
const usualRanges: ParallelRanges = { rangeBytes: 8 * mebibyte, parallel: 3, fromBytes: 32 * mebibyte };

type GetOptions = RequestOptions & { readonly range?: ByteRange };

/**
 * Reads large objects by several requests at once, which is what it takes to use a line to a store that is far away, or gives each connection little. Nothing
 * is asked for that would not have been: the first range comes from the request that told how large the object is. Stands around all other layers, so that each
 * range is a request like others: limited, resumed where it breaks off, repeated and observed.
 */
export function withParallelRanges(store: ObjectStore, ranges: ParallelRanges = usualRanges): ObjectStore {
  return {
    ...passOn(store),
    get: async (key, options = {}) => {
      const body = await store.get(key, options);
      const whole = wholeRange(body.entry, options.range);
      if (whole.end - whole.start < ranges.fromBytes) return body;
      return { ...body, bytes: inParallel(store, body, whole, ranges, options) };
    },
  };
}

function wholeRange({ size }: ObjectEntry, range: ByteRange = { start: 0, end: size }): ByteRange {
  return { start: range.start, end: Math.min(range.end, size) };
}

async function* inParallel(
  store: ObjectStore,
  first: ObjectBody,
  { start, end }: ByteRange,
  { rangeBytes, parallel }: ParallelRanges,
  { signal: outer }: GetOptions,
): AsyncGenerator<Uint8Array> {
  const left = new AbortController();
  const signal = outer ? AbortSignal.any([outer, left.signal]) : left.signal;
  const fetching: Promise<readonly Uint8Array[]>[] = [];
  let asked = Math.min(end, start + rangeBytes);
  const askMore = () => {
    for (; asked < end && fetching.length < parallel; asked += rangeBytes) {
      const pieces = fetchRange(store, first.entry, { start: asked, end: Math.min(end, asked + rangeBytes) }, signal);
      // Whoever waits for it hears of a failure; nobody may.
      pieces.catch(() => {});
      fetching.push(pieces);
    }
  };
  try {
    askMore();
    yield* firstBytes(first, Math.min(rangeBytes, end - start));
    for (let next = fetching.shift(); next !== undefined; next = fetching.shift()) {
      const pieces = await next;
      askMore();
      yield* pieces;
    }
  } finally {
    left.abort();
    await Promise.allSettled(fetching);
  }
}

/** Reads no further: leaving the body ends its request. */
async function* firstBytes({ bytes }: ObjectBody, count: number): AsyncGenerator<Uint8Array> {
  let missing = count;
  for await (const piece of bytes) {
    yield piece.length <= missing ? piece : piece.subarray(0, missing);
    missing -= piece.length;
    if (missing <= 0) return;
  }
}

async function fetchRange(store: ObjectStore, entry: ObjectEntry, range: ByteRange, signal: AbortSignal): Promise<readonly Uint8Array[]> {
  const body = await store.get(entry.key, { range, signal });
  if (!isSameObject(body.entry, entry)) throw objectChanged(entry.key, store.name);
  const pieces: Uint8Array[] = [];
  let count = 0;
  for await (const piece of body.bytes) {
    pieces.push(piece);
    count += piece.length;
  }
  if (count !== range.end - range.start) throw bodyCutShort(entry.key, store.name, range.end - range.start, count);
  return pieces;
}
